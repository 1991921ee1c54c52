"""What white noise, and a signal, become in the fields of a template.

Each is a mean over all frequencies of what depends on |f| (the low-pass, the signal), on the frequency
along one axis (the slope) and on how well interpolation keeps it. The last two are the same for every
template: they are summed once for each of many radii, and a gain is a sum over radii.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from maskreg.core.frequencies.interpolation_error import slope_response
from maskreg.core.frequencies.low_pass import FINER, RINGS, LowPass, finer, kept_half_way, radius_of

SIDE = {1: 2**14, 2: 256, 3: 64}
"""The gains are means over so many frequencies along each of this many axes."""

RADII = FINER * RINGS[1]
"""So many radii from 0 to 0.5 cycles/px are told apart."""

POWERS = ((0, 1), (2, 1), (2, 2), (4, 2), (4, 4))
"""Of the slope along the first axis and of what interpolation keeps, for the sums that are wanted."""


@dataclass(frozen=True)
class NoiseGains:
    """What unit white noise becomes in the fields of a template.

    Attributes
    ----------
    gradient : float
        Variance of one component.
    slope : float
        Covariance of one component with that of the unfiltered noise's gradient.
    slope_spread : float
        By how much a sum of their products over N pixels scatters, divided by sqrt(N).
    gradient_spread : float
        By how much a sum of squares of one component over N pixels scatters, divided by sqrt(N).
    smooth : float
        Covariance of the low-passed with the unfiltered noise.
    """

    gradient: float
    slope: float
    slope_spread: float
    gradient_spread: float
    smooth: float


@dataclass(frozen=True)
class Promised:
    """What a signal of the forecast's spectrum, the same in all directions, gives per unit of noise.

    Attributes
    ----------
    jacobian : float
        Mean product of one component of G with that of the slope.
    energy : float
        Mean square of one component of G.
    """

    jacobian: float
    energy: float


def noise_gains(low_pass: LowPass, ndim: int) -> NoiseGains:
    """Return the gains of the filters for images of so many axes.

    The slope is taken along one axis; those along the others gain as much.
    """
    parts, h = _parts(ndim), _at_radii(low_pass.profile)
    return NoiseGains(
        gradient=float(parts[2, 2] @ h**2),
        slope=float(parts[2, 1] @ h),
        # the sum of products is a quadratic form of the noise, with the kernel slope * gradient
        slope_spread=float(np.sqrt(2 * parts[4, 2] @ h**2)),
        gradient_spread=float(np.sqrt(2 * parts[4, 4] @ h**4)),
        smooth=float(parts[0, 1] @ h),
    )


def promised(low_pass: LowPass, signal: NDArray[np.float64], ndim: int) -> Promised:
    """Return what a signal gives whose power over that of the noise is known at rings of frequencies."""
    parts, h, power = _parts(ndim), _at_radii(low_pass.profile), _at_radii(finer(signal))
    return Promised(jacobian=float(parts[2, 1] @ (h * power)), energy=float(parts[2, 2] @ (h**2 * power)))


def plain_noise_gains(low_pass: LowPass, ndim: int) -> NoiseGains:
    """Return what `noise_gains` does, from the response at every frequency."""
    along, _ = _grid(ndim)
    h = low_pass.response(_frequencies(ndim)).astype(np.float64)
    return NoiseGains(
        gradient=float((along**2 * h**2).mean()),
        slope=float((along**2 * h).mean()),
        slope_spread=float(np.sqrt(2 * (along**4 * h**2).mean())),
        gradient_spread=float(np.sqrt(2 * (along**4 * h**4).mean())),
        smooth=float(h.mean()),
    )


def _at_radii(profile: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return a function of |f|, tabulated from 0 to 0.5 cycles/px, at the middles of all radii told apart."""
    return np.asarray(profile[(2 * np.arange(RADII) + 1) * len(profile) // (2 * RADII)], np.float64)


@cache
def _parts(ndim: int) -> dict[tuple[int, int], NDArray[np.float64]]:
    """Return for each of `POWERS` how much the frequencies of each radius add to the mean."""
    along, kept = _grid(ndim)
    place = radius_of(_frequencies(ndim)) * np.float32(2 * RADII)
    at = np.minimum(place, RADII - 1).astype(np.int32).ravel()
    return {
        (p, q): np.bincount(at, (along**p * kept**q).ravel(), minlength=RADII) / at.size for p, q in POWERS
    }


def _grid(ndim: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the slope's response along the first axis, and what interpolation keeps, at every frequency."""
    frequencies = _frequencies(ndim)
    kept = np.ones(1)
    for keep in np.meshgrid(*map(kept_half_way, frequencies), indexing="ij", sparse=True):
        kept = kept * keep
    return slope_response(frequencies[0]).reshape((-1,) + (1,) * (ndim - 1)), kept


def _frequencies(ndim: int) -> list[NDArray[np.float32]]:
    """Return the middles of equal steps from 0 to 0.5 cycles/px: means over them are those over all."""
    side = SIDE[min(ndim, 3)]
    return [((np.arange(side) + 0.5) / (2 * side)).astype(np.float32)] * ndim
