"""The cost of a pixel of a frame, from small frames to large ones.

    python -m benchmarks.sizes [--sizes 512 1024 2048 4096] [--turns 5]

Three series. The chromium frames show the same rings, and the crystal its spots, on more or fewer pixels, so
that small frames are sharper; the texture has the same detail in pixels at every size. uint16, a static mask;
processor time of one thread, median over turns of the median frame.
"""

from __future__ import annotations

from benchmarks.machine import describe, limit_threads, print_table

limit_threads(1)

import argparse  # noqa: E402
import time  # noqa: E402
from statistics import median  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

from maskreg import Registrar  # noqa: E402
from maskreg.testing import ChromiumScan, Scene, Spots, Texture  # noqa: E402

FRAMES = 9

PIXELS_A_TURN = 2**25
"""A turn registers frames of so many pixels in all, at least twice all frames."""

ELECTRONS = 100
"""Of the texture, per pixel,"""

ELECTRONS_OF_CRYSTAL = 10
"""and of the crystal, on average."""

SPOT = 3 / 1024
"""Sigma of a spot, part of the side."""

FARTHEST = 6.0
"""Of the drift of both, px."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048, 4096], metavar="PX")
    parser.add_argument("--turns", type=int, default=5)
    args = parser.parse_args()
    print(describe("maskreg", "numpy", "scipy", "numba"))
    for name, series in {"chromium": _chromium, "crystal": _crystal, "texture": _texture}.items():
        rows, costs = [], []
        for size in args.sizes:
            seconds = _seconds(*series(size), args.turns)
            costs.append(1e9 * seconds / size**2)
            rows.append([f"{size} x {size}", f"{1e3 * seconds:.2f}", f"{costs[-1]:.2f}"])
        print_table([name, "ms a frame", "ns a pixel"], rows)
        print(f"factor {max(costs) / min(costs):.2f}")


def _chromium(size: int) -> tuple[list[Any], Any]:
    scan = ChromiumScan((size, size), scans=1, delays=tuple(range(FRAMES)))
    return [scan.frame(k) for k in range(FRAMES)], scan.mask


def _texture(size: int) -> tuple[list[Any], Any]:
    return _drifting(Texture((size, size)), ELECTRONS)


def _crystal(size: int) -> tuple[list[Any], Any]:
    return _drifting(Spots((size, size), width=SPOT * size), ELECTRONS_OF_CRYSTAL)


def _drifting(scene: Scene, electrons: float) -> tuple[list[Any], Any]:
    rng = np.random.default_rng(scene.shape[0])
    drifts = [(0.0, 0.0), *(tuple(rng.uniform(-FARTHEST, FARTHEST, 2)) for _ in range(FRAMES - 1))]
    frames = [rng.poisson(electrons * scene.render(drift)).astype(np.uint16) for drift in drifts]
    return frames, ChromiumScan(scene.shape, scans=1, delays=(0.0,)).mask


def _seconds(frames: list[Any], mask: Any, turns: int) -> float:
    """Return the processor time of a frame; all are registered before."""
    registrar, times = Registrar(frames[0], mask, mask), []
    for frame in frames[1:]:
        registrar(frame)
    for _ in range(turns):
        turn = []
        for _ in range(max(2, PIXELS_A_TURN // (FRAMES * frames[0].size))):
            for frame in frames[1:]:
                begin = time.thread_time()
                registrar(frame)
                turn.append(time.thread_time() - begin)
        times.append(median(turn))
    return median(times)


if __name__ == "__main__":
    main()
