"""Which spatial frequencies tell where an image is: the weights of the low-pass, from the image itself.

A gradient filtered by h(f) gives, from signal of power P and white noise of variance v in either
image, the Jacobian A = sum (2 pi f)^2 h P and the noise M = sum (2 pi f)^2 h^2 (2 v P + v^2); the
covariance A^-1 M A^-1 is least for

    h = rho / (1 + 2 rho),    rho = P / v,                                                 (1)

the weights of the generalised correlator of Knapp and Carter (IEEE Trans. ASSP 24, 320, 1976). P is
taken over rings of equal |f| from the cosine transform, whose mirrored borders make no edges, and
made to fall with frequency (isotonic regression): single frequencies of a noisy image know nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from maskreg.core.frequencies.low_pass import (
    LowPass,
    cosine_frequencies,
    gaussian_low_pass,
    number_of_rings,
    radius_of,
    ring_frequencies,
    squared_frequencies,
)
from maskreg.core.frequencies.spectrum_kernels import power_in_rings

NOISE_DOUBT = 0.1
"""The variance of the noise is known to this part; the highest frequencies correct it within that."""

FAINT = 0.01
"""Signal of less than this part of the noise is not told from an error in the noise,"""

FAINT_SPREADS = 4.5
"""nor is what is less than so many standard deviations of the mean power of all frequencies."""

HIGHEST, MOST_HIGHEST = 800, 0.5
"""The mean of the highest frequencies is one of so many at least: half as well known again as the noise. Of
few in all, it is one of this part of them."""

NOISE_FROM = 0.375
"""Cycles/px."""

BLIND_WIDTH = 3.0
"""Sigma of the Gaussian, px, by which images are searched whose spectrum shows nothing but noise."""

LINEAR = 3.0
"""A low-pass is steady if it is wider than this many predicted standard deviations of the shift."""

WIDTHS = (0.0, 0.8, 1.1, 1.5, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0, 23.0, 32.0)
"""Gaussian widths to choose from, sigma in px, where the weights alone are not steady."""


@dataclass(frozen=True)
class Forecast:
    """Which low-pass refines best, and how well.

    Attributes
    ----------
    low_pass : LowPass
    sigma : float
        Predicted uncertainty of the shift along an axis, px; inf where noise is all there is.
    noise_scale : float
        By what the variance of the noise differs from what was told.
    faintest : float
        Signal over noise at the highest frequencies, no less than elsewhere beyond.
    binned : float
        The part of sigma that binning by two has added, by averaging the frequencies that are left.
    signal : (rings,) ndarray of float64
        Power of the signal over that of the noise, at the rings of the low-pass.
    """

    low_pass: LowPass
    sigma: float
    noise_scale: float
    faintest: float
    binned: float
    signal: NDArray[np.float64]

    def gaussian(self, width: float) -> Forecast:
        """Return the forecast with a Gaussian low-pass of this width instead."""
        return replace(self, low_pass=gaussian_low_pass(width))


def forecast(coefficients: NDArray[np.float32], variance: float) -> Forecast:
    """Return the low-pass of equation (1), and the variance of the shift that it promises.

    Parameters
    ----------
    coefficients : ndarray of float32
        Orthonormal cosine transform of the image, ignored pixels filled smoothly.
    variance : float
        Mean variance of the noise over all pixels, the filled ones (of no noise) included.
    """
    shape, ndim = coefficients.shape, coefficients.ndim
    rings = number_of_rings(shape)
    halves = [_ring_power(coefficients, rings, every=(k, 2)) for k in range(2)]
    number = halves[0][1] + halves[1][1]
    power = (halves[0][0] * halves[0][1] + halves[1][0] * halves[1][1]) / np.maximum(number, 1)
    floor = max(variance, 1e-12 * float(power.max(initial=0.0)), 1e-30)
    smooth = _falling(power, number)
    scale = float(np.clip(_highest(power, smooth, number) / floor, 1 - NOISE_DOUBT, 1 + NOISE_DOUBT))
    rho = _told_from_noise(smooth / (scale * floor), number)
    weights = _weights(rho)
    candidates = [LowPass(weights, w) for w in WIDTHS if w <= max(WIDTHS[1], min(shape) / 8)]
    sigmas: list[float] = []
    for c in candidates:
        sigmas.append(_predicted_sigma(c, rho, number, ndim))
        if LINEAR * sigmas[-1] < c.width:
            best = len(sigmas) - 1
            break
    else:
        best = int(np.argmin(np.array(sigmas) / [c.width for c in candidates]))
    if not np.isfinite(sigmas[best]):
        best = len(candidates) - 1
    low_pass = candidates[best] if rho.any() else gaussian_low_pass(WIDTHS[-1])
    signal = _promised_signal(weights, halves, scale * floor)
    return Forecast(
        low_pass, float(sigmas[best]), scale, float(rho[-1]), _added_by_binning(rho, number), signal
    )


def _promised_signal(
    weights: NDArray[np.float64],
    halves: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    noise: float,
) -> NDArray[np.float64]:
    """Return the signal over the noise that the weights do not owe to chance.

    Where a ring of a noisy image has by chance more power, it is given more weight, and would be promised
    more signal than it has. So half of the frequencies say the weights of the other half.
    """
    told = [_told_from_noise(_falling(p, n) / noise, n) for p, n in halves]
    seen = [p / noise - 1 - _faint(n) for p, n in halves]
    products = [_weights(rho) * other for rho, other in zip(told, reversed(seen), strict=True)]
    return np.where(weights > 0, (products[0] + products[1]) / 2 / np.maximum(weights, 1e-12), 0.0)


def search_filter(coefficients: NDArray[np.float32]) -> LowPass:
    """Return the root of the weights (1) for the search of a faint image.

    The noise is what the frequencies from `NOISE_FROM` on show: a faint image shows no more there.

    Parameters
    ----------
    coefficients : ndarray of float32
        Orthonormal cosine transform of the image, background off.
    """
    power, number = _ring_power(coefficients, number_of_rings(coefficients.shape))
    high = slice(int(2 * NOISE_FROM * len(power)), None)
    floor = max(float(np.average(power[high], weights=np.maximum(number[high], 1e-9))), 1e-30)
    rho = _told_from_noise(_falling(power, number) / floor, number)
    if not rho.any():
        return gaussian_low_pass(BLIND_WIDTH)
    return LowPass(np.sqrt(_weights(rho)), 0.0)


def part_beyond(found: LowPass, frequency: float, ndim: int) -> float:
    """Return which part of what a search filter tells lies beyond a frequency, cycles/px; 1 if blind.

    Of rho, whose weights are known, an image as noisy as the reference tells rho^2 / (1 + 2 rho) a frequency.
    """
    if found.gaussian > 0:
        return 1.0
    squares = np.minimum(found.weights**2, 1 - 1e-9)
    f = ring_frequencies(len(squares))
    told = f ** (ndim - 1) * squares**2 / (1 - squares)
    return float(told[f > frequency].sum() / told.sum())


def _weights(rho: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return twice the weights (1): one where the signal is far above the noise."""
    return np.asarray(2 * rho / (1 + 2 * rho))


def _told_from_noise(power: NDArray[np.float64], number: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the signal in a power, both in units of that of the noise."""
    return np.asarray(np.maximum(power - 1 - _faint(number), 0.0))


def _faint(number: NDArray[np.float64]) -> float:
    """Return what signal is not told from noise at so many frequencies, in units of the noise."""
    return max(FAINT, FAINT_SPREADS * float(np.sqrt(2 / max(float(number.sum()), 1))))


def known_weights(mean: NDArray[np.float32], twin: NDArray[np.float32], frames: float) -> NDArray[np.float64]:
    """Return the weights for one frame against the mean of many.

    With signal P, noise N of the mean and v of the frame, M = sum (2 pi f)^2 h^2 (P (v + N) + N v); in
    units of the frame's noise, where v = n N for a mean of n, the covariance is least for

        h = P / (P (1 + 1/n) + N).

    Parameters
    ----------
    mean, twin : ndarray of float32
        Orthonormal cosine transforms of the mean and of an image of its noise alone.
    frames : float
        n.
    """
    rings = number_of_rings(mean.shape)
    power, number = _ring_power(mean, rings)
    noise, _ = _ring_power(twin, rings)
    signal = np.maximum(_falling(power, number) - (1 + FAINT) * noise, 0.0)
    return np.asarray(signal / np.maximum(signal * (1 + 1 / frames) + noise, 1e-30))


def _ring_power(
    coefficients: NDArray[np.float32], rings: int, every: tuple[int, int] = (0, 1)
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean power of the frequencies of each ring, and their number.

    White noise of variance v has power v. Of the frequencies along the last axis, `every` (k, n) takes each
    n-th from number k on.
    """
    first, step = every
    *others, along = cosine_frequencies(coefficients.shape)
    rows, along = coefficients.reshape(-1, along.size)[:, first::step], along[first::step]
    total, number = power_in_rings(np.ascontiguousarray(rows), squared_frequencies(others), along**2, rings)
    return (
        _without_mean(coefficients, total, number) if first == 0 else (total / np.maximum(number, 1), number)
    )


def plain_ring_power(
    coefficients: NDArray[np.float32], rings: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what `_ring_power` does, by arrays."""
    place = radius_of(cosine_frequencies(coefficients.shape)) * np.float32(2 * rings)
    ring = np.minimum(place, rings - 1).astype(np.int32).ravel()
    number = np.bincount(ring, minlength=rings).astype(np.float64)
    squares = coefficients.ravel().astype(np.float64) ** 2
    total = np.bincount(ring, squares, minlength=rings).astype(np.float64)
    return _without_mean(coefficients, total, number)


def _without_mean(
    coefficients: NDArray[np.float32], total: NDArray[np.float64], number: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Take out frequency zero: the mean says nothing."""
    number[0] -= 1
    total[0] = max(0.0, total[0] - float(coefficients.flat[0]) ** 2)
    return total / np.maximum(number, 1), number


def _falling(power: NDArray[np.float64], number: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the nearest power that falls with frequency.

    Neighbours that rise are pooled to their mean until none do. (What SciPy has for it brings in all of its
    optimisation, a tenth of a second of each program's start.)
    """
    pools: list[tuple[float, float, int]] = []  # mean, weight and rings of each
    for value, weight in zip(power.tolist(), np.maximum(number, 1e-9).tolist(), strict=True):
        mean, rings = value, 1
        while pools and pools[-1][0] <= mean:
            before, known, more = pools.pop()
            mean = (before * known + mean * weight) / (known + weight)
            weight, rings = known + weight, more + rings
        pools.append((mean, weight, rings))
    return np.repeat([mean for mean, _, _ in pools], [rings for _, _, rings in pools])


def _highest(power: NDArray[np.float64], falling: NDArray[np.float64], number: NDArray[np.float64]) -> float:
    """Return the mean power of the highest frequencies: of the last pool, or of more if that has few.

    Of few it is the least of some by chance: all others would seem to hold more than noise.
    """
    pool = int(np.count_nonzero(falling == falling[-1]))
    enough = min(HIGHEST, MOST_HIGHEST * float(number.sum()))
    rings = 1 + int(np.searchsorted(np.cumsum(number[::-1]), enough))
    return float(falling[-1] if rings <= pool else np.average(power[-rings:], weights=number[-rings:]))


def _added_by_binning(rho: NDArray[np.float64], number: NDArray[np.float64]) -> float:
    """Return by which part sigma was less before two pixels along each axis became one.

    Their mean keeps cos^2(pi f / 2) of the power of a frequency f of the level, and of white noise all.
    """
    f = ring_frequencies(len(rho))
    known, before = (
        float((number * f**2 * r**2 / (1 + 2 * r)).sum()) for r in (rho, rho / np.cos(np.pi * f / 2) ** 2)
    )
    return 1 - float(np.sqrt(known / before)) if before > 0 else 0.0


def _predicted_sigma(
    low_pass: LowPass, rho: NDArray[np.float64], number: NDArray[np.float64], ndim: int
) -> float:
    """Return the square root of M / A^2 for signal and noise of the same spectrum in all directions."""
    f = ring_frequencies(len(rho))
    h = low_pass.weights * np.exp(-2 * (np.pi * low_pass.gaussian * f) ** 2)
    weight = number * (2 * np.pi * f) ** 2 / ndim
    signal = float((weight * h * rho).sum())
    noise = float((weight * h**2 * (1 + 2 * rho)).sum())
    return np.sqrt(noise) / signal if signal > 0 else np.inf
