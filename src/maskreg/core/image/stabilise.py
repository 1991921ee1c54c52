"""Make the noise the same everywhere, so that every pixel counts by what it knows.

Counts of electrons have a variance equal to their mean. The square root
g(e) = 2 sqrt(e + 3/8 + read_noise^2) of e electrons has unit noise from a few electrons on
(Anscombe, Biometrika 35, 246, 1948; with Gaussian read noise: Murtagh, Starck and Bijaoui,
A&A Suppl. 112, 179, 1995).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.special
from numpy.typing import NDArray

from maskreg.options import Options

LEAST_NOISE = 0.25
"""Noise is not evened out below this variance: a single electron must not tower over the rest."""


@dataclass(frozen=True)
class Detector:
    """How grey values become electrons, and what noise they carry.

    Attributes
    ----------
    counts : bool
        Whether values count electrons; otherwise they are taken as equally noisy everywhere.
    gain, offset, read_noise : float
        Electrons per count, pedestal in counts, read noise in electrons.
    """

    counts: bool
    gain: float = 1.0
    offset: float = 0.0
    read_noise: float = 0.0

    @property
    def pad(self) -> float:
        """What is added to the electrons under the root."""
        return 0.375 + self.read_noise**2

    def electrons(self, pixels: NDArray[Any]) -> NDArray[np.float64]:
        """Return the electrons that the values stand for."""
        return np.asarray((pixels.astype(np.float64) - self.offset) * self.gain)

    def stabilised(self, pixels: NDArray[Any]) -> NDArray[np.float64]:
        """Return values of equal noise (unit noise for counts), same shape."""
        if not self.counts:
            return pixels.astype(np.float64)
        return 2.0 * np.sqrt(np.maximum(self.electrons(pixels) + self.pad, 0.0))

    def unstabilised(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the counts that have these stabilised values, same shape."""
        electrons = np.square(np.maximum(values, 0) / 2) - self.pad
        return np.asarray(electrons / self.gain + self.offset, np.float32)

    def noise_variance(self, local: NDArray[Any]) -> NDArray[np.float64]:
        """Return the variance of the noise of stabilised counts whose local mean is `local`.

        One from a few electrons on; less below, where most pixels hold nothing.
        """
        means, variances = self.noise_table
        return np.asarray(np.interp(local, means, variances))

    @cached_property
    def noise_table(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ascending means, and variances, of the stabilised value of Poisson counts with read noise."""
        means = np.concatenate([[1e-4], np.geomspace(1e-3, 30.0, 60)])
        counts = np.arange(int(means[-1] + 10 * np.sqrt(means[-1]) + 10))
        nodes, weights = np.polynomial.hermite_e.hermegauss(61 if self.read_noise else 1)
        stabilised = 2 * np.sqrt(np.maximum(counts[:, None] + self.read_noise * nodes + self.pad, 0)).ravel()
        chance = np.multiply.outer(poisson(counts, means[:, None]), weights / weights.sum())
        chance = chance.reshape(len(means), -1)
        centres = chance @ stabilised
        return centres, (chance * (stabilised - centres[:, None]) ** 2).sum(axis=1)

    @property
    def least_noise(self) -> float:
        """Noise is not evened out below this variance."""
        return LEAST_NOISE

    def least_step(self, dtype: np.dtype[Any], typical_value: float | None) -> float:
        """Return the typical step between neighbouring integer values, in stabilised units.

        Zero for data that are not integers, or where nothing is valid.
        """
        if dtype.kind not in "ui" or typical_value is None:
            return 0.0
        if not self.counts:
            return 1.0
        typical = np.array([typical_value])
        return float((self.stabilised(typical + 1) - self.stabilised(typical))[0])


def poisson(counts: NDArray[np.int_], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of each count; the statistics of SciPy take half a second to import."""
    return np.asarray(np.exp(counts * np.log(mean) - mean - scipy.special.gammaln(counts + 1)))


def detector_for(options: Options, images: list[tuple[NDArray[Any], NDArray[np.bool_]]]) -> Detector:
    """Return the detector model that the options name, or that the images allow.

    Non-negative integers are taken as counts of electrons, other data as equally noisy everywhere.
    """
    if options.gain is not None or options.offset is not None or options.read_noise is not None:
        return Detector(True, options.gain or 1.0, options.offset or 0.0, options.read_noise or 0.0)
    return Detector(all(_may_count(pixels, mask) for pixels, mask in images))


def _may_count(pixels: NDArray[Any], mask: NDArray[np.bool_]) -> bool:
    if pixels.dtype.kind != "i":
        return pixels.dtype.kind == "u"
    return not mask.any() or int(pixels[mask].min()) >= 0
