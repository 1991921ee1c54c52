"""What is left of a refined pair of images: reference less moving, where both are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.interpolate import lagrange_taps
from maskreg.core.image.shifted import shifted_block
from maskreg.core.subpixel.template import Template


@dataclass(frozen=True)
class Residual:
    """A refined pair.

    Attributes
    ----------
    template : Template
        Of the reference.
    moving : ndarray of float32
        Stabilised.
    usable : ndarray of bool
        Pixels of moving at which it may be interpolated.
    shift : (ndim,) ndarray of float64
        The refined one, px.
    lag : tuple of int
        A whole-pixel one next to it, at which the usable pixels are taken.
    gain : float
        Of moving into reference.
    """

    template: Template
    moving: NDArray[np.float32]
    usable: NDArray[np.bool_]
    shift: NDArray[np.float64]
    lag: tuple[int, ...]
    gain: float

    def over(self, block: tuple[slice, ...]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the residual over a block of the reference, and at which of its pixels it is known."""
        values, inside = interpolated(self.moving, block, self.shift)
        common = self.template.mask[block] & shifted_block(self.usable, self.lag, block) & inside
        return self.template.pixels[block] - np.float32(self.gain) * values, common


def interpolated(
    image: NDArray[np.float32] | NDArray[np.bool_], block: tuple[slice, ...], shift: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return image(x - shift) for the places x of a block, and where no tap is beyond the border."""
    places = [lagrange_taps(-float(s)) for s in shift]
    lengths = [part.stop - part.start for part in block]
    wanted = [
        np.arange(part.start + first, part.stop + first + len(taps) - 1)
        for part, (first, taps) in zip(block, places, strict=True)
    ]
    values = image[np.ix_(*(np.clip(w, 0, n - 1) for w, n in zip(wanted, image.shape, strict=True)))]
    inside = np.ones(lengths, bool)
    for axis, (n, (_, taps)) in enumerate(zip(lengths, places, strict=True)):
        moved = np.moveaxis(values, axis, 0)
        total = np.float32(taps[0]) * moved[:n]
        for k in range(1, len(taps)):
            total += np.float32(taps[k]) * moved[k : k + n]
        values = np.moveaxis(total, 0, axis)
        ok = (wanted[axis][:n] >= 0) & (wanted[axis][len(taps) - 1 :] < image.shape[axis])
        np.moveaxis(inside, axis, -1)[..., ~ok] = False
    return values, inside
