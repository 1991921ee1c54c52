"""An image made ready: stabilised, mean off, float32, with its pyramid computed when asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.pyramid import LevelImage, binned
from maskreg.core.stabilise import Detector


class Prepared:
    """One image, as the search and the refinement want it.

    Parameters
    ----------
    pixels : ndarray
        Checked (`maskreg.core.images`).
    mask : ndarray of bool
    detector : Detector

    Attributes
    ----------
    raw : ndarray
        As given.
    pixels : ndarray of float32
        Stabilised, masked mean off, zero where ignored; for data that are not counts also scaled
        to unit variance.
    mean, scale : float
        What was taken off, and by what the values were divided before.
    """

    def __init__(self, pixels: NDArray[Any], mask: NDArray[np.bool_], detector: Detector) -> None:
        self.raw = pixels
        self.mask = mask
        self.detector = detector
        values = np.where(mask, pixels, 0).astype(np.float64) if pixels.dtype.kind == "f" else pixels
        stabilised = detector.stabilised(values)
        valid = stabilised[mask]
        self.mean, self.scale = _mean_and_scale(valid, counts=detector.counts)
        # the mean is off before float32 is all there is: 60000 +/- 5 keeps its digits
        self.pixels = np.where(mask, (stabilised / self.scale - self.mean), 0.0).astype(np.float32)
        self._levels: dict[int, LevelImage] = {}

    @property
    def flat(self) -> bool:
        """Whether the valid pixels have no variance, or there are none."""
        values = self.raw[self.mask]
        return values.size == 0 or bool((values == values.flat[0]).all())

    def level(self, b: int) -> LevelImage:
        """Return the image binned by `b`."""
        if b not in self._levels:
            self._levels[b] = LevelImage(*binned(self.pixels, self.mask, b))
        return self._levels[b]


def _mean_and_scale(values: NDArray[np.float64], *, counts: bool) -> tuple[float, float]:
    """Return the mean in units of the scale, and the scale (1 for counts, whose noise is 1)."""
    if values.size == 0:
        return 0.0, 1.0
    if counts:
        return float(values.mean()), 1.0
    largest = float(np.abs(values).max()) or 1.0
    relative = values / largest
    spread = float(relative.std()) or 1.0
    return float(relative.mean() / spread), largest * spread
