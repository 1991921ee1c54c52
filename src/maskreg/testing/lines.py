"""Stripes: a pattern that fixes the shift across them and says nothing along them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskreg.testing.scene import Scene

_WAVES = 16
_HIGHEST = 0.20
"""Highest frequency across the stripes, cycles/px."""


class Lines(Scene):
    """Irregular stripes, the same everywhere along one direction.

    Across the stripes they are a sum of plane waves. A plane wave over a square pixel is the
    wave times two sincs, and it separates into rows and columns: each frame is one product of a
    (rows, waves) and a (waves, columns) matrix, exact.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns, px.
    seed : int
        Draws the waves.
    angle : float
        Of the direction *across* the stripes, radians from the row axis towards the column
        axis. 0 makes horizontal stripes, which fix the row shift only.
    contrast : float
        Greatest excursion from the mean, over the mean; at most 1.
    """

    def __init__(
        self, shape: tuple[int, int] = (256, 256), seed: int = 3, *, angle: float = 0.0, contrast: float = 0.8
    ) -> None:
        super().__init__(shape)
        rng = np.random.default_rng(seed)
        frequency = rng.uniform(1.0 / min(self.shape), _HIGHEST, _WAVES)
        self.across = (float(np.cos(angle)), float(np.sin(angle)))
        """Unit vector (row, column) along which the pattern varies."""
        self._waves = (frequency * self.across[0], frequency * self.across[1])
        pixel = np.sinc(self._waves[0]) * np.sinc(self._waves[1])
        phases = np.exp(2j * np.pi * rng.uniform(size=_WAVES))
        # the sum of the moduli bounds the excursion, wherever the frame is cut out
        self._weights = contrast * pixel * phases / _WAVES

    def _intensity(self, row: float, column: float) -> NDArray[np.float64]:
        y = np.arange(self.shape[0])[:, None] - row
        x = np.arange(self.shape[1])[:, None] - column
        along_rows = np.exp(2j * np.pi * y * self._waves[0]) * self._weights
        along_columns = np.exp(2j * np.pi * x * self._waves[1])
        return 1.0 + np.asarray((along_rows @ along_columns.T).real)
