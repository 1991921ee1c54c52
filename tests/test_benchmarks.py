"""What the benchmarks name is there: they are run by hand, and a name that moved would be noticed late."""

from __future__ import annotations

import importlib
import pkgutil

import benchmarks
import pytest
from benchmarks.where import STEPS


@pytest.mark.parametrize(("module", "path"), [(module, path) for _, module, path in STEPS])
def test_each_step_whose_time_is_watched_is_there(module, path):
    assert callable(pkgutil.resolve_name(f"{module}:{path}"))


@pytest.mark.parametrize(
    "name",
    [m.name for m in pkgutil.walk_packages(benchmarks.__path__, "benchmarks.") if "__main__" not in m.name],
)
def test_each_benchmark_can_be_imported(name):
    importlib.import_module(name)
