"""What each order of interpolation does to noise, counts and detail (docs/explanation/applying.md).

    python -m benchmarks.orders

Frames of Poisson noise and simulated rings, moved by `maskreg.shift_image`.
"""

from __future__ import annotations

from benchmarks.machine import describe, print_table

SIZE = 256
LEVEL = 1000.0
"""Electrons per pixel of the frames of noise."""


def main() -> None:
    import numpy as np

    from maskreg import shift_image
    from maskreg.testing import Rings

    print(describe("maskreg", "numpy"))
    rng = np.random.default_rng(0)
    flat = rng.poisson(LEVEL, (SIZE, SIZE)).astype(np.float64)
    scene = Rings((SIZE, SIZE))
    rows = []
    for order in (0, 1, 3, 5):
        cells = [str(order)]
        for shift in ((0.5, 0.5), (0.25, 0.25), (0.5, 0.0)):
            moved, valid = shift_image(flat, shift, order=order)
            cells.append(f"{moved[valid].var() / flat.var():.2f}")
        moved, valid = shift_image(flat, (0.5, 0.5), order=order)
        neighbours = np.corrcoef(moved[8:-8, 8:-9].ravel(), moved[8:-8, 9:-8].ravel())[0, 1]
        cells.append(f"{neighbours:+.2f}")
        cells.append(f"{100 * (moved[valid].mean() / flat.mean() - 1):+.3f}")
        at = scene.render((0.5, 0.5))
        image, seen = shift_image(scene.render((0.0, 0.0)), (0.5, 0.5), order=order)
        outer = seen & _ring(at.shape)
        error = np.sqrt(np.mean((image - at)[outer] ** 2)) / at[outer].std()
        cells.append(f"{100 * error:.2f}")
        cells.append(str({0: 0, 1: 1, 3: 2, 5: 3}[order]))
        rows.append(cells)
    print()
    print_table(
        [
            "order",
            "var (1/2, 1/2)",
            "var (1/4, 1/4)",
            "var (1/2, 0)",
            "neighbours",
            "mean %",
            "rings off by %",
            "lost at an edge, px",
        ],
        rows,
    )


def _ring(shape):
    """Return the pixels beyond the halo of the direct beam."""
    import numpy as np

    rows, cols = np.indices(shape)
    return np.hypot(rows - 0.48 * shape[0], cols - 0.53 * shape[1]) > 30


if __name__ == "__main__":
    main()
