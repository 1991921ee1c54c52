"""From errors to figures, each with what chance leaves open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.cells import GROSS
from benchmarks.accuracy.pairs import Outcomes

RESAMPLES = 2000

_nan = float("nan")


@dataclass(frozen=True)
class Summary:
    """The figures of a cell.

    Attributes
    ----------
    pairs : int
    rmse, rmse_upper : float
        Root mean square of error over bound, all axes and trusted answers; upper 95 % limit.
    adjusted, adjusted_error : float
        The same with what the efficient estimate shows of chance taken off, and its standard
        error; NaN where that estimate is not known.
    z, z_low, z_high : float
        Spread (root mean square) of the whitened errors; its 95 % interval.
    bias : (ndim,) float64
        Mean error over its standard error.
    flagged : float
        Part of the pairs whose status is not ok.
    gross_ok : int
        Trusted answers that are grossly wrong.
    gross : int
        Pairs without an answer near the truth, flagged or not.
    """

    pairs: int
    rmse: float
    rmse_upper: float
    adjusted: float
    adjusted_error: float
    z: float
    z_low: float
    z_high: float
    bias: NDArray[np.float64]
    flagged: float
    gross_ok: int
    gross: int


def summarise(outcomes: Outcomes) -> Summary:
    """Return the figures; RMSE, z and bias are those of the trusted answers."""
    ok = outcomes.ok
    right = near(outcomes)
    counts = (float(np.mean(~ok)), int(np.sum(ok & ~right)), int(np.sum(~right)))
    if ok.sum() < 2:
        return Summary(len(ok), *[_nan] * 7, np.full(2, _nan), *counts)
    error = outcomes.error[ok]
    variance = np.diagonal(outcomes.bound[ok], axis1=1, axis2=2)
    ratio = np.mean(error**2 / variance, axis=1)
    z2 = np.mean(whitened(error, outcomes.covariance[ok]) ** 2, axis=1)
    bias = error.mean(axis=0) / (error.std(axis=0, ddof=1) / np.sqrt(len(error)))
    return Summary(
        len(ok),
        float(np.sqrt(ratio.mean())),
        float(np.sqrt(resampled(ratio, np.mean, [0.95])[0])),
        *_adjusted(ratio, np.mean(outcomes.efficient[ok] ** 2, axis=1)),
        float(np.sqrt(z2.mean())),
        *(float(np.sqrt(limit)) for limit in resampled(z2, np.mean, [0.025, 0.975])),
        bias,
        *counts,
    )


def _adjusted(ratio: NDArray[np.float64], chance: NDArray[np.float64]) -> tuple[float, float]:
    """Return the root mean `ratio` with `chance` (of mean one) as a control variate, and its error."""
    variance = np.var(chance)
    if not variance > 0:
        return _nan, _nan
    slope = np.mean((ratio - ratio.mean()) * (chance - chance.mean())) / variance
    left = ratio - slope * (chance - 1.0)
    rmse = float(np.sqrt(max(left.mean(), 0.0)))
    return rmse, float(left.std(ddof=2) / np.sqrt(left.size) / (2 * rmse))


def near(outcomes: Outcomes) -> NDArray[np.bool_]:
    """Return which answers are no gross failures, (n,); no answer is one."""
    return np.asarray((np.abs(outcomes.error) <= GROSS).all(axis=1))


def whitened(error: NDArray[np.float64], covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, ndim) errors in units of their full covariance: independent and of unit spread."""
    if not np.isfinite(covariance).all():
        return np.full(error.shape, np.nan)
    return np.linalg.solve(np.linalg.cholesky(covariance), error[..., None])[..., 0]


def resampled(
    values: NDArray[np.float64],
    figure: Callable[..., NDArray[np.float64]],
    quantiles: list[float],
) -> NDArray[np.float64]:
    """Return quantiles of a figure over bootstrap samples of the pairs (rows of `values`).

    `figure` takes (samples, n, ...) and an ``axis``.
    """
    rng = np.random.default_rng(0)
    n = len(values)
    found = [figure(values[rng.integers(n, size=(100, n))], axis=1) for _ in range(RESAMPLES // 100)]
    return np.quantile(np.concatenate(found), quantiles, axis=0)


@dataclass(frozen=True)
class Locking:
    """How the error depends on the fractional shift.

    Attributes
    ----------
    amplitudes : (2,) float64
        Of the first two harmonics, px.
    standard_error : float
        Of an amplitude, px; pure noise shows about 1.25 times this.
    """

    amplitudes: NDArray[np.float64]
    standard_error: float


def locking(outcomes: Outcomes) -> Locking:
    """Return the amplitudes of the error over the fraction of its own axis's shift.

    Least squares, every pair weighted by its bound; both axes count as samples of one curve.
    """
    ok = outcomes.ok
    variance = np.diagonal(outcomes.bound[ok], axis1=1, axis2=2).ravel()
    error = outcomes.error[ok].ravel()
    phase = 2 * np.pi * outcomes.shift[ok].ravel()
    design = np.stack([np.ones_like(phase), *(f(k * phase) for k in (1, 2) for f in (np.sin, np.cos))])
    weighted = design / variance
    normal = weighted @ design.T
    found = np.linalg.solve(normal, weighted @ error)
    left = np.mean((error - found @ design) ** 2 / variance)
    spread = np.sqrt(left * np.mean(np.diagonal(np.linalg.inv(normal))[1:]))
    return Locking(np.hypot(found[1::2], found[2::2]), float(spread))
