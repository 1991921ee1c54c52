"""A frame on the grid of a nearly known reference.

Interpolation needs six pixels along each axis; three on every side of the mask would be lost by
it, and with them some per cent of what the frame knows. So where the frame is not valid it is
filled with what the mean shows there: such a pixel says nothing new, but lets its neighbours speak.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskreg.core.aligned.interpolate_frame import all_valid, interpolated
from maskreg.core.image.shifted import shifted_mask
from maskreg.geometry import nearest_lag


class KnownFrame:
    """One frame, to be interpolated at shifts near `start`.

    Parameters
    ----------
    pixels : (rows, cols) ndarray of float32
        Finite everywhere, what invalid pixels hold does not matter.
    mask : (rows, cols) ndarray of bool
        True = valid.
    start : (2,) ndarray
        Shift, px.
    """

    def __init__(
        self, pixels: NDArray[np.float32], mask: NDArray[np.bool_], start: NDArray[np.float64]
    ) -> None:
        self.pixels = np.where(mask, pixels, np.float32(0))
        self.mask = mask
        self.start = start

    def contribution(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the frame at `start`, and where all that it was made of is valid."""
        return interpolated(self.pixels, self.start), all_valid(self.mask, self.start)

    def filled(self, mean: NDArray[np.float32], gain: float) -> FilledFrame:
        """Return the frame, filled with the mean (finite everywhere) over the gain."""
        behind = interpolated(mean, -self.start) / np.float32(gain)
        usable = shifted_mask(self.mask, nearest_lag(self.start), self.mask.shape)
        return FilledFrame(np.where(self.mask, self.pixels, behind), usable)


class FilledFrame:
    """A filled frame; called with a shift it returns the frame there, and where it may be used.

    That set of pixels is the same for all shifts, or it would hop from step to step.
    """

    def __init__(self, pixels: NDArray[np.float32], usable: NDArray[np.bool_]) -> None:
        self._pixels = pixels
        self._usable = usable

    def __call__(self, shift: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the frame interpolated at a shift, px, and its usable pixels."""
        return interpolated(self._pixels, shift), self._usable
