"""From expected electrons to the counts that a camera writes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from maskreg.errors import InputError


@dataclass(frozen=True)
class Detector:
    """A linear camera: counting noise, read noise, gain, pedestal, saturation, rounding.

    counts = offset + (Poisson(electrons) + read_noise * normal) / gain

    Attributes
    ----------
    gain : float
        Electrons per count.
    offset : float
        Pedestal, counts.
    read_noise : float
        Standard deviation of the read noise, electrons.
    saturation : float, optional
        Greatest count; none by default. Integers are also kept within the range of their type.
    dtype : dtype
        Of the frames; integers are rounded, floats are not.
    """

    gain: float = 1.0
    offset: float = 0.0
    read_noise: float = 0.0
    saturation: float | None = None
    dtype: DTypeLike = np.float64

    def __post_init__(self) -> None:
        if not self.gain > 0:
            raise InputError(f"gain is {self.gain}; it must be a positive number of electrons per count")
        if not self.read_noise >= 0:
            raise InputError(f"read_noise is {self.read_noise}; it must be zero or more electrons")

    def expose(self, electrons: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.generic]:
        """Return one noisy frame.

        Parameters
        ----------
        electrons : float64
            Expected electrons in each pixel, zero or more.
        rng : numpy.random.Generator
            Draws the noise.

        Returns
        -------
        array of `dtype`
            Counts, of the shape of `electrons`.
        """
        counts = rng.poisson(electrons).astype(np.float64)
        if self.read_noise > 0:
            # float32 suffices for read noise and takes half the time
            counts += self.read_noise * rng.standard_normal(counts.shape, dtype=np.float32)
        counts /= self.gain
        counts += self.offset
        return self._digitised(counts)

    def _digitised(self, counts: NDArray[np.float64]) -> NDArray[np.generic]:
        dtype = np.dtype(self.dtype)
        if self.saturation is not None:
            np.minimum(counts, self.saturation, out=counts)
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            np.clip(np.rint(counts, out=counts), limits.min, limits.max, out=counts)
        return counts.astype(dtype)
