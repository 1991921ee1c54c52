import pytest

pytest.register_assert_rewrite("frame_source_contract", "format_writers")
