"""Time `maskreg.compat.skimage` against scikit-image: the same call, the same answer.

    python -m benchmarks.compat [--sizes 512,1024,2048] [--runs 3]

Both take turns in one process. With masks ours lets the transforms use all cores; the ratio of
processor times says what is left of the gain on one core, and holds on a busy machine. Simulated
chromium rings behind a beam-block (uint16), a noisy texture and white noise, each moved by whole
pixels; a scattered mask shows what is left where bounds are of no use.
"""

from __future__ import annotations

import argparse
import time

from benchmarks.machine import describe, limit_threads, print_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="512,1024,2048", metavar="PX,...", help="rows and columns")
    parser.add_argument("--runs", type=int, default=3, help="turns of each (3)")
    args = parser.parse_args()
    limit_threads(1)

    print(describe("maskreg", "numpy", "scipy", "numba", "scikit-image"))
    print(f"medians of {args.runs} turns, s\n")
    rows = []
    for size in map(int, args.sizes.split(",")):
        for name, images, options in _cases(size):
            rows.append([f"{size}, {name}", *_timed(images, options, args.runs)])
        rows.append([f"{size}, every lag (cross_correlate_masked)", *_every_lag(size, args.runs)])
    print_table(["case", "scikit-image", "maskreg", "ratio", "ratio on one core", "same answer"], rows)


def _cases(size):
    """Yield a name, two images and the options of the call."""
    import numpy as np
    import scipy.ndimage

    from maskreg.testing import ChromiumScan

    scan = ChromiumScan((size, size), scans=1, delays=(0.0, 1.0))
    rings = scan.frame(0), scan.frame(1)
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(size + 60, size + 60))
    smooth = 300 + 200 * scipy.ndimage.gaussian_filter(noise, 2)
    texture = _two(rng.poisson(smooth), size), _two(rng.poisson(smooth), size)
    texture = texture[0][0], texture[1][1]
    scattered = rng.random((size, size)) < 0.75
    yield "rings, masked", rings, {"reference_mask": scan.mask}
    yield "texture, masked", texture, {"reference_mask": scan.mask, "overlap_ratio": 0.1}
    yield "white noise, masked", _two(noise, size), {"reference_mask": scan.mask}
    yield "texture, scattered mask", texture, {"reference_mask": scattered}
    yield "texture, no mask", texture, {}
    yield "texture, no mask, upsample_factor=100", texture, {"upsample_factor": 100}


def _two(whole, size):
    return whole[30 : 30 + size, 30 : 30 + size], whole[41 : 41 + size, 13 : 13 + size]


def _timed(images, options, runs) -> list[str]:
    import numpy as np
    from skimage.registration import phase_cross_correlation as theirs

    from maskreg.compat.skimage import phase_cross_correlation as ours

    return _beside(
        lambda: theirs(*images, **options)[0],
        lambda: ours(*images, **options)[0],
        lambda a, b: np.allclose(a, b, atol=1e-6),
        runs,
    )


def _every_lag(size, runs) -> list[str]:
    """Return the row of `cross_correlate_masked` for rings; its answer is a map."""
    import numpy as np
    from skimage.registration._masked_phase_cross_correlation import cross_correlate_masked as theirs

    from maskreg.compat.skimage import cross_correlate_masked as ours

    _, images, options = next(iter(_cases(size)))
    mask = options["reference_mask"]
    # where nearly nothing is common, what rounding leaves of a variance differs
    return _beside(
        lambda: theirs(*images, mask, mask),
        lambda: ours(*images, mask, mask),
        lambda a, b: np.quantile(np.abs(a - b), 0.999) < 1e-6 and a.argmax() == b.argmax(),
        runs,
    )


def _beside(theirs, ours, equal, runs) -> list[str]:
    """Return the times of two functions that take turns, their ratios, and whether the answers are equal."""
    import numpy as np

    ours()  # compile or load the kernels
    functions = {"theirs": theirs, "ours": ours}
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    answers = {}
    for _ in range(runs):
        for name, function in functions.items():
            begin = time.perf_counter(), time.process_time()
            answers[name] = function()
            seconds[name].append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
    (their_wall, their_cpu), (wall, cpu) = (np.median(seconds[name], axis=0) for name in functions)
    same = bool(equal(answers["theirs"], answers["ours"]))
    ratios = f"{their_wall / wall:.1f}", f"{their_cpu / cpu:.1f}"
    return [f"{their_wall:.3f}", f"{wall:.3f}", *ratios, "yes" if same else "NO"]


if __name__ == "__main__":
    main()
