"""What a pixel does over the frames of a series, and what noise alone would make it do.

The noise is read off the series: at each brightness the quietest pixels are those on which
nothing moves, so the lower envelope of the temporal variance against the temporal mean is the
variance of the noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import ndimage, stats

Image = NDArray[np.float64]
Mask = NDArray[np.bool_]

_QUIET = 0.1
"""The quantile of the variances that is taken for noise alone."""
_LEVELS = 40
"""Classes of brightness, each with as many pixels as the others."""
_ENOUGH = 50
"""Fewest pixels of a class."""
_OUTSTANDING = 8.0
"""By how many sigma of its mean a hot pixel exceeds its neighbours."""
_RARE = 12.0
"""Fewest counts, over all frames, that a pixel must lack to be dead: e^-12 is chance."""
_AROUND = 7
"""Side of the square in which it is looked for how many these are, px."""
_STILL = 0.1
"""Part of the drift's variance below which an edge stands still."""


@dataclass(frozen=True)
class Temporal:
    """Mean, variance and noise variance of every pixel over the frames, and how many these are."""

    mean: Image
    variance: Image
    noise: Image
    frames: int
    counts: bool = False
    """The frames hold counts of electrons: few of them may be none in every frame by chance."""

    @cached_property
    def defective(self) -> Mask:
        """The dead, hot and saturated pixels: those without noise, and lone bright ones."""
        return np.asarray(self.constant | self._hot())

    @cached_property
    def constant(self) -> Mask:
        """The pixels that never change, and not by chance."""
        constant: Mask = np.asarray(self.variance == 0)
        if not self.counts:
            return constant
        none = constant & (self.mean == 0)
        varying = ndimage.uniform_filter((~none).astype(float), _AROUND)
        # where nothing comes at all, something is in the way
        lit = varying > 1e-9
        level = np.where(lit, ndimage.uniform_filter(self.mean, _AROUND) / np.maximum(varying, 1e-9), np.inf)
        # beside a bright area it is the dark one that counts
        rare = lit & (self.frames * ndimage.minimum_filter(level, _AROUND) < _RARE)
        return np.asarray(constant & ~(none & rare))

    def still_edges(self) -> Mask:
        """Return where the mean image is steep and yet varies little: edges of what does not move.

        An edge of slope g that moves by d varies by (g d)^2: its ratio to g^2 is the variance of
        the drift, and nearly nothing where the edge stands still.
        """
        slope = np.hypot(*np.gradient(ndimage.gaussian_filter(self.mean, 1.0)))
        excess = ndimage.gaussian_filter(np.where(self.defective, 0, self.variance - self.noise), 1.0)
        steep = slope**2 > self.noise
        steep &= slope > np.quantile(slope, 0.5)
        if not steep.any():
            return np.asarray(steep)
        drift = excess / np.maximum(slope**2, 1e-30)
        return np.asarray(steep & (drift < _STILL * np.quantile(drift[steep], 0.75)))

    def _hot(self) -> Mask:
        ring = np.ones((3, 3), bool)
        ring[1, 1] = False
        # beyond the border there is no neighbour: a reflected one would be the pixel itself
        brightest = ndimage.maximum_filter(self.mean, footprint=ring, mode="constant", cval=-np.inf)
        excess = self.mean - brightest
        hot = excess > _OUTSTANDING * np.sqrt(np.maximum(self.noise, self.variance) / self.frames)
        # the peak of a real spot shares its brightness with its neighbours, a hot pixel does not
        around = sliding_window_view(np.pad(self.mean, 2, mode="symmetric"), (5, 5))[hot]
        median = np.sort(around.reshape(-1, 25), axis=1)[:, 12]
        hot[hot] = excess[hot] > 0.5 * (self.mean[hot] - median)
        return np.asarray(hot)

    def changed(self, line: float, width: float) -> Mask:
        """Return where pixels vary by more than their noise.

        Parameters
        ----------
        line : float
            By how many sigma, of evidence collected over neighbours.
        width : float
            Over which it is collected, px (sigma of a Gaussian): the wider, the fainter a change is seen.
        """
        z = (self.variance / self.noise - 1) * np.sqrt((self.frames - 1) / 2)
        z[self.defective] = 0
        return np.asarray(smoothed_sum(z, width) / np.sqrt(window(width)) > line)


def temporal(
    frames: NDArray[np.generic], intensity: NDArray[np.float64] | None = None, *, counts: bool = False
) -> Temporal:
    """Return what the pixels do over the frames.

    Parameters
    ----------
    frames : (n, rows, cols)
        Two or more.
    intensity : (n,) float64, optional
        By which each is divided; none is copied.
    counts : bool
        They are counts of electrons (each over its intensity).
    """
    even = np.ones(len(frames)) if intensity is None else intensity
    constant = np.ones(frames.shape[1:], bool)
    mean, variance = np.zeros(constant.shape), np.zeros(constant.shape)
    for frame, level in zip(frames, even, strict=True):
        constant &= frame == frames[0]
        mean += frame / level
    mean /= len(frames)
    for frame, level in zip(frames, even, strict=True):
        variance += (frame / level - mean) ** 2
    variance /= len(frames) - 1
    # what never changes does not change by its intensity either: it is known by that
    variance[constant] = 0
    return Temporal(mean, variance, _noise(mean, variance, len(frames)), len(frames), counts)


def window(sigma: float) -> float:
    """Return over how many pixels a Gaussian of width `sigma` effectively averages white noise."""
    return 4 * np.pi * sigma**2


def smoothed_sum(values: Image, sigma: float) -> Image:
    """Return the sum of `values` over a Gaussian window; white noise comes out sqrt(window) times larger."""
    return np.asarray(ndimage.gaussian_filter(values, sigma)) * window(sigma)


def _noise(mean: Image, variance: Image, count: int) -> Image:
    """Return the variance of the noise at the brightness of every pixel."""
    varying = variance > 0
    if not varying.any():
        return np.ones_like(mean)
    m, v = mean[varying], variance[varying]
    edges = np.unique(np.quantile(m, np.linspace(0, 1, _LEVELS + 1)))
    # a quantile of variances estimated from few frames lies below the variance itself
    bias = stats.chi2.ppf(_QUIET, count - 1) / (count - 1)
    curve = []
    for low, high in pairwise(edges):
        inside = (m >= low) & (m <= high)
        if inside.sum() >= _ENOUGH:
            curve.append((m[inside].mean(), np.quantile(v[inside], _QUIET) / bias))
    if not curve:
        return np.full_like(mean, float(np.median(v)))
    levels, variances = np.array(curve).T
    # noise grows with brightness: what is noisier than a brighter class moves
    variances = np.minimum.accumulate(variances[::-1])[::-1]
    at = np.interp(mean, levels, variances)
    floor = max(float(np.quantile(at, 0.01)), 1e-12)
    return np.asarray(np.maximum(at, floor))
