"""The three transforms of a masked image from which every lag's sums follow.

Padfield (2012) needs the transforms of image, squared image and mask on both sides; real
transforms on images whose masked mean is off, so that float32 is enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from maskreg.core.lags.search_kernels import products_2d

TOGETHER = 2**14
"""Inverse transforms of so many lags are made in one call; larger ones are quicker one by one."""


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


def transformed_pair(padded: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the transforms of two images of `shape`, each padded with zeros to the window, as one stack.

    Row by row first, so that rows of zeros cost nothing.
    """
    window = padded.shape[1:]
    out = scipy.fft.rfft(padded[:, : shape[0]], window[-1])
    for axis, n in enumerate(window[:-1], 1):
        out = scipy.fft.fft(out, n, axis=axis, overwrite_x=True)
    return np.asarray(out)


def correlations(reference: Spectra, moving: NDArray[Any], window: tuple[int, ...]) -> NDArray[Any]:
    """Return image x moving, mask x moving and mask x moving squared, summed at every lag of 2-D images.

    Each as `cross` does.
    """
    products = products_2d(reference.image, reference.mask, moving[0], moving[1])
    if math.prod(window) <= TOGETHER:
        return np.asarray(scipy.fft.irfftn(products, window, axes=(1, 2), overwrite_x=True))
    return np.stack([scipy.fft.irfftn(product, window, overwrite_x=True) for product in products])
