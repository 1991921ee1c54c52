"""The tests of compiled loops, once more without the compiler."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

WITHOUT_COMPILER = os.environ.get("NUMBA_DISABLE_JIT") == "1"


def assert_passes_uncompiled(file: str, names: str) -> None:
    """Run the tests of a file whose names match ``-k names``, without numba's compiler."""
    if WITHOUT_COMPILER:
        pytest.skip("this is the run without the compiler")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
    run = subprocess.run(
        [*command, file, "-k", names],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:]
