"""A lattice of sharp spots, as in electron diffraction of single crystals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from maskreg.testing.scene import Scene

_DESIGN_SIZE = 256.0
_BASIS = np.array([[27.3, 6.1], [-5.2, 29.7]])
"""Lattice vectors (row, column), px in a frame of the design size."""


class Spots(Scene):
    """Gaussian spots on a lattice, the direct beam and a broad diffuse background.

    A Gaussian over a rectangular pixel is a product of two differences of error functions, so
    each frame is one product of a (rows, spots) and a (spots, columns) matrix: exact and fast.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns, px. The lattice scales with the shorter side.
    seed : int
        Draws the strengths of the spots.
    width : float
        Sigma of a spot, px.
    fading : float
        Part of their strength that one spot in five has lost, drawn with the seed: what a pump
        does to single reflections, and no drift.
    """

    def __init__(
        self,
        shape: tuple[int, int] = (256, 256),
        seed: int = 1,
        *,
        width: float = 1.6,
        fading: float = 0.0,
    ) -> None:
        super().__init__(shape)
        scale = min(self.shape) / _DESIGN_SIZE
        rng = np.random.default_rng(seed)
        offsets = _lattice(scale, reach=1.1 * max(self.shape))
        envelope = 30.0 * np.exp(-0.5 * np.sum(offsets**2, axis=1) / (75.0 * scale) ** 2)
        heights = envelope * rng.uniform(0.3, 1.7, len(offsets))
        heights *= np.where(rng.uniform(size=len(offsets)) < 0.2, 1.0 - fading, 1.0)
        centre = np.array([0.49 * self.shape[0] + 0.11, 0.52 * self.shape[1] + 0.43])
        # the spots, then the direct beam, then the diffuse background, all of them Gaussians
        self._places = centre + np.concatenate([offsets, np.zeros((2, 2))])
        self._heights = np.concatenate([heights, [1500.0, 2.0]])
        self._widths = np.concatenate([np.full(len(offsets) + 1, width), [45.0 * scale]])
        self._floor = 0.15

    def _intensity(self, row: float, column: float) -> NDArray[np.float64]:
        along_rows = _pixel_gaussians(self.shape[0], self._places[:, 0] + row, self._widths)
        along_columns = _pixel_gaussians(self.shape[1], self._places[:, 1] + column, self._widths)
        image: NDArray[np.float64] = (along_rows * self._heights) @ along_columns.T
        return image + self._floor


def _lattice(scale: float, reach: float) -> NDArray[np.float64]:
    """Return the lattice points within `reach` px of the origin, which is left out: (n, 2) px."""
    order = int(np.ceil(reach / (25.0 * scale)))
    indices = np.stack(np.meshgrid(*[np.arange(-order, order + 1)] * 2, indexing="ij"), axis=-1).reshape(
        -1, 2
    )
    points: NDArray[np.float64] = indices @ (_BASIS * scale)
    distance = np.hypot(points[:, 0], points[:, 1])
    return points[(distance > 0.0) & (distance < reach)]


def _pixel_gaussians(
    length: int, places: NDArray[np.float64], widths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (length, n): integral over each pixel of each Gaussian of height 1 along one axis."""
    edges = np.arange(length + 1) - 0.5
    primitive = erf((edges[:, None] - places) / (np.sqrt(2.0) * widths))
    primitive *= np.sqrt(np.pi / 2.0) * widths
    return np.diff(primitive, axis=0)
