"""Time a frame against the peers, from 256 to 4096 squared; print the table, save it as CSV and as a plot.

    python -m benchmarks.speed [--sizes 256 512 1024 2048] [--runs 5] [--threads 1] [--out FOLDER]

One reference and one static mask, uint16 frames of simulated chromium rings behind a beam-block, in
memory. In each run every tool takes its turn; the table holds the medians. All run on one thread,
maskreg as `maskreg.Registrar` does a series (its kernels compiled, the reference prepared) on as many
as `--threads` says. The peers do less: scikit-image and SimpleITK whole pixels of all lags, OpenCV
whole pixels of +/- 32 px. A peer that is not installed is left out; so is one that needs more than half
a minute for a frame.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.machine import describe, limit_threads, print_table

REACH = 32
"""OpenCV's template is so much smaller than its image at every side, px."""

PATIENCE = 30.0
"""A peer that would need longer for a frame, s, is left out: five times as long for four times the pixels."""

OURS = "maskreg"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024, 2048], metavar="PX")
    parser.add_argument("--runs", type=int, default=5, help="turns of each tool (5)")
    parser.add_argument("--threads", type=int, default=1, help="frames that maskreg registers at once (1)")
    parser.add_argument("--frames", type=int, default=16, help="frames in each turn of maskreg (16)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), metavar="FOLDER")
    args = parser.parse_args()
    limit_threads(1)

    print(
        describe("maskreg", "numpy", "scipy", "numba", "scikit-image", "opencv-python-headless", "SimpleITK")
    )
    print(f"medians of {args.runs} turns; maskreg on {args.threads} thread(s), the peers on one")
    medians: dict[str, dict[int, float]] = {}
    for size in args.sizes:
        tools = _tools(size, args.frames, args.threads)
        slow = {
            name
            for name, seconds in medians.items()
            if 5 * max(seconds.values()) * (size / max(seconds)) ** 2 > 4 * PATIENCE
        }
        for name, seconds in _in_turns({k: f for k, f in tools.items() if k not in slow}, args.runs).items():
            medians.setdefault(name, {})[size] = seconds
    print_table(["s per frame", *(str(size) for size in args.sizes)], _rows(medians, args.sizes, "{:.4f}"))
    ratios = {
        name: {size: value / medians[OURS][size] for size, value in seconds.items()}
        for name, seconds in medians.items()
        if name != OURS
    }
    print()
    print_table(["times maskreg's", *(str(size) for size in args.sizes)], _rows(ratios, args.sizes, "{:.0f}"))
    costs = {OURS: {size: 1e9 * medians[OURS][size] / size**2 for size in args.sizes}}
    print()
    print_table(["ns per pixel", *(str(size) for size in args.sizes)], _rows(costs, args.sizes, "{:.2f}"))
    _save(medians, args.sizes, args.out)


def _tools(size: int, count: int, threads: int) -> dict[str, Callable[[], float]]:
    """Return for each tool what does its work once and returns seconds per frame."""
    from maskreg import Registrar
    from maskreg.stream import ordered_map
    from maskreg.testing import ChromiumScan

    scan = ChromiumScan((size, size), scans=2, delays=tuple(range((count + 2) // 2)))
    frames = [scan.frame(i) for i in range(count + 1)]
    reference, moving, mask = frames[0], frames[1:], scan.mask
    registrar = Registrar(reference, mask, mask)
    registrar(moving[0])

    def ours() -> float:
        return _seconds(lambda: list(ordered_map(registrar, moving, workers=threads))) / len(moving)

    tools: dict[str, Callable[[], float]] = {OURS: ours}
    for name, make in PEERS.items():
        try:
            run = make(reference, moving[0], mask)
        except ImportError:
            continue
        tools[name] = lambda run=run: _seconds(run)
    return tools


def _skimage(reference, moving, mask):
    from skimage.registration import phase_cross_correlation

    return lambda: phase_cross_correlation(reference, moving, reference_mask=mask, moving_mask=mask)


def _opencv(reference, moving, mask):
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    inner = slice(REACH, -REACH)
    image, template = reference.astype(np.float32), moving[inner, inner].astype(np.float32)
    valid = np.ascontiguousarray(mask[inner, inner]).astype(np.float32)
    return lambda: cv2.matchTemplate(image, np.ascontiguousarray(template), cv2.TM_CCOEFF_NORMED, mask=valid)


def _simpleitk(reference, moving, mask):
    import numpy as np
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    images = [SimpleITK.GetImageFromArray(image.astype(np.float32)) for image in (reference, moving)]
    valid = SimpleITK.GetImageFromArray(mask.astype(np.float32))
    return lambda: SimpleITK.MaskedFFTNormalizedCorrelation(*images, valid, valid)


def _skued(reference, moving, mask):
    from skued import align

    return lambda: align(moving, reference, mask=mask)


PEERS = {
    "scikit-image, masked": _skimage,
    f"OpenCV, masked, +/- {REACH} px": _opencv,
    "SimpleITK, masked": _simpleitk,
    "scikit-ued": _skued,
}


def _in_turns(tools: dict[str, Callable[[], float]], runs: int) -> dict[str, float]:
    """Return each tool's median, the tools taking turns."""
    import numpy as np

    seconds: dict[str, list[float]] = {name: [] for name in tools}
    for _ in range(runs):
        for name, run in tools.items():
            seconds[name].append(run())
    return {name: float(np.median(values)) for name, values in seconds.items()}


def _seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def _rows(table: dict[str, dict[int, float]], sizes: list[int], form: str) -> list[list[str]]:
    return [
        [name, *(form.format(values[size]) if size in values else "-" for size in sizes)]
        for name, values in table.items()
    ]


def _save(medians: dict[str, dict[int, float]], sizes: list[int], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "speed.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["tool", "size_px", "seconds_per_frame"])
        for name, seconds in medians.items():
            writer.writerows([name, size, f"{seconds[size]:.6f}"] for size in sizes if size in seconds)
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print(f"\nsaved {folder / 'speed.csv'}; for the plot install maskreg[plot]")
        return
    axes = (figure := Figure(figsize=(6, 4), layout="constrained")).subplots()
    for name, seconds in medians.items():
        axes.loglog(list(seconds), list(seconds.values()), "o-", label=name)
    axes.set(xlabel="rows and columns, px", ylabel="s per frame")
    axes.legend()
    figure.savefig(folder / "speed.png", dpi=150)
    print(f"\nsaved {folder / 'speed.csv'} and {folder / 'speed.png'}")


if __name__ == "__main__":
    main()
