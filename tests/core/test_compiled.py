"""Kernels are kept beside the package without what only other compiled functions would need."""

from __future__ import annotations

import importlib
import os
import pickle
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core.caching import NullCache
from numba.core.dispatcher import Dispatcher
from tests.core.uncompiled import WITHOUT_COMPILER

import maskreg.core
from maskreg.core.image.pyramid import halved
from maskreg.core.machine.compiled import _LeanCache

pytestmark = pytest.mark.skipif(WITHOUT_COMPILER, reason="nothing is compiled")

CALL = """
import numpy as np
from maskreg.core.image.kernels import halved_2d
found = halved_2d(np.random.default_rng(3).random((64, 65), np.float32))
hits = sum(halved_2d.stats.cache_hits.values())
print(found.tobytes().hex()[:2000], hits)
"""


def _kernels():
    """Every compiled function that is called from Python, by its full name."""
    for module in pkgutil.walk_packages(maskreg.core.__path__, "maskreg.core."):
        if module.name.endswith("kernels"):
            loaded = importlib.import_module(module.name)
            for name, value in vars(loaded).items():
                if isinstance(value, Dispatcher) and value.py_func.__module__ == loaded.__name__:
                    yield f"{module.name}.{name}", value


def _is_kernel(function):
    """Whether it is kept, and not a part of those that are."""
    return type(function._cache) is _LeanCache


def test_every_kernel_stands_in_the_table_of_its_module_beside_a_plain_twin_that_is_there():
    called: dict[str, set[str]] = {}
    for name, function in _kernels():
        if _is_kernel(function):
            module, kernel = name.rsplit(".", 1)
            called.setdefault(module, set()).add(kernel)
    for module, kernels in called.items():
        text = importlib.import_module(module).__doc__
        rows = dict(re.findall(r"^`(\w+)` +(.*)$", text, re.MULTILINE))
        assert set(rows) == kernels, module
        for kernel, twin in rows.items():
            for named in re.findall(r"`([a-z]+\.[\w.]+)`", twin):
                whole = named if named.startswith(("numpy.", "scipy.")) else f"maskreg.core.{named}"
                assert pkgutil.resolve_name(whole), kernel
            for file in re.findall(r"`(tests/.+?)`", twin):
                assert (Path(__file__).parents[2] / file).is_file(), kernel


CALLS_A_PART = """
import numpy as np
from maskreg.core.lags.search_kernels import median_and_deviation as kernel
found = kernel(np.random.default_rng(3).random((64, 65), np.float32), np.ones((64, 65), bool))
print(np.array(found).tobytes().hex(), sum(kernel.stats.cache_hits.values()))
"""

HERE = """
from maskreg.core.machine import compiled
compiled.done_apart = lambda work: False
"""


def _called(script, cache):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    found, hits = done.stdout.split()
    return found, int(hits)


@pytest.mark.parametrize("call", [CALL, CALLS_A_PART])
def test_a_kernel_gives_the_same_bytes_from_the_cache_and_whichever_process_has_compiled_it(tmp_path, call):
    here, loaded = (_called(HERE + call, tmp_path / "here") for _ in range(2))
    apart = _called(call, tmp_path / "apart")
    assert [hits for _, hits in (here, loaded, apart)] == [0, 1, sys.platform.startswith("linux")]
    assert here[0] == loaded[0] == apart[0]
    if call is CALL:
        values = np.random.default_rng(3).random((64, 65), np.float32)
        assert halved(values).tobytes().hex()[:2000] == here[0]


def test_of_processes_that_need_a_kernel_at_once_one_compiles_it(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_DEBUG_CACHE": "1"}
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", CALLS_A_PART], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    said = [run.communicate(timeout=250)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert sum(text.count("data saved") for text in said) == 1
    assert len({text.splitlines()[-1].split()[0] for text in said}) == 1


TOGETHER = """
import sys, time
import numpy as np
from maskreg.core.image.kernels import halved_2d
from maskreg.core.machine import together
from maskreg.core.machine.compiled import on_compiling
from maskreg.core.search.peak_kernels import greatest_near_2d
together.available_cores = lambda: int(sys.argv[1])
on_compiling(together.Together({halved_2d}, [(greatest_near_2d, "(f4[:,::1], i8, i8, i8)")]))
halved_2d(np.ones((8, 8), np.float32))
end = time.monotonic() + float(sys.argv[2])
while not (found := bool(greatest_near_2d._cache._cache_file._load_index())) and time.monotonic() < end:
    time.sleep(0.1)
print("found" if found else "not found")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux")
@pytest.mark.parametrize(("cores", "seconds", "said"), [(2, 120, "found"), (1, 2, "not found")])
def test_what_will_be_needed_is_compiled_meanwhile_where_there_are_cores(tmp_path, cores, seconds, said):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", TOGETHER, str(cores), str(seconds)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == said


def test_a_kernel_is_kept_without_the_code_from_which_its_callers_could_be_compiled(tmp_path):
    subprocess.run(
        [sys.executable, "-c", CALL], env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}, check=True
    )
    (kept,) = tmp_path.rglob("*halved_2d*.nbc")
    assert len(kept.read_bytes()) < 1.5 * len(pickle.loads(kept.read_bytes()).machine_code)


def test_a_kernel_from_the_cache_is_loaded_without_setting_the_compiler_up(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    set_up = HERE + CALL + "import sys; print('numba.np.npyimpl' in sys.modules)"
    found = [
        subprocess.run([sys.executable, "-c", set_up], env=environment, capture_output=True, text=True)
        for _ in range(2)
    ]
    assert [run.stdout.split()[1:] for run in found] == [["0", "True"], ["1", "False"]]


def test_no_compiled_function_calls_a_kernel():
    """Machine code would be linked to what is not in its own file."""
    kernels = dict(_kernels())
    assert sum(map(_is_kernel, kernels.values())) > 50
    assert {type(k._cache) for k in kernels.values()} == {
        _LeanCache,
        NullCache,
    }  # parts never do
    for name, function in kernels.items():
        used = set(function.py_func.__code__.co_names) & set(function.py_func.__globals__)
        called = [function.py_func.__globals__[n] for n in used]
        assert not [n.__name__ for n in called if isinstance(n, Dispatcher) and _is_kernel(n)], name
