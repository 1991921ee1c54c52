"""Time `maskreg.compat.skimage` against scikit-image: the same call, the same answer.

    python -m benchmarks.compat [--sizes 256,512,1024,2048] [--runs 5]

Each has a process of its own, as its users have, and they take turns. (In one process scikit-image would be
quicker, too: ours lets the allocator keep memory, see `maskreg.core.memory`.) Ours lets the
transforms of images longer than 512 use all cores; `--cores 1` holds it to one, as scikit-image does.
Simulated chromium rings behind a beam-block (uint16), a noisy texture and white noise, each moved by whole
pixels; a scattered mask shows what is left where bounds are of no use.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context

from benchmarks.machine import describe, limit_threads, print_table

CALLS = 3
"""A turn is one call, and so many that are timed."""

EVERY_LAG = "every lag (cross_correlate_masked)"
CASES = (
    "rings, masked",
    "texture, masked",
    "white noise, masked",
    "texture, scattered mask",
    "texture, no mask",
    "texture, no mask, upsample_factor=100",
    EVERY_LAG,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="256,512,1024", metavar="PX,...", help="rows and columns")
    parser.add_argument("--runs", type=int, default=5, help="turns of each (5)")
    parser.add_argument("--cores", type=int, help="cores that ours may use (all)")
    args = parser.parse_args()

    limit_threads(1)
    print(describe("maskreg", "numpy", "scipy", "numba", "scikit-image"))
    print(f"medians of {args.runs} turns, s\n")
    rows = [
        _row(size, case, args.runs, args.cores) for size in map(int, args.sizes.split(",")) for case in CASES
    ]
    print_table(["case", "scikit-image", "maskreg", "ratio", "same answer"], rows)


def _row(size: int, case: str, runs: int, cores: int | None) -> list[str]:
    import numpy as np

    tools = ("scikit-image", "maskreg")
    pools = {tool: ProcessPoolExecutor(1, get_context("spawn")) for tool in tools}
    seconds: dict[str, list[float]] = {tool: [] for tool in tools}
    answers = {}
    for turn in range(runs + 1):
        for tool in tools:
            spent, answers[tool] = pools[tool].submit(_time, tool, size, case, cores).result()
            if turn:  # at the first one kernels are compiled or loaded
                seconds[tool].append(spent)
    for pool in pools.values():
        pool.shutdown()
    theirs, ours = (float(np.median(seconds[tool])) for tool in tools)
    same = _equal(answers["scikit-image"], answers["maskreg"])
    return [
        f"{size}, {case}",
        f"{theirs:.4f}",
        f"{ours:.4f}",
        f"{theirs / ours:.1f}",
        "yes" if same else "NO",
    ]


def _time(tool: str, size: int, case: str, cores: int | None):
    """Return how long a call takes, s, and its answer; in the tool's own process.

    The median of calls that follow each other, as in a series of images.
    """
    import os

    import numpy as np

    if cores:
        os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:cores])
    images, options = _cases(size)[case]
    if tool == "maskreg":
        from maskreg.compat.skimage import cross_correlate_masked, phase_cross_correlation
    else:
        from skimage.registration import phase_cross_correlation
        from skimage.registration._masked_phase_cross_correlation import cross_correlate_masked
    seconds = []
    for _ in range(1 + CALLS):
        begin = time.perf_counter()
        if case == EVERY_LAG:
            answer = cross_correlate_masked(*images, options["reference_mask"], options["reference_mask"])
        else:
            answer = phase_cross_correlation(*images, **options)[0]
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds[1:])), np.asarray(answer)


def _equal(theirs, ours) -> bool:
    """Return whether a shift is the same, or a map where more than next to nothing is common."""
    import numpy as np

    if theirs.ndim == 1:
        return bool(np.allclose(theirs, ours, atol=1e-6))
    # where nearly nothing is common, what rounding leaves of a variance differs
    return bool(np.quantile(np.abs(theirs - ours), 0.999) < 1e-6 and theirs.argmax() == ours.argmax())


@cache
def _cases(size: int):
    """Return the two images and the options of the call of each case."""
    import numpy as np
    import scipy.ndimage

    from maskreg.testing import ChromiumScan

    scan = ChromiumScan((size, size), scans=1, delays=(0.0, 1.0))
    rings = scan.frame(0), scan.frame(1)
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(size + 60, size + 60))
    smooth = 300 + 200 * scipy.ndimage.gaussian_filter(noise, 2)
    texture = _two(rng.poisson(smooth), size)[0], _two(rng.poisson(smooth), size)[1]
    block = {"reference_mask": scan.mask}
    cases = (
        (rings, block),
        (texture, {**block, "overlap_ratio": 0.1}),
        (_two(noise, size), block),
        (texture, {"reference_mask": rng.random((size, size)) < 0.75}),
        (texture, {}),
        (texture, {"upsample_factor": 100}),
        (rings, block),
    )
    return dict(zip(CASES, cases, strict=True))


def _two(whole, size):
    return whole[30 : 30 + size, 30 : 30 + size], whole[41 : 41 + size, 13 : 13 + size]


if __name__ == "__main__":
    main()
