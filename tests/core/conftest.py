import pytest

pytest.register_assert_rewrite("oracle_law", "registration_law", "uncompiled")
