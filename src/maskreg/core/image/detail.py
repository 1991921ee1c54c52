"""Take off the background: at every pixel, the plane that fits its neighbourhood best.

A bright diffuse background correlates with itself at every lag and leans to zero shift, since
different lags are scored on different pixels; what tells one place from another is the detail on
top. A local *plane*, not a local mean, is taken off: beside a mask the neighbourhood is one-sided,
and on a slope its mean would leave an edge that stands still with the mask and pulls to zero.
Its detail is nearly white, which is what the likelihood of `maskreg.core.likelihood` supposes.

The fit is normalised convolution with a Gaussian window (Knutsson and Westin, CVPR 1993).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.image.detail_kernels import between_blocks_2d, detail_2d, local_plane_2d
from maskreg.core.image.pyramid import MaskPyramid, block_sums
from maskreg.core.image.stabilise import Detector

RIDGE = 1e-5
"""Keeps the slope of a plane from being fitted to a neighbourhood that is nearly empty."""

REACH = 3.0
"""The window ends at this many sigma."""

LEAST_SIGMA = 2.5
"""Images are binned before a plane is fitted, as far as its window stays so many binned pixels wide."""

NOISE_DENSITY = 64
"""The noise of stabilised counts is tabulated so many times per unit of their mean."""

NOISELESS_ABOVE = 40.0
"""From so many electrons on the noise of stabilised counts is one."""


class LocalPlane:
    """The operator that fits the local plane to images with one mask.

    Parameters
    ----------
    mask : (...) ndarray of bool
        True = valid.
    sigma : float
        Width of the Gaussian window, px.
    """

    def __init__(self, mask: NDArray[np.bool_], sigma: float) -> None:
        self.mask = mask
        radius = int(np.ceil(REACH * sigma))
        self._window = tuple(scipy.fft.next_fast_len(n + radius, True) for n in mask.shape)
        self._offsets = [_wrapped_offsets(n, radius, sigma) for n in self._window]
        offset = np.arange(-radius, radius + 1) / sigma
        weight = np.exp(-0.5 * offset**2)
        weight /= weight.sum()
        self._taps = weight.astype(np.float32), (weight * offset).astype(np.float32)
        self._weights = self._solve()

    def __call__(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the local plane of an image that is zero where the mask is False, float32."""
        if self.mask.ndim != 2:
            return self.plain(pixels)
        return np.asarray(local_plane_2d(np.ascontiguousarray(pixels), *self._taps, self._weights))

    def plain(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what a call does, by transforms, for any number of axes."""
        spectrum = self._forward(pixels)
        plane = np.zeros(pixels.shape, np.float32)
        for axis, weight in zip(range(-1, pixels.ndim), self._weights, strict=True):
            plane += weight * self._filtered(
                spectrum, self._kernel([int(k == axis) for k in range(pixels.ndim)])
            )
        return plane

    def _forward(self, pixels: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(scipy.fft.rfftn(pixels.astype(np.float32, copy=False), self._window))

    def _filtered(self, spectrum: NDArray[Any], kernel: NDArray[Any]) -> NDArray[np.float32]:
        out = scipy.fft.irfftn(spectrum * kernel, self._window)
        return np.array(out[tuple(slice(0, n) for n in self.mask.shape)])

    def _kernel(self, powers: list[int]) -> NDArray[Any]:
        """Transform of the window times the product of offsets to these powers."""
        axes = [w * t**p for (t, w), p in zip(self._offsets, powers, strict=True)]
        # conjugated: the neighbourhood is correlated with the window, not convolved
        spectrum = scipy.fft.rfftn(reduce(np.multiply.outer, axes).astype(np.float32))
        return np.asarray(np.conj(spectrum))

    def _solve(self) -> NDArray[np.float32]:
        """Weights of the filtered images in the plane's value at its centre.

        The normal equations A p = c of the weighted fit hold moments of the mask in A and moments
        of the image in c; the value at the centre is the first row of A^-1 times c.
        """
        ndim = self.mask.ndim
        spectrum = self._forward(self.mask)
        powers = np.vstack([np.zeros(ndim, int), np.eye(ndim, dtype=int)])
        size = ndim + 1
        pairs = [(i, j) for i in range(size) for j in range(i, size)]
        moments = [self._filtered(spectrum, self._kernel(list(powers[i] + powers[j]))) for i, j in pairs]
        diagonal = np.arange(1, size)
        first = np.zeros((size, 1))
        first[0] = 1
        out = np.empty((size, *self.mask.shape), np.float32)
        normal = np.empty((*self.mask.shape[1:], size, size))
        for k in range(len(self.mask)):  # row by row: bounded memory
            for (i, j), moment in zip(pairs, moments, strict=True):
                normal[..., i, j] = normal[..., j, i] = moment[k]
            normal[..., diagonal, diagonal] += RIDGE
            normal[..., 0, 0] += RIDGE**2
            out[:, k] = np.moveaxis(np.linalg.solve(normal, first)[..., 0], -1, 0)
        return out


class BinnedPlane:
    """The local plane of images of many pixels, fitted to binned ones and interpolated: it is smooth.

    Parameters
    ----------
    mask : (...) ndarray of bool
        True = valid.
    sigma : float
        Width of the Gaussian window, px.
    """

    def __init__(self, mask: NDArray[np.bool_], sigma: float) -> None:
        self.mask = mask
        self._bin = 2 ** max(0, math.floor(math.log2(sigma / LEAST_SIGMA)))
        masks = MaskPyramid(mask)
        self._weights = masks.weights(self._bin)
        self._plane = LocalPlane(masks.level(self._bin), sigma / self._bin)

    def __call__(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the local plane of an image that is zero where the mask is False, float32."""
        coarse = self._plane(block_sums(pixels, self._bin) * self._weights)
        between = between_blocks_2d if pixels.ndim == 2 else plain_between_blocks
        return np.asarray(between(coarse, self._bin, *pixels.shape), np.float32)


def plane_of(mask: NDArray[np.bool_], sigma: float) -> LocalPlane | BinnedPlane:
    """Return the operator that fits a wide local plane, in the quickest way there is."""
    return BinnedPlane(mask, sigma) if mask.ndim == 2 else LocalPlane(mask, sigma)


def plain_between_blocks(coarse: NDArray[np.float32], side: int, *shape: int) -> NDArray[np.float64]:
    """Return an image by straight lines between the middles of blocks of `side` pixels, and beyond them."""
    out = coarse.astype(np.float64)
    for axis, n in enumerate(shape):
        place = (np.arange(n) + 0.5) / side - 0.5
        before = np.clip(np.floor(place), 0, max(0, coarse.shape[axis] - 2)).astype(int)
        part = (place - before).reshape([-1 if k == axis else 1 for k in range(out.ndim)])
        after = np.minimum(before + 1, coarse.shape[axis] - 1)
        out = (1 - part) * np.take(out, before, axis) + part * np.take(out, after, axis)
    return out


@dataclass(frozen=True)
class Detail:
    """What is left of an image without its background.

    Attributes
    ----------
    pixels : ndarray of float32
        Less the local plane, of equal noise everywhere; zero where ignored.
    padded : (2, ...) ndarray of float32
        These pixels and their squares, each in the corner of a window of zeros.
    energy, whole : float
        Sums of squares of the detail and of the image.
    """

    pixels: NDArray[np.float32]
    padded: NDArray[np.float32]
    energy: float
    whole: float


def detail(
    pixels: NDArray[np.float32],
    plane: LocalPlane | BinnedPlane,
    detector: Detector,
    mean: float,
    window: tuple[int, ...] | None = None,
) -> Detail:
    """Return an image less its local plane, of equal noise everywhere.

    Stabilised counts have less than unit noise where there are hardly any. Left as they are, a few
    bright pixels would make all the noise, and more of it at small lags, where they meet, than the
    chance level read off all lags says.

    Parameters
    ----------
    pixels : ndarray of float32
        Stabilised, `mean` taken off, binned; zero where ignored.
    plane : LocalPlane or BinnedPlane
        Of the image's mask.
    detector : Detector
    mean : float
        What was taken off.
    window : tuple of int, optional
        Shape of `Detail.padded`; default that of the image.
    """
    window = pixels.shape if window is None else window
    if pixels.ndim != 2:
        return plain_detail(pixels, plane, detector, mean, window)
    padded, energy, whole = detail_2d(
        np.ascontiguousarray(pixels), plane.mask, plane(pixels), np.float32(mean), np.float32(NOISE_DENSITY),
        _noise_gains(detector), *window,
    )  # fmt: skip
    return Detail(padded[0, : pixels.shape[0], : pixels.shape[1]], padded, energy, whole)


def plain_detail(
    pixels: NDArray[np.float32],
    plane: LocalPlane | BinnedPlane,
    detector: Detector,
    mean: float,
    window: tuple[int, ...],
) -> Detail:
    """Return what `detail` does, for any number of axes."""
    background = plane(pixels)
    out = np.where(plane.mask, pixels - background, np.float32(0))
    if detector.counts:
        noise = np.maximum(detector.noise_variance(background + mean), detector.least_noise)
        out /= np.sqrt(noise).astype(np.float32)
    padded = np.zeros((2, *window), np.float32)
    corner = tuple(slice(0, n) for n in pixels.shape)
    padded[0][corner] = out
    padded[1][corner] = out * out
    energy, whole = (float(np.sum(image.astype(np.float64) ** 2)) for image in (out, pixels))
    return Detail(out, padded, energy, whole)


@lru_cache(maxsize=8)
def _noise_gains(detector: Detector) -> NDArray[np.float32]:
    """Return one over the noise of stabilised counts, tabulated over their mean from zero on."""
    if not detector.counts:
        return np.ones(2, np.float32)
    greatest = float(2 * np.sqrt(NOISELESS_ABOVE + detector.pad))
    means = np.arange(int(greatest * NOISE_DENSITY) + 2) / NOISE_DENSITY
    return (1 / np.sqrt(np.maximum(detector.noise_variance(means), detector.least_noise))).astype(np.float32)


def _wrapped_offsets(
    length: int, radius: int, sigma: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Offsets in sigma and normalised Gaussian weights along one axis, offset 0 first."""
    offset = np.arange(length, dtype=np.float64)
    offset[offset > length // 2] -= length
    weight = np.where(np.abs(offset) <= radius, np.exp(-0.5 * (offset / sigma) ** 2), 0.0)
    # of the whole window, however short the image: as by rows and columns
    whole = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2).sum()
    return offset / sigma, weight / whole
