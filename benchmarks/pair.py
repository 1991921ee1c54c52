"""Time one pair in a fresh process, and the memory it takes, beside scikit-image's masked call.

    python -m benchmarks.pair [--sizes 1024 2048] [--volume 192] [--runs 5]

Every run is a process of its own, and the tools take turns. What is imported and compiled already is not
counted (kernels come from the cache: run once before; what the imports of either take stands beside
it), the first call is, with all that it loads: seconds on the clock, and by how much the peak of memory
exceeds that before the call. Both may use all cores, and use what they use: beside the seconds stand those
of processor time, and maskreg runs once more where it may have one thread only (OMP_NUM_THREADS=1). At the
end of each line the whole pixel of either answer. A line is printed as soon as it is measured; a tool that
takes longer than ten seconds takes its first turn only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import describe
from maskreg.cores import available_cores

ONE = """
import json, sys, time
import numpy as np
pair = np.load(sys.argv[1])
reference, moving, mask = pair["reference"], pair["moving"], pair["mask"]
begin = time.process_time()
if sys.argv[2].startswith("maskreg"):
    from maskreg import register
    run = lambda: register(reference, moving, mask, mask).shift
else:
    from skimage.registration import phase_cross_correlation
    run = lambda: phase_cross_correlation(reference, moving, reference_mask=mask, moving_mask=mask)[0]
imports = time.process_time() - begin
# of this program alone: what getrusage tells is that of the process that started it, if that was larger
peak = lambda: int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
before, begin, wall = peak(), time.process_time(), time.perf_counter()
shift = run()
spent, wall = time.process_time() - begin, time.perf_counter() - wall
pixel = np.asarray(shift).round().astype(int).tolist()
print(json.dumps([spent, wall, (peak() - before) / 1024, pixel, imports]))
"""

ON_ONE = "maskreg, one thread"

TOOLS = ("maskreg", ON_ONE, "scikit-image")

PATIENCE = 10.0
"""A tool that takes longer for a pair, s, has one turn."""

HEADER = [
    "       pair",
    "maskreg s",
    "processor",
    "one thread s",
    "scikit-image s",
    "processor",
    "times",
    "one thread",
    "maskreg MB",
    "scikit-image MB",
    "part",
    "imports s",
    "shifts",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[1024, 2048], metavar="PX")
    parser.add_argument("--volume", type=int, default=192, metavar="PX", help="0 for none (192)")
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    print(describe("maskreg", "numpy", "scipy", "numba", "scikit-image"))
    print(
        f"medians of {args.runs} fresh processes, first call, with {available_cores()} cores for either: "
        "seconds on the clock, and of processor time; MB beyond the imports",
        flush=True,
    )
    print(_line(HEADER))
    with tempfile.TemporaryDirectory() as folder:
        pairs = [(f"{n} x {n}", _frames, n) for n in args.sizes]
        if args.volume:
            pairs.append((f"{args.volume} cubed", _volumes, args.volume))
        for name, make, size in pairs:
            path = Path(folder) / "pair.npz"
            _save(path, make(size))
            print(_line([name, *_compared(path, args.runs)]), flush=True)


def _line(cells: list[str]) -> str:
    return "  ".join(cell.rjust(len(title)) for cell, title in zip(cells, HEADER, strict=True))


def _compared(path: Path, runs: int) -> list[str]:
    from statistics import median

    found: dict[str, list[list]] = {tool: [] for tool in TOOLS}
    _run(path, "maskreg")  # fills the cache of the compiler
    for _ in range(runs):
        for tool in TOOLS:
            if not found[tool] or found[tool][0][1] < PATIENCE:
                found[tool].append(_run(path, tool))
    wall = {tool: median(one[1] for one in found[tool]) for tool in TOOLS}
    spent = {tool: median(one[0] for one in found[tool]) for tool in TOOLS}
    memory = {tool: median(one[2] for one in found[tool]) for tool in TOOLS}
    ours, theirs = TOOLS[0], TOOLS[-1]
    return [
        f"{wall[ours]:.3f}",
        f"{spent[ours]:.3f}",
        f"{wall[ON_ONE]:.3f}",
        f"{wall[theirs]:.2f}",
        f"{spent[theirs]:.2f}",
        f"{wall[theirs] / wall[ours]:.1f}",
        f"{wall[theirs] / wall[ON_ONE]:.1f}",
        f"{memory[ours]:.0f}",
        f"{memory[theirs]:.0f}",
        f"1/{memory[theirs] / memory[ours]:.0f}",
        " and ".join(f"{median(one[4] for one in found[tool]):.2f}" for tool in (ours, theirs)),
        " and ".join(str(found[tool][0][3]) for tool in (ours, theirs)),
    ]


def _run(path: Path, tool: str) -> list:
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    if tool == ON_ONE:
        environment["OMP_NUM_THREADS"] = "1"
    command = [sys.executable, "-c", ONE, str(path), tool]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _save(path: Path, arrays: dict) -> None:
    import numpy as np

    np.savez(path, **arrays)


def _frames(size: int) -> dict:
    """Return two frames of simulated chromium rings behind a beam-block."""
    from maskreg.testing import ChromiumScan

    scan = ChromiumScan((size, size), scans=2, delays=(0, 1, 2))
    return {"reference": scan.frame(0), "moving": scan.frame(4), "mask": scan.mask}


def _volumes(size: int) -> dict:
    """Return two volumes of smooth texture of about 20 counts, moved by (-3, 4, -1), a block ignored."""
    import numpy as np
    import scipy.ndimage

    rng = np.random.default_rng(3)
    texture = scipy.ndimage.gaussian_filter(rng.standard_normal((size + 16,) * 3, dtype=np.float32), 2.0)
    texture = 20 * np.exp(0.9 * texture / texture.std())
    views = [tuple(slice(8 + s, 8 + s + size) for s in shift) for shift in ((0, 0, 0), (-3, 4, -1))]
    mask = np.ones((size,) * 3, bool)
    mask[: size // 3, size // 4 : size // 2] = False
    reference, moving = (rng.poisson(texture[view]).astype(np.uint16) for view in views)
    return {"reference": reference, "moving": moving, "mask": mask}


if __name__ == "__main__":
    main()
