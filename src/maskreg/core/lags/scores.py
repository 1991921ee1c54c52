"""From the sums of every lag to its NCC and its z, and the chance level that is read off all z."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskreg.core.lags.correlate import TRUSTED_ROUNDING, ReferenceTerms, lag_map
from maskreg.core.lags.maxima import MOST_CANDIDATES, likeliest_maxima
from maskreg.core.lags.search_kernels import level_scores_2d, median_and_deviation
from maskreg.core.lags.spectra import Spectra, correlations, transformed_pair
from maskreg.core.likelihood import FEWEST_PIXELS, fisher_z, likelihood

SPREAD_OF_MAD = 1.4826
"""Standard deviation of a Gaussian of unit median absolute deviation."""

HUBER = 1.345
"""Errors of more spreads than this count less in robust fits: 95 % of the information of Gaussian ones is
kept (P. Huber, *Robust Statistics*, 1981)."""

LEAST_SPREAD = 0.5
"""The spread of z is 1 for white images and more for others; it is not believed below this.

That is where masks or caps leave hardly any lag: then the theory is believed, not the few."""


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


class LevelScores(NamedTuple):
    """What the transforms say of every lag, and what stands out."""

    ncc: NDArray[Any]
    """NaN where forbidden or not trusted."""
    score: NDArray[Any]
    """Significance: z less its median, over its spread; NaN where NCC is."""
    searched: NDArray[np.bool_]
    """Lags that may be chosen."""
    number: int
    """How many these are,"""
    counted: int
    """and how many the chance level is read off."""
    possible: float
    """As in `Scores`."""
    greatest: float
    """The greatest likelihood of a lag that may be chosen; -inf if there is none."""
    peaks: list[tuple[int, ...]]
    """Indices of the likeliest local maxima, as `lags.maxima.likeliest_maxima` has them."""


class Judged(NamedTuple):
    """Of which lags what is wanted."""

    least: float
    """Lags of less overlap do not matter if they are hidden."""
    floor: float
    """eps of the likelihood, which caps z."""
    allowed: NDArray[np.bool_]
    """Lags that may be chosen if their NCC is known."""
    counted: NDArray[np.bool_]
    """Lags that the chance level is read off."""
    lags: tuple[NDArray[np.intp], ...]
    """Consecutive, ascending."""


def level_scores(terms: ReferenceTerms, padded: NDArray[Any], energy: float, judged: Judged) -> LevelScores:
    """Return the scores of every lag.

    Parameters
    ----------
    terms : ReferenceTerms
    padded : (2, ...) ndarray
        The moving image and its square in the window of the transforms.
    energy : float
        Sum of the square.
    judged : Judged
    """
    spectra = transformed_pair(padded, terms.moving_shape)
    if padded.ndim != 3 or padded.dtype != np.float32:
        return plain_level_scores(terms, spectra, energy, judged)
    sums = correlations(terms.spectra, spectra, terms.window)
    ncc, score, searched, number, counted, possible, greatest, rows, columns = level_scores_2d(
        *sums, terms.overlap, terms.reference_sum, terms.reference_energy, terms.moving_shape,
        (terms.spectra.energy, energy), terms.rounding, TRUSTED_ROUNDING, FEWEST_PIXELS, judged.least,
        judged.floor, judged.allowed, judged.counted, SPREAD_OF_MAD, LEAST_SPREAD,
        int(judged.lags[0][0]), int(judged.lags[1][0]), MOST_CANDIDATES,
    )  # fmt: skip
    peaks: list[tuple[int, ...]] = list(zip(rows.tolist(), columns.tolist(), strict=True))
    return LevelScores(ncc, score, searched, number, counted, possible, greatest, peaks)


def plain_level_scores(
    terms: ReferenceTerms, spectra: NDArray[Any], energy: float, judged: Judged
) -> LevelScores:
    """Return what `level_scores` does, for any number of axes and precision."""
    scored = plain_scores(terms, spectra, energy, judged.floor, judged.least)
    median, spread, count = plain_chance_level(scored.z, judged.counted)
    score = (scored.z - median) / max(spread, LEAST_SPREAD)
    searched = judged.allowed & ~np.isnan(scored.ncc)
    peaks = likeliest_maxima(scored.ncc, terms.overlap, searched, judged.floor, judged.lags)
    greatest = (
        float(likelihood(scored.ncc[peaks[0]], terms.overlap[peaks[0]], judged.floor)) if peaks else -np.inf
    )
    number = int(np.count_nonzero(searched))
    return LevelScores(scored.ncc, score, searched, number, count, scored.possible, greatest, peaks)


def plain_scores(
    terms: ReferenceTerms,
    spectra: NDArray[Any],
    energy: float,
    floor: float,
    least: float,
) -> Scores:
    """Return what the transforms say, for any number of axes and precision.

    Of lags that are not trusted it supposes the worst.
    """
    found = lag_map(terms, Spectra(spectra[0], spectra[1], terms.moving_mask_spectrum, energy))
    hidden = found.untrusted & (found.overlap >= least)
    possible = float(likelihood(1.0, found.overlap[hidden].max(), floor)) if hidden.any() else -np.inf
    return Scores(found.ncc, fisher_z(found.ncc, found.overlap, floor), possible)


def chance_level(z: NDArray[np.float32], counted: NDArray[np.bool_]) -> tuple[float, float, int]:
    """Return median and spread of the known z of two axes that count, and how many these are; 0 without any.

    The lower median, and 1.4826 times the lower median of the absolute deviations from it.
    """
    median, deviation, count = median_and_deviation(z, counted)
    return float(median), SPREAD_OF_MAD * float(deviation), int(count)


def plain_chance_level(z: NDArray[Any], counted: NDArray[np.bool_]) -> tuple[float, float, int]:
    """Return what `chance_level` does, for any number of axes and precision."""
    values = z[counted & ~np.isnan(z)]
    if values.size == 0:
        return 0.0, 0.0, 0
    middle = (values.size - 1) // 2
    median = np.partition(values, middle)[middle]
    deviation = np.partition(np.abs(values - median), middle)[middle]
    return float(median), SPREAD_OF_MAD * float(deviation), values.size
