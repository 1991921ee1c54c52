"""Where few electrons make the match: how probable it is that others would have made it elsewhere.

Significance and covariance take the noise of a match for Gaussian, and its spread for the same at all lags.
That of a handful of electrons is neither: a few that meet by chance stand out from a map in which nothing
meets. So the match at two lags s and t,

    C(s) = sum over x, y of a(x) b(y) k(x - y - s),    D = C(s) - C(t),

k being as wide as the reference's low-pass, is judged by what the electrons themselves scatter. Each of them
has its part in D, and sums of such pairs (Hoeffding, Ann. Math. Statist. 19, 293, 1948) have the variance

    V = sum over x of a^2 (u_b(x - s) - u_b(x - t))^2 + the same of b
        - sum over x, y of a^2 b^2 (k(x - y - s) - k(x - y - t))^2,     u_b = k * b.

a^2 stands for the variance of a pixel (White, Econometrica 48, 817, 1980), which of sparse counts it is. If t
were the shift, D would be about as far below zero as it is above if s is: the log-likelihoods differ by

    ((D + D)^2 - 0) / (2 V) = 2 D^2 / V.

N pairs that meet at s make this at most 2 N whatever their size, so that the best of all lags must be
made by some; next to s it is the parabola whose curvature the electrons leave. For more electrons than `FEW`
both are what the significance and the covariance already say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from maskreg.core.image.detail import LocalPlane, detail
from maskreg.core.image.filters import gaussian_taps
from maskreg.core.image.prepared import Prepared
from maskreg.core.subpixel.refine import SHORTEST_STEP
from maskreg.core.uncertainty.covariances import common_axes
from maskreg.geometry import nearest_lag

FEW = 2000
"""Of more electrons in either frame it is not asked how they scatter."""

SURELY = 2.0
"""A level that says so many times more is believed: its blocks at the mask's edge are only partly valid."""

BACKGROUND_PX = 20.0
"""Sigma of the local plane that is taken off, level pixels."""

NEAR = 2
"""What is further away than so many lags along an axis is elsewhere."""

REACH = 3.0
"""k ends at so many sigma."""

LEAST = 1e-6
"""Less than this part of the variance of C(s) is rounding."""


@dataclass(frozen=True)
class Elsewhere:
    """Where the match of few electrons may be.

    Attributes
    ----------
    chance : float
        Of a shift that is more than `NEAR` lags from the one that was found.
    lag : tuple of int
        The likeliest of these, px.
    gap : float
        By how much its log-likelihood is less.
    covariance : (ndim, ndim) ndarray of float64
        Of the shifts that are nearer, px squared.
    """

    chance: float
    lag: tuple[int, ...]
    gap: float
    covariance: NDArray[np.float64]


class Electrons:
    """What depends on the reference, at one level.

    Parameters
    ----------
    reference : Prepared
    moving_mask : ndarray of bool
        Mask of moving at this level.
    b : int
        Bin of the level.
    width : float
        Sigma of k, level pixels.
    """

    def __init__(self, reference: Prepared, moving_mask: NDArray[np.bool_], b: int, width: float) -> None:
        self._bin = b
        image = reference.level(b)
        self._plane = LocalPlane(moving_mask, BACKGROUND_PX)
        own = detail(image.pixels, LocalPlane(image.mask, BACKGROUND_PX), reference.detector, reference.mean)
        self._gaps = Gaps(own.pixels.copy(), moving_mask.shape, width)

    def __call__(self, moving: Prepared, shift: NDArray[np.float64]) -> Elsewhere:
        """Return where else a moving image may be whose shift was found, px."""
        b = self._bin
        found = detail(moving.level(b).pixels, self._plane, moving.detector, moving.mean)
        lag = nearest_lag(shift / b)
        return _told(self._gaps.lags, self._gaps(found.pixels, lag), lag, b)


def _told(
    lags: tuple[NDArray[np.intp], ...], gaps: NDArray[np.float64], lag: tuple[int, ...], b: int
) -> Elsewhere:
    """Return what the gaps of all lags say of the one that was found, at level `b`."""
    likely = np.exp(-gaps)
    off = np.meshgrid(*(axis - s for axis, s in zip(lags, lag, strict=True)), indexing="ij", sparse=True)
    near = np.ones(gaps.shape, bool)
    for along in off:
        near &= np.abs(along) <= NEAR
    others = np.where(near, np.inf, gaps)
    best = np.unravel_index(int(np.argmin(others)), gaps.shape)
    probable = likely[near] / likely[near].sum()
    steps = np.stack([np.broadcast_to(along, gaps.shape)[near] for along in off]).astype(np.float64)
    return Elsewhere(
        chance=1 - float(likely[near].sum() / likely.sum()),
        lag=tuple(int(b * axis[i]) for axis, i in zip(lags, best, strict=True)),
        gap=float(gaps[best]),
        covariance=b**2 * (steps * probable) @ steps.T,
    )


def longer(known: NDArray[np.float64], shown: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a known covariance made as long as another one, in each direction where it is shorter."""
    axes, times = common_axes(known + SHORTEST_STEP**2 * np.eye(len(known)), shown)
    return np.asarray((axes * np.maximum(times, 1.0)) @ axes.T)


class Gaps:
    """By how much the log-likelihood of every lag is less than that of one of them.

    Parameters
    ----------
    reference : ndarray of float32
        Zero where ignored, mean off.
    moving_shape : tuple of int
    width : float
        Sigma of k, px.

    Attributes
    ----------
    lags : tuple of 1-D ndarray of int
        At which pixels meet, ascending.
    """

    def __init__(self, reference: NDArray[np.float32], moving_shape: tuple[int, ...], width: float) -> None:
        shapes = tuple(zip(reference.shape, moving_shape, strict=True))
        self.lags = tuple(np.arange(-(m - 1), n) for n, m in shapes)
        self._taps = gaussian_taps(width, REACH)
        # nothing of k comes in again on the other side
        self._window = tuple(scipy.fft.next_fast_len(n + m + len(self._taps), True) for n, m in shapes)
        self._kernel = kernel_of(self._taps, self._window)
        self._spectra = tuple(map(self._forward, (self._kernel, self._kernel**2)))
        self._image, self._square = self._padded(reference), self._padded(reference**2)
        self._own = self._forward(self._image), self._forward(self._square)
        smooth = self._own[0] * self._spectra[0]
        self._smooth = smooth, self._back(smooth)
        self._smooth_square = self._forward(self._smooth[1] ** 2)

    def __call__(self, moving: NDArray[np.float32], lag: tuple[int, ...]) -> NDArray[np.float64]:
        """Return the gaps of all `lags` below one, none where a lag is at least as likely.

        Parameters
        ----------
        moving : ndarray of float32
            Zero where ignored, mean off.
        lag : tuple of int

        Returns
        -------
        (...) ndarray of float64
        """
        (own, own_square), (k, k_square) = self._own, self._spectra
        axes, back = tuple(range(moving.ndim)), tuple(-s for s in lag)
        padded, square = self._padded(moving), self._padded(moving**2)
        other, other_square = np.conj(self._forward(padded)), np.conj(self._forward(square))
        match = self._back(own * other * k)

        smooth = np.conj(other) * k
        there = self._back(smooth)
        here = np.roll(there, lag, axes), np.roll(self._smooth[1], back, axes)
        of_each = (
            own_square * np.conj(self._forward(there**2))
            - 2 * self._forward(self._square * here[0]) * np.conj(smooth)
            + self._smooth_square * other_square
            - 2 * self._smooth[0] * np.conj(self._forward(square * here[1]))
        )
        of_pairs = own_square * other_square
        weights = self._back(of_pairs) * np.roll(self._kernel, lag, axes)
        whole = [
            float((s * u**2).sum(dtype=np.float64)) for s, u in zip((self._square, square), here, strict=True)
        ]
        once = float((weights * np.roll(self._kernel, lag, axes)).sum(dtype=np.float64))
        each = self._back(of_each) + sum(whole)
        pairs = self._back(of_pairs * k_square - 2 * self._forward(weights) * k) + once
        return self._of_lags(match, each, pairs, lag)

    def _of_lags(
        self, match: NDArray[Any], each: NDArray[Any], pairs: NDArray[Any], lag: tuple[int, ...]
    ) -> NDArray[np.float64]:
        """Return the gaps from match and variances at all places of the window."""
        less = (float(match[lag]) - match[np.ix_(*self.lags)]).astype(np.float64)
        each, pairs = (v[np.ix_(*self.lags)].astype(np.float64) for v in (each, pairs))
        # a pair is counted once with each of its electrons
        variance = each - np.clip(pairs, 0, each / 2)
        variance = np.maximum(variance, LEAST * max(float(variance.max()), 1e-30))
        return np.where(less > 0, 2 * less**2 / variance, 0.0)

    def _padded(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        out = np.zeros(self._window, np.float32)
        out[tuple(slice(0, n) for n in image.shape)] = image
        return out

    def _forward(self, values: NDArray[np.float32]) -> NDArray[Any]:
        return np.asarray(scipy.fft.rfftn(values))

    def _back(self, spectrum: NDArray[Any]) -> NDArray[np.float32]:
        return np.asarray(scipy.fft.irfftn(spectrum, self._window))


def kernel_of(taps: NDArray[np.float64], window: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the product of the same taps along every axis, the middle at the first place of a window."""
    reach = len(taps) // 2
    out = np.ones((), np.float32)
    for n in window:
        along = np.zeros(n, np.float32)
        along[: len(taps)] = taps
        out = np.multiply.outer(out, np.roll(along, -reach))
    return np.asarray(out)


def plain_gap(
    reference: NDArray[np.float32],
    moving: NDArray[np.float32],
    width: float,
    lag: tuple[int, ...],
    other: tuple[int, ...],
) -> float:
    """Return what `Gaps` says of one `other` lag, pair by pair."""
    taps = gaussian_taps(width, REACH)
    (x, a), (y, b) = ((np.argwhere(v), v[v != 0].astype(np.float64)) for v in (reference, moving))
    of_lag, of_other = (_kernel_at(taps, x[:, None] - y[None] - s) for s in (lag, other))
    part = np.outer(a, b) * (of_lag - of_other)
    if part.sum() <= 0:
        return 0.0
    each = (part.sum(axis=1) ** 2).sum() + (part.sum(axis=0) ** 2).sum()
    return float(2 * part.sum() ** 2 / (each - min((part**2).sum(), each / 2)))


def _kernel_at(taps: NDArray[np.float64], places: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return k at places, (..., ndim)."""
    reach = len(taps) // 2
    inside = (np.abs(places) <= reach).all(axis=-1)
    return np.where(inside, taps[np.clip(places + reach, 0, 2 * reach)].prod(axis=-1), 0.0)


def are_few(image: Prepared, b: int) -> bool:
    """Whether the valid pixels of an image hold few electrons; of values that are no counts False.

    By level `b` first, which has been made: the square of the mean of their roots is no more than their mean.
    """
    detector, level = image.detector, image.level(b)
    if not detector.counts:
        return False
    n = int(np.count_nonzero(level.mask))
    root = max(float(level.pixels.sum(dtype=np.float64)) / max(n, 1) + image.mean, 0.0)
    if n * b**level.mask.ndim * ((root / 2) ** 2 - detector.pad) > SURELY * FEW:
        return False
    return float(detector.electrons(image.raw[image.mask]).sum()) <= FEW
