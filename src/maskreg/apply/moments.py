"""Mean and variance of many images in one pass, each pixel from the frames in which it is valid.

Welford's update (Technometrics 4, 419, 1962) in float64: no large sums of squares are ever
subtracted, so 60000 +/- 5 keeps its variance. The frames come in one fixed order, so the same
series gives the same bytes whatever the workers. Two such sums are joined by the pairwise formula of
Chan, Golub and LeVeque (American Statistician 37, 242, 1983).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Moments:
    """Count, mean and variance of each pixel so far.

    Parameters
    ----------
    shape : (rows, cols)
        Of the images.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.count = np.zeros(shape, np.uint32)
        self._mean = np.zeros(shape)
        self._squares = np.zeros(shape)
        """Sum of squared distances from the mean."""

    def add(self, image: NDArray[Any], valid: NDArray[np.bool_]) -> None:
        """Take in an image where it is `valid`."""
        self.count += valid
        away = np.where(valid, image, self._mean) - self._mean
        step = away / np.maximum(self.count, 1)
        self._mean += step
        self._squares += away * (away - step)

    def joined(self, other: Moments) -> Moments:
        """Return the moments of these images and of others."""
        both = Moments((0, 0))
        both.count = self.count + other.count
        part = other.count / np.maximum(both.count, 1)
        away = other._mean - self._mean
        both._mean = self._mean + away * part
        both._squares = self._squares + other._squares + away * away * (self.count * part)
        return both

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the sums so far."""
        return {"count": self.count, "mean": self._mean, "squares": self._squares}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `arrays` returned."""
        self.count, self._mean, self._squares = arrays["count"], arrays["mean"], arrays["squares"]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of the valid values; NaN where there was none."""
        return np.where(self.count > 0, self._mean, np.nan)

    @property
    def variance(self) -> NDArray[np.float64]:
        """Variance of the frames (divided by n - 1); NaN where fewer than two were valid."""
        return np.where(self.count > 1, self._squares / np.maximum(self.count - 1.0, 1), np.nan)

    @property
    def standard_error(self) -> NDArray[np.float64]:
        """Standard error of the mean, sqrt(variance / n); NaN where fewer than two were valid."""
        return np.asarray(np.sqrt(self.variance / np.maximum(self.count, 1)))
