import pytest

for module in ("oracle_law", "registration_law"):
    pytest.register_assert_rewrite(f"tests.core.{module}")
