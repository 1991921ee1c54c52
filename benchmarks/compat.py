"""Time `maskreg.compat.skimage` against scikit-image: the same call, the same answer.

    python -m benchmarks.compat [--sizes 256,512,1024,2048] [--cases scattered] [--runs 5]

Each has a process of its own, as its users have, and they take turns. (In one process scikit-image would be
quicker, too: ours lets the allocator keep memory, see `maskreg.core.machine.memory`.) Ours lets the
transforms of images of 512 pixels and more use all cores, for maps of every lag those of 256; `--cores 1`
holds it to one, as scikit-image does. Simulated chromium rings behind a beam-block (uint16), a noisy texture
and white noise, each moved by whole pixels; a scattered mask shows what is left where bounds are of no use.

A series is one reference and other images, of which ours keeps what it computed of the reference; single
pairs have another reference each. scikit-image takes as long for either.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context

from benchmarks.machine import describe, limit_threads, print_table

CALLS = 3
"""A turn is two calls, and so many that are timed."""

SMALLEST = 128
"""The least rows and columns of the rings, px."""

SERIES, SINGLE = "series", "single"

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
    parser.add_argument("--cases", default="", metavar="TEXT", help="only those whose name holds this")
    parser.add_argument("--runs", type=int, default=5, help="turns of each (5)")
    parser.add_argument("--cores", type=int, help="cores that ours may use (all)")
    args = parser.parse_args()
    sizes = [int(size) for size in args.sizes.split(",")]
    if min(sizes) < SMALLEST:
        parser.error(f"--sizes {args.sizes}: the rings need {SMALLEST} px")

    limit_threads(1)
    print(describe("maskreg", "numpy", "scipy", "numba", "scikit-image"))
    print(f"medians of {args.runs} turns, s\n")
    rows = [_row(size, case, args.runs, args.cores) for size in sizes for case in CASES if args.cases in case]
    print_table(
        ["case", "scikit-image", "maskreg, series", "single", "ratio, series", "single", "same answer"], rows
    )


def _row(size: int, case: str, runs: int, cores: int | None) -> list[str]:
    import numpy as np

    takers = ("scikit-image", SERIES), ("maskreg", SERIES), ("maskreg", SINGLE)
    pools = {taker: ProcessPoolExecutor(1, get_context("spawn")) for taker in takers}
    seconds: dict[tuple[str, str], list[float]] = {taker: [] for taker in takers}
    answers = {}
    for turn in range(runs + 1):
        for taker in takers:
            spent, answers[taker] = pools[taker].submit(_time, *taker, size, case, cores).result()
            if turn:  # at the first one kernels are compiled or loaded
                seconds[taker].append(spent)
    for pool in pools.values():
        pool.shutdown()
    theirs, *ours = (float(np.median(seconds[taker])) for taker in takers)
    same = all(_equal(*pair) for pair in zip(answers[takers[0]], answers[takers[1]], strict=True))
    return [
        f"{size}, {case}",
        *(f"{spent:.4f}" for spent in (theirs, *ours)),
        *(f"{theirs / spent:.1f}" for spent in ours),
        "yes" if same else "NO",
    ]


def _time(tool: str, kind: str, size: int, case: str, cores: int | None):
    """Return how long a call takes, s, the median of calls that follow each other, and their answers.

    In the tool's own process.
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
    seconds, answers = [], []
    for k in range(1, len(images)):
        pair = images[0 if kind == SERIES else k - 1], images[k]
        begin = time.perf_counter()
        if case == EVERY_LAG:
            answer = cross_correlate_masked(*pair, options["reference_mask"], options["reference_mask"])
        else:
            answer = phase_cross_correlation(*pair, **options)[0]
        seconds.append(time.perf_counter() - begin)
        # of a map of every lag one is enough
        answers = [*answers, np.asarray(answer)] if case != EVERY_LAG else [np.asarray(answer)]
    return float(np.median(seconds[-CALLS:])), answers


def _equal(theirs, ours) -> bool:
    """Return whether a shift is the same, or a map where more than next to nothing is common."""
    import numpy as np

    if theirs.ndim == 1:
        return bool(np.allclose(theirs, ours, atol=1e-6))
    # where nearly nothing is common, what rounding leaves of a variance differs
    return bool(np.quantile(np.abs(theirs - ours), 0.999) < 1e-6 and theirs.argmax() == ours.argmax())


@cache
def _cases(size: int):
    """Return the images and the options of the calls of each case."""
    import numpy as np
    import scipy.ndimage

    from maskreg.testing import ChromiumScan

    count = 3 + CALLS
    scan = ChromiumScan((size, size), scans=1, delays=tuple(map(float, range(count))))
    rings = [scan.frame(k) for k in range(count)]
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(size + 60, size + 60))
    smooth = 300 + 200 * scipy.ndimage.gaussian_filter(noise, 2)
    texture = [_cut(rng.poisson(smooth), size, k) for k in range(count)]
    block = {"reference_mask": scan.mask}
    cases = (
        (rings, block),
        (texture, {**block, "overlap_ratio": 0.1}),
        ([_cut(noise, size, k) for k in range(count)], block),
        (texture, {"reference_mask": rng.random((size, size)) < 0.75}),
        (texture, {}),
        (texture, {"upsample_factor": 100}),
        (rings, block),
    )
    return dict(zip(CASES, cases, strict=True))


def _cut(whole, size, k):
    row, column = 30 + 11 * k % 29, 30 - 17 * k % 31
    return whole[row : row + size, column : column + size]


if __name__ == "__main__":
    main()
