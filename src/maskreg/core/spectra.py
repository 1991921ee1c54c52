"""The three transforms of a masked image from which every lag's sums follow.

Padfield (2012) needs the transforms of image, squared image and mask on both sides; real
transforms on images whose masked mean is off, so that float32 is enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

SINGLE = float(np.finfo(np.float32).eps)
"""Distance of single-precision numbers at 1, twice the greatest rounding."""

BAND_BYTES = 2**20
"""So many bytes are transformed at once, which stay in the cache."""


@dataclass(frozen=True)
class Spectra:
    """Transforms of one image in one window.

    Attributes
    ----------
    image, square, mask : ndarray, complex
        Transforms of the image (zero where ignored), of its square and of its mask.
    energy : float
        Sum of squares over the valid pixels.
    """

    image: NDArray[Any]
    square: NDArray[Any]
    mask: NDArray[Any]
    energy: float


def sum_of_squares(values: NDArray[Any]) -> float:
    """Return the sum of squares in double precision; no copy of the values is made."""
    flat = values.reshape(-1)
    return float(np.einsum("i,i->", flat, flat, dtype=np.float64, casting="safe"))


def transform(values: NDArray[Any], window: tuple[int, ...]) -> NDArray[Any]:
    """Return the real transform of `values`, zero-padded to `window`."""
    return np.asarray(scipy.fft.rfftn(values, window))


def spectra_of(pixels: NDArray[Any], mask_spectrum: NDArray[Any], window: tuple[int, ...]) -> Spectra:
    """Return the spectra of an image that is zero where ignored, its mask's transform given."""
    square = pixels * pixels
    energy = float(square.sum(dtype=np.float64))
    return Spectra(transform(pixels, window), transform(square, window), mask_spectrum, energy)


def cross(reference: NDArray[Any], moving: NDArray[Any], window: tuple[int, ...]) -> NDArray[Any]:
    """Return sum over x of reference(x) moving(x - s) for every lag s, lag s at index s mod window."""
    return np.asarray(scipy.fft.irfftn(reference * np.conj(moving), window))


def rounding(window: Sequence[int]) -> float:
    """Return by how much a sum of products by transforms in single precision may be wrong, over both norms.

    C. Percival, Mathematics of Computation 72, 387-395, 2003, doi:10.1090/S0025-5718-02-01419-9: with 2^n
    pixels, rounding u and weights right to u, no sum of a cyclic convolution is wrong by more than
    |a| |b| ((1 + u)^3n (1 + u sqrt 5)^(3n + 1) (1 + u)^3n - 1), here rounded up. (Proven for lengths that
    are powers of two; seen are errors of about a fiftieth.)
    """
    n = math.log2(max(2, math.prod(window)))
    return SINGLE / 2 * (13 * n + 3)


def lag_sums(
    images: Sequence[NDArray[Any]],
    pairs: Sequence[tuple[int, int]],
    window: tuple[int, ...],
    spans: Sequence[tuple[int, int]],
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Yield what `cross` returns for pairs of images and spans of lags, every axis ascending.

    Of images of two axes some columns at a time are transformed, multiplied and transformed back, so that
    they stay in the cache; then some rows. Rows of padding, and of lags that are not asked for, are not
    transformed.

    Parameters
    ----------
    images : list of ndarray of float
    pairs : list of (int, int)
        Which image is reference, and which is moving.
    window : tuple of int
    spans : list of (int, int)
        The first lag of each axis, and the one after the last: at most as many as the window has.

    Yields
    ------
    rows : slice
        Of the lags: all axes but the last, laid end to end.
    sums : (pairs, rows, columns) ndarray
    """
    from maskreg.core.race_kernels import times_conjugate_2d

    if len(window) != 2:
        whole = [transform(image, window) for image in images]
        crop = np.ix_(*(np.arange(low, high) % n for (low, high), n in zip(spans, window, strict=True)))
        sums = np.stack([cross(whole[i], whole[j], window)[crop] for i, j in pairs])
        sums = sums.reshape(len(pairs), -1, sums.shape[-1])
        yield slice(0, sums.shape[1]), sums
        return
    rows = [scipy.fft.rfft(image, window[1]) for image in images]
    count, width = spans[0][1] - spans[0][0], rows[0].shape[1]
    kept = np.empty((len(pairs), count, width), rows[0].dtype)
    band = max(1, BAND_BYTES // (window[0] * kept.itemsize))
    for k in range(0, width, band):
        columns = slice(k, k + band)
        spectra = [scipy.fft.fft(x[:, columns], window[0], axis=0) for x in rows]
        for (i, j), to in zip(pairs, kept, strict=True):
            found = scipy.fft.ifft(times_conjugate_2d(spectra[i], spectra[j]), axis=0, overwrite_x=True)
            for here, there in _stretches(spans[0], window[0]):
                to[here, columns] = found[there]
    parts = _stretches(spans[1], window[1])
    band = max(1, BAND_BYTES // (width * len(pairs) * kept.itemsize))
    for k in range(0, count, band):
        found = scipy.fft.irfft(kept[:, k : k + band], window[1])
        yield slice(k, k + band), np.concatenate([found[..., there] for _, there in parts], axis=-1)


def _stretches(span: tuple[int, int], length: int) -> list[tuple[slice, slice]]:
    """Return where lags are in ascending order and where modulo the length, in stretches without a wrap."""
    low, high = span
    at = low % length
    cut = min(high - low, length - at)
    parts = [(slice(0, cut), slice(at, at + cut)), (slice(cut, high - low), slice(0, high - low - cut))]
    return [part for part in parts if part[0].stop > part[0].start]


def transformed_pair(padded: NDArray[Any], shape: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the transforms of two images of `shape`, each padded with zeros to the window.

    Row by row first, so that rows of zeros cost nothing.
    """
    if padded.ndim == 2:
        return transform(padded[0], padded.shape[1:]), transform(padded[1], padded.shape[1:])
    window = padded.shape[1:]
    one, other = (
        scipy.fft.fftn(
            scipy.fft.rfft(image[: shape[0]]), window[:-1], axes=range(len(window) - 1), overwrite_x=True
        )
        for image in padded
    )
    return one, other


def correlations(
    reference: Spectra, moving: tuple[NDArray[Any], NDArray[Any]], window: tuple[int, ...]
) -> list[NDArray[Any]]:
    """Return image x moving, mask x moving and mask x moving squared, summed at every lag of 2-D images.

    Each as `cross` does.
    """
    from maskreg.core.search_kernels import products_2d

    products = products_2d(reference.image, reference.mask, *moving)
    # one after the other: a stack of them is transformed at less than half the speed
    return [np.asarray(scipy.fft.irfftn(product, window, overwrite_x=True)) for product in products]
