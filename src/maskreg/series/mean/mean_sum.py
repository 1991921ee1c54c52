"""The sum of the frames of a series where an earlier table has them, and what each adds to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import FrameError
from maskreg.series.before.prepared import Prepared
from maskreg.series.mean.values import Values


class MeanSum:
    """Sums and weights of either half of the frames, taken in turns, on the reference's grid.

    Parameters
    ----------
    shape : (rows, cols)

    Attributes
    ----------
    sums, weights : (2, rows, cols) float32
        Rounding is nothing beside the noise of the frames: a block of them is added up at a time.
    count : int
        How many frames came, those without a part in it too.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.sums, self.weights = (np.zeros((2, *shape), np.float32) for _ in range(2))
        self.count = 0

    def add(self, part: tuple[NDArray[np.float32], NDArray[np.float32]] | None) -> None:
        """Take in a frame on the reference's grid and its weight, or one that cannot be read any more."""
        if part is not None:
            image, weight = part
            half = self.count % 2
            self.sums[half] += np.where(weight > 0, image, 0)
            self.weights[half] += weight
        self.count += 1

    def joined(self, other: MeanSum) -> MeanSum:
        """Return the sum of this and of one whose frames come after an even number of these."""
        total = MeanSum((0, 0))
        total.sums, total.weights = self.sums + other.sums, self.weights + other.weights
        total.count = self.count + other.count
        return total


@dataclass(frozen=True)
class Contribution:
    """What a frame adds to the mean."""

    series: Prepared

    @cached_property
    def _values(self) -> Values:
        return Values(self.series)

    def __reduce__(self) -> tuple[type[Contribution], tuple[Prepared]]:
        return Contribution, (self.series,)

    def __call__(
        self, placed: tuple[int, NDArray[np.float64]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Return a frame on the reference's grid and its weight; None if it cannot be read any more."""
        try:
            known, gain = self._values.frame(*placed)
        except FrameError:
            return None
        image, valid = known.contribution()
        return image, (valid / np.float32(gain)).astype(np.float32)
