"""From the sums of every lag to its NCC and its z, and the chance level that is read off all z."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.correlate import TRUSTED_ROUNDING, ReferenceTerms, lag_map
from maskreg.core.likelihood import FEWEST_PIXELS, fisher_z, likelihood
from maskreg.core.spectra import Spectra, correlations, transformed_pair

SPREAD_OF_MAD = 1.4826
"""Standard deviation of a Gaussian of unit median absolute deviation."""


@dataclass(frozen=True)
class Scores:
    """What the transforms say of every lag.

    Attributes
    ----------
    ncc, z : ndarray
        NaN where forbidden or not trusted (`maskreg.core.likelihood.fisher_z`).
    possible : float
        Greatest likelihood that lags of enough overlap might have whose value is not trusted; -inf if
        there is none.
    """

    ncc: NDArray[Any]
    z: NDArray[Any]
    possible: float


def scores(terms: ReferenceTerms, padded: NDArray[Any], energy: float, floor: float, least: float) -> Scores:
    """Return the scores of every lag.

    Parameters
    ----------
    terms : ReferenceTerms
    padded : (2, ...) ndarray
        The moving image and its square in the window of the transforms.
    energy : float
        Sum of the square.
    floor : float
        eps of the likelihood, which caps z.
    least : float
        Lags of less overlap do not matter if they are hidden.
    """
    spectra = transformed_pair(padded, terms.moving_shape)
    if padded.ndim != 3 or padded.dtype != np.float32:
        return plain_scores(terms, spectra, energy, floor, least)
    from maskreg.core.search_kernels import lag_values_2d

    sums = correlations(terms.spectra, spectra, terms.window)
    return Scores(
        *lag_values_2d(
            *sums, terms.overlap, terms.reference_sum, terms.reference_energy, terms.moving_shape,
            (terms.spectra.energy, energy), terms.rounding, TRUSTED_ROUNDING, FEWEST_PIXELS, least, floor,
        )
    )  # fmt: skip


def plain_scores(
    terms: ReferenceTerms,
    spectra: tuple[NDArray[Any], NDArray[Any]],
    energy: float,
    floor: float,
    least: float,
) -> Scores:
    """Return what `scores` does, for any number of axes and precision.

    Of lags that are not trusted it supposes the worst.
    """
    found = lag_map(terms, Spectra(*spectra, terms.moving_mask_spectrum, energy))
    hidden = found.untrusted & (found.overlap >= least)
    possible = float(likelihood(1.0, found.overlap[hidden].max(), floor)) if hidden.any() else -np.inf
    return Scores(found.ncc, fisher_z(found.ncc, found.overlap, floor), possible)


def chance_level(z: NDArray[Any], counted: NDArray[np.bool_]) -> tuple[float, float, int]:
    """Return median and spread of the known z that count, and how many these are; 0 without any.

    The lower median, and 1.4826 times the lower median of the absolute deviations from it.
    """
    if z.ndim != 2 or z.dtype != np.float32:
        return plain_chance_level(z, counted)
    from maskreg.core.search_kernels import median_and_deviation

    median, deviation, count = median_and_deviation(z, counted)
    return float(median), SPREAD_OF_MAD * float(deviation), int(count)


def plain_chance_level(z: NDArray[Any], counted: NDArray[np.bool_]) -> tuple[float, float, int]:
    """Return what `chance_level` does, for any number of axes."""
    values = z[counted & ~np.isnan(z)]
    if values.size == 0:
        return 0.0, 0.0, 0
    middle = (values.size - 1) // 2
    median = np.partition(values, middle)[middle]
    deviation = np.partition(np.abs(values - median), middle)[middle]
    return float(median), SPREAD_OF_MAD * float(deviation), values.size
