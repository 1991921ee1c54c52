"""How noisy each pixel of an image is.

White noise is read off second differences (after Immerkaer, CVIU 64, 300, 1996), as a function of
the local brightness: a photon transfer curve from one image. Second differences show texture as
well, at twice the distance more of it, while white noise shows the same; so where that differs,
counts are believed to be no noisier than counting makes them.

A curve of eight points does not need every pixel of a large image: rows chosen at random, and
always the same, stand for the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskreg.core.detector.noise_kernels import sorted_into_classes
from maskreg.core.image.filter_kernels import looked_up
from maskreg.core.image.filters import gaussian
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import LevelImage
from maskreg.core.image.sample import sampled_rows
from maskreg.core.lags.scores import SPREAD_OF_MAD

SPARSE = 4.0
"""Below this median number of electrons in a pixel counts are sparse: most differences are zero."""

LOCAL_PX = 2.0
"""Sigma of the window in which the local brightness is taken, px."""

REACH = 4.0
"""The window ends at this many sigma."""

COARSE_FROM = 32
"""The local brightness of images of so many pixels along each axis is that of pixels of two by two."""

NARROWEST = 0.3
"""A window of a smaller sigma, in pixels of a level, holds one pixel."""

CLASSES = 8
"""The pixels are sorted by local brightness into so many classes of about equal size."""

ENOUGH_DRAWN = 2**13
"""So many values, drawn at random, tell where the classes part, and from where values deviate."""

FEWEST = 50
"""A class of fewer second differences shows nothing."""

TABLE = 4096
"""So many values of a curve are looked up for a map."""

WHITE = 1.1
"""Noise is white if second differences at twice the distance are at most so much larger."""


@dataclass(frozen=True)
class NoiseCurve:
    """The variance of a pixel's noise as a function of the local brightness, linear between points.

    Attributes
    ----------
    brightness : (n,) ndarray of float64
        Ascending, in the units of `Prepared.pixels`.
    variance : (n,) ndarray of float64
    """

    brightness: NDArray[np.float64]
    variance: NDArray[np.float64]

    def mean(self, sample: Sample) -> float:
        """Return the mean variance of the noise of the valid pixels of a sample; 0 without any."""
        mask = sample.mask[sample.rows]
        number = np.count_nonzero(mask)
        return float(self._of(sample.local, mask).sum(dtype=np.float64)) / number if number else 0.0

    def mean_of_blocks(self, level: LevelImage) -> float:
        """Return the mean variance of the noise of pixels as bright as a level's blocks; 0 without any."""
        number = np.count_nonzero(level.mask)
        noise = self._of(np.ascontiguousarray(level.pixels), level.mask)
        return float(noise.sum(dtype=np.float64)) / number if number else 0.0

    def map(self, image: Prepared, b: int = 1) -> NDArray[np.float32]:
        """Return the variance of the noise of each pixel of a level; zero where ignored."""
        level = image.level(b)
        local = _local_mean(level.pixels, level.mask, LOCAL_PX / b)
        return self._of(local, level.mask, b**level.mask.ndim)

    def _of(
        self, local: NDArray[np.float32], mask: NDArray[np.bool_], averaged: int = 1
    ) -> NDArray[np.float32]:
        """Return the variance where it is so bright, of means of so many pixels; zero where ignored."""
        at = np.linspace(self.brightness[0], self.brightness[-1], TABLE)
        table = (np.interp(at, self.brightness, self.variance) / averaged).astype(np.float32)
        density = (TABLE - 1) / max(float(at[-1] - at[0]), 1e-30)
        flat = looked_up(local.ravel(), mask.ravel(), np.float32(at[0]), np.float32(density), table)
        return np.asarray(flat).reshape(mask.shape)


@dataclass(frozen=True)
class Sample:
    """Rows (slices along the first axis) of an image that stand for all of it.

    Attributes
    ----------
    pixels : ndarray of float32
        The image, zero where ignored.
    mask : ndarray of bool
    rows : (n,) ndarray of int
        So far from the border that second differences reach no further, if the image is long enough.
    local : (n, ...) ndarray of float32
        Local brightness there.
    """

    pixels: NDArray[np.float32]
    mask: NDArray[np.bool_]
    rows: NDArray[np.intp]
    local: NDArray[np.float32]


class _Differences(NamedTuple):
    """Second differences, the local brightness there, and their variance for noise of unit variance."""

    values: NDArray[np.float32]
    levels: NDArray[np.float32]
    gain: float


class _Classes(NamedTuple):
    """How many second differences each class has, their mean brightness, and the variance of the noise."""

    number: NDArray[np.int64]
    brightness: NDArray[np.float64]
    variance: NDArray[np.float64]


def sample(image: Prepared) -> Sample:
    """Return a sample of an image."""
    margin = min(2, (len(image.mask) - 1) // 2)
    rows = margin + sampled_rows(image.mask[margin : len(image.mask) - margin])
    b = 1 if min(image.mask.shape) < COARSE_FROM else 2
    level = image.level(b)
    local = _local_mean(level.pixels, level.mask, LOCAL_PX / b)
    for axis, n in enumerate(image.mask.shape):
        places = rows if axis == 0 else np.arange(n)
        local = np.take(local, np.minimum(places // b, local.shape[axis] - 1), axis)
    return Sample(image.pixels, image.mask, rows, local)


def noise_curve(image: Prepared, sample: Sample) -> NoiseCurve:
    """Return how noisy the pixels of an image are; at least one is valid."""
    counting = counting_curve(image)
    typical = np.array([0.0 if image.typical is None else image.typical])
    if counting is not None and image.detector.electrons(typical)[0] < SPARSE:
        return counting
    differences = _second_differences(sample, 1)
    bounds = _bounds(differences.levels)
    near, far = _classes(differences, bounds), _classes(_second_differences(sample, 2), bounds)
    shows = near.number >= FEWEST
    if not shows.any():  # scattered masks leave no neighbours: all variance is taken for noise
        shown = NoiseCurve(np.zeros(1), np.array([float(np.var(image.pixels[image.mask]))]))
    else:
        shown = NoiseCurve(near.brightness[shows], near.variance[shows])
        if (far.number[shows] >= FEWEST).all() and (far.variance <= WHITE * near.variance)[shows].all():
            return shown if counting is None else _darker(shown, counting, _darkest(sample))
    return shown if counting is None else _lesser(shown, counting)


def counting_curve(image: Prepared) -> NoiseCurve | None:
    """Return how noisy counting makes the pixels, if they count."""
    if not image.detector.counts:
        return None
    means, variances = image.detector.noise_table
    return NoiseCurve(means - image.mean, variances)


def _darker(shown: NoiseCurve, counting: NoiseCurve, darkest: float) -> NoiseCurve:
    """Return a curve continued to what is darker than all that it was shown, in proportion to counting noise.

    As frames are that are dimmer than the reference: faint counts are less noisy.
    """
    darkest = min(darkest, float(shown.brightness[0]))
    below = counting.brightness < darkest
    scale = shown.variance[0] / np.interp(darkest, counting.brightness, counting.variance)
    return NoiseCurve(
        np.concatenate([counting.brightness[below], [darkest], shown.brightness]),
        np.concatenate([scale * counting.variance[below], shown.variance[:1], shown.variance]),
    )


def _darkest(sample: Sample) -> float:
    """Return the least local brightness of a sample's valid pixels, of which there are some."""
    return float(sample.local[sample.mask[sample.rows]].min())


def _lesser(one: NoiseCurve, other: NoiseCurve) -> NoiseCurve:
    """Return the lesser of two curves at every brightness."""
    at = np.union1d(one.brightness, other.brightness)
    values = [np.interp(at, curve.brightness, curve.variance) for curve in (one, other)]
    crossed = np.flatnonzero(np.diff(np.sign(values[0] - values[1])))
    if crossed.size:
        gaps = np.abs(values[0] - values[1])
        part = gaps[crossed] / (gaps[crossed] + gaps[crossed + 1])
        at = np.union1d(at, at[crossed] + part * np.diff(at)[crossed])
        values = [np.interp(at, curve.brightness, curve.variance) for curve in (one, other)]
    return NoiseCurve(at, np.minimum(*values))


def _local_mean(pixels: NDArray[np.float32], mask: NDArray[np.bool_], sigma: float) -> NDArray[np.float32]:
    if sigma < NARROWEST:
        return pixels
    part = gaussian(mask.astype(np.float32), sigma, REACH)
    return np.asarray(gaussian(pixels, sigma, REACH) / np.maximum(part, np.float32(1e-6)))


def _bounds(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return levels, ascending, that part all of them into classes of about equal size."""
    classes = max(1, min(CLASSES, levels.size // FEWEST))
    some = _drawn(levels)
    at = np.arange(1, classes) * some.size // classes
    return np.unique(np.partition(some, at)[at]) if at.size else levels[:0]


def _drawn(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return enough of many values; always the same ones."""
    if values.size <= ENOUGH_DRAWN:
        return values
    return values[np.random.default_rng(0).integers(values.size, size=ENOUGH_DRAWN)]


def _classes(differences: _Differences, bounds: NDArray[np.float32]) -> _Classes:
    """Return what second differences tell of each class; variances robust, so that edges hardly count.

    By the median absolute deviation. NaN for a class of fewer than `FEWEST`.
    """
    values, number, total = sorted_into_classes(differences.values, differences.levels, bounds)
    parts = np.split(values, np.cumsum(number)[:-1])
    spreads = np.array([_spread(part) if part.size >= FEWEST else np.nan for part in parts])
    return _Classes(number, total / np.maximum(number, 1), spreads**2 / differences.gain)


def _spread(values: NDArray[np.float32]) -> float:
    """Return the standard deviation of a Gaussian of the same median absolute deviation.

    From the median of some: its error counts by its square, of as many on either side.
    """
    return SPREAD_OF_MAD * float(_lower_median(np.abs(values - _lower_median(_drawn(values)))))


def _lower_median(values: NDArray[np.float32]) -> np.float32:
    middle = (values.size - 1) // 2
    return np.float32(np.partition(values, middle)[middle])


def _second_differences(sample: Sample, distance: int) -> _Differences:
    """Return the valid second differences along every axis of a sample."""
    values, valid, levels, gain = sample.pixels, sample.mask, sample.local, 1.0
    for axis in range(values.ndim):
        length = values.shape[axis] - 2 * distance
        if length < 1:
            values, valid = (values[sample.rows], valid[sample.rows]) if axis == 0 else (values, valid)
            continue
        left, mid, right = (
            _along(
                values.ndim,
                axis,
                sample.rows + k if axis == 0 else slice(distance + k, distance + k + length),
            )
            for k in (-distance, 0, distance)
        )
        values = 2 * values[mid] - values[left] - values[right]
        valid = valid[left] & valid[mid] & valid[right]
        levels = levels if axis == 0 else levels[mid]
        gain *= 6.0
    return _Differences(values[valid], levels[valid], gain)


def _along(ndim: int, axis: int, index: slice | NDArray[np.intp]) -> tuple[slice | NDArray[np.intp], ...]:
    return tuple(index if k == axis else slice(None) for k in range(ndim))
