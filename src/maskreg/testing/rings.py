"""Powder rings around a bright centre, as in electron diffraction of polycrystals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskreg.testing.radial import RadialScene

_DESIGN_SIZE = 256.0
"""Frame size for which the lengths below are given, px; radii grow with the frame, widths do not."""

_RADII = np.array([45.0, 64.0, 78.0, 90.0, 101.0, 110.0, 127.0, 135.0, 142.0])
_WIDTHS = np.array([1.8, 1.8, 1.9, 2.0, 2.0, 2.1, 2.2, 2.3, 2.3])
_HEIGHTS = np.array([6.0, 4.0, 5.0, 1.5, 3.0, 1.2, 1.5, 1.0, 0.8])


class Rings(RadialScene):
    """Nine narrow rings, a gentle background and the halo of the direct beam.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns, px. Radii scale with the shorter side.
    seed : int
        Draws the centre (within a pixel of 0.48 and 0.53 of the sides) and the ring heights.
    expansion : float
        Factor on the radii of the rings alone, about the centre: a lattice that shrinks (or
        grows) after the pump, which is no drift.
    """

    def __init__(self, shape: tuple[int, int] = (256, 256), seed: int = 0, *, expansion: float = 1.0) -> None:
        scale = min(shape) / _DESIGN_SIZE
        centre, heights = _draw(shape, seed)

        def profile(r: NDArray[np.float64]) -> NDArray[np.float64]:
            background = (
                0.15 + 4.0 * _soft_exponential(r, 40.0 * scale) + np.exp(-((r / (120.0 * scale)) ** 2))
            )
            halo = 150.0 * np.exp(-0.5 * (r / (6.0 * scale)) ** 2)
            return background + halo + _ring_sum(r, scale * expansion, heights)

        super().__init__(shape, centre, profile)


class DiffuseRings(RadialScene):
    """The same rings on a diffuse background that is 20 times the strongest of them.

    The hard case of the place within a broad peak: the background, exp(-r / 50 px), carries
    most of the variance and hardly any of the position.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns, px. Radii and the length of the background scale with the shorter side.
    seed : int
        Draws the centre and the ring heights, as in `Rings`.
    background : float
        Height of the background at the centre over that of the strongest ring.
    """

    def __init__(
        self, shape: tuple[int, int] = (256, 256), seed: int = 0, *, background: float = 20.0
    ) -> None:
        scale = min(shape) / _DESIGN_SIZE
        centre, heights = _draw(shape, seed)
        strength = background * float(heights.max())

        def profile(r: NDArray[np.float64]) -> NDArray[np.float64]:
            return strength * _soft_exponential(r, 50.0 * scale) + _ring_sum(r, scale, heights)

        super().__init__(shape, centre, profile)


def _draw(shape: tuple[int, int], seed: int) -> tuple[tuple[float, float], NDArray[np.float64]]:
    """Return the centre (px) and the heights of the rings that belong to `seed`."""
    rng = np.random.default_rng(seed)
    row, column = rng.uniform(-1.0, 1.0, 2)
    heights = _HEIGHTS * rng.uniform(0.8, 1.2, _HEIGHTS.size)
    return (0.48 * shape[0] + row, 0.53 * shape[1] + column), heights


def _ring_sum(r: NDArray[np.float64], scale: float, heights: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.zeros_like(r)
    for radius, width, height in zip(_RADII * scale, _WIDTHS, heights, strict=True):
        total += height * np.exp(-0.5 * ((r - radius) / width) ** 2)
    return total


def _soft_exponential(r: NDArray[np.float64], length: float) -> NDArray[np.float64]:
    """Return exp(-r / length), its cusp at r = 0 rounded off within 3 px (pixels need it smooth)."""
    core = 3.0
    return np.exp((core - np.hypot(r, core)) / length)
