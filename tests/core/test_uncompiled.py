"""The tests of compiled loops once more without the compiler, in one process: to begin takes longest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

NAMES = {
    "aligned/test_aligned_frames.py": "mean_is_that or sees_the_mean or sums_over or plain_twin",
    "aligned/test_interpolated_frames.py": "interpolated or whole_pixels",
    "detector/test_drawn.py": "plain_twins",
    "doubt/test_matches.py": "itself or enough",
    "frequencies/test_local_weight.py": "is_that_of_arrays",
    "frequencies/test_reference_kernels.py": "equal",
    "lags/test_fine.py": "every_lag or likeliest_lags or interpolated",
    "lags/test_search_kernels.py": "equal or likeliest or chance_level_is or stabilised or plane_by",
    "search/test_choose.py": "compared_on",
    "standing/test_division.py": "compiled_and_plain",
    "subpixel/test_packed.py": "equals or less",
    "subpixel/test_refine_steps.py": "compared_where or neither_finds",
    "subpixel/test_settle.py": "compared_where or equal_lags",
    "subpixel/test_volume_kernels.py": "equal",
    "transforms/test_wide.py": "definition",
    "uncertainty/test_shared_noise.py": "compiled_products",
}
"""What is tested again of which file, as ``-k`` has it."""


def test_compiled_loops_say_the_same_without_the_compiler():
    chosen = " or ".join(f"({Path(file).stem} and ({names}))" for file, names in NAMES.items())
    files = [str(Path(__file__).parent / file) for file in NAMES]
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-p", "no:xdist"]
    run = subprocess.run(
        [*command, *files, "-k", chosen],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:]
    passed = [line for line in run.stdout.splitlines() if " PASSED" in line]
    for file, names in NAMES.items():
        for name in names.split(" or "):
            assert any(file in line and name in line for line in passed), (file, name)
