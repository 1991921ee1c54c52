"""An image whose masked mean is off, ready for sums over any overlap."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.machine.kept import Kept
from maskreg.core.machine.once import once
from maskreg.core.ncc.deviations import Deviations


@dataclass(frozen=True)
class CentredImage:
    """An image whose masked mean is off, and whose scale is a power of two near 1: nothing overflows.

    Attributes
    ----------
    values : ndarray of float32 or float64
        As given; anything where ignored.
    mask : ndarray of bool
        True = valid.
    scale, mean : float
        A pixel's deviation is its value times `scale`, less `mean`.
    energy : float
        Sum of squares of the deviations.
    kept : Kept
        What was computed of this image as reference; of moving, what its mask and the reference alone decide.
    kept_of_masks : Kept
        Of moving: what both masks alone decide.
    """

    values: NDArray[Any]
    mask: NDArray[np.bool_]
    scale: float
    mean: float
    energy: float
    kept: Kept = field(default_factory=Kept)
    kept_of_masks: Kept = field(default_factory=Kept)

    @classmethod
    def of(cls, pixels: NDArray[Any], mask: NDArray[np.bool_], *kept: Kept) -> CentredImage:
        """Take the masked mean off."""
        from maskreg.core.ncc.bound_kernels import deviation_energy, valid_sums

        values = exact_values(pixels)
        mask = np.ascontiguousarray(mask)
        flat, valid = values.reshape(-1), mask.reshape(-1)
        count, total, size = valid_sums(flat, valid)
        if math.isinf(size) and np.isfinite(values[mask]).all():  # only the sums overflow
            size = count * float(np.abs(values[mask]).max())
            total = count * float((values[mask] / count).sum())
        scale, mean = 1.0, 0.0
        if count and size > 0 and math.isfinite(size):
            scale = math.ldexp(1.0, -math.frexp(size / count)[1])
            mean = total * scale / count
        energy = deviation_energy(flat, valid, scale, mean)
        return cls(values, mask, scale, mean, energy, *kept)

    @once
    def unit(self) -> NDArray[np.float32]:
        """`unit_deviations` in single precision."""
        return self.unit_deviations.array(np.float32)

    @property
    def unit_deviations(self) -> Deviations:
        """The deviations, scaled so that their squares sum to 1."""
        factor = 1 / math.sqrt(self.energy) if self.energy > 0 else 0.0
        return Deviations(self.values, self.mask, self.scale, self.mean, factor)

    @property
    def ones(self) -> Deviations:
        """The mask: 1 where valid."""
        return Deviations(self.values, self.mask, scale=0, mean=-1)

    @once
    def square_norm(self) -> float:
        """Root of the sum of the fourth powers of `unit`."""
        from maskreg.core.ncc.bound_kernels import fourth_powers

        return math.sqrt(fourth_powers(self.unit.reshape(-1)))

    @once
    def deviations(self) -> NDArray[np.float64]:
        """The deviations, zero where ignored."""
        out = np.zeros(self.mask.shape)
        np.multiply(self.values, self.scale, out=out, where=self.mask)
        return np.subtract(out, self.mean, out=out, where=self.mask)


def exact_values(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the pixels in single precision, if it holds them to the last bit, else in double precision.

    Of floating-point numbers of double precision none are looked at: it seldom does.
    """
    from maskreg.core.ncc.bound_kernels import whole_numbers_in_single

    if pixels.dtype.itemsize > 2 and pixels.dtype.kind in "iu":
        out = np.empty(pixels.shape, np.float32)
        flat = np.ascontiguousarray(pixels).reshape(-1)
        if whole_numbers_in_single(flat, out.reshape(-1)):
            return out
    exact = pixels.dtype.itemsize <= 2 or pixels.dtype == np.float32
    return np.ascontiguousarray(pixels, np.float32 if exact else np.float64)
