import pytest

pytest.register_assert_rewrite("stack_writer_contract")
