"""What interpolation between pixels adds to the equation of the refinement, so that it can be taken off.

Six taps do not carry the highest frequencies: half-way between pixels they damp them, elsewhere they
shift them as well. On the sum of G(x) M(x - s) that makes an error that depends on the fraction of the
shift only, and would pull it to certain fractions (pixel locking). It follows from the lagged products
of G with the reference, R(k) = sum of G(x) B(x + k): with X(f) their transform and H_t(f) the
response of the taps at fraction t, the error is the mean of X(f) (H_t(f) exp(-2 pi i f t) - 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from maskreg.core.interpolate import lagrange_taps
from maskreg.core.pyramid import eroded
from maskreg.core.spectrum import LowPass

SLOPE = np.array([-1, 9, -45, 0, 45, -9, 1]) / 60
"""Derivative at the middle of seven pixels, exact for polynomials to degree six."""

LAGS = 32
"""Products are lagged by up to so many px: the error comes from high frequencies, whose kernels are short."""

REAL = 6
"""Pixels nearer than this to filled ones do not enter the products."""

FRACTIONS = 32
"""The error is tabulated at so many fractions of a pixel along each axis."""


@dataclass(frozen=True)
class InterpolationError:
    """Errors of the sums of products with interpolated pixels.

    Attributes
    ----------
    table : (fields, FRACTIONS + 1, ...) ndarray of float64
        Per pixel of the sum, at fractions 0 to 1 of the place along each axis.
    """

    table: NDArray[np.float64]

    def at(self, shift: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the error of each field at a shift, by linear interpolation, per pixel of the sum."""
        out = self.table
        for s in shift:
            place = (-float(s) % 1.0) * FRACTIONS
            k = min(int(place), FRACTIONS - 1)
            out = (k + 1 - place) * out[:, k] + (place - k) * out[:, k + 1]
        return out


def slope_response(f: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the response of `SLOPE` at frequencies in cycles/px, divided by i."""
    offsets = np.arange(len(SLOPE)) - len(SLOPE) // 2
    return np.asarray((SLOPE[:, None] * np.sin(2 * np.pi * offsets[:, None] * f)).sum(axis=0))


def interpolation_error(
    whole: NDArray[np.float32],
    inside: NDArray[np.bool_],
    fields: Sequence[NDArray[np.float32]],
    noise: NDArray[np.float32],
    low_pass: LowPass,
) -> InterpolationError:
    """Return the error for the gradient's components and the low-passed image, in this order.

    Parameters
    ----------
    whole : ndarray of float32
        The reference, ignored pixels filled.
    inside : ndarray of bool
        The pixels that are summed over.
    fields : sequence of ndarray of float32
        Gradient along each axis, low-passed image.
    noise : ndarray of float32
        Variance of each pixel's noise: its products with itself are no signal.
    low_pass : LowPass
        With which the fields were made.
    """
    lags = [min(LAGS, max(1, n // 2)) for n in whole.shape]
    # what was filled in is no image: pixels whose neighbours are real speak for all
    deep = eroded(inside, REAL)
    inside = deep if np.count_nonzero(deep) >= np.count_nonzero(inside) / 4 else inside
    n = max(1, int(np.count_nonzero(inside)))
    own = float(noise[inside].sum(dtype=np.float64)) / n
    centred = whole - np.float32(whole[inside].sum(dtype=np.float64) / n)
    products = _lagged_products(centred, [np.where(inside, field, 0) for field in fields], lags)
    noisy = _products_of_noise([2 * k for k in lags], low_pass)
    return InterpolationError(
        np.stack([_errors(p / n - own * q) for p, q in zip(products, noisy, strict=True)])
    )


def _lagged_products(
    image: NDArray[np.float32], fields: list[NDArray[np.float32]], lags: list[int]
) -> list[NDArray[np.float64]]:
    """Return sums of field(x) image(x + k) for k = -lags .. lags - 1, k = 0 first."""
    shape = [scipy.fft.next_fast_len(n + k, True) for n, k in zip(image.shape, lags, strict=True)]
    spectrum = scipy.fft.rfftn(image, shape)
    out = []
    for field in fields:
        found = scipy.fft.irfftn(np.conj(scipy.fft.rfftn(field, shape)) * spectrum, shape)
        for axis, k in enumerate(lags):
            found = np.take(found, np.r_[0:k, -k:0], axis=axis)
        out.append(found.astype(np.float64))
    return out


def _products_of_noise(shape: list[int], low_pass: LowPass) -> list[NDArray[np.float64]]:
    """Return the lagged products of each field of white noise of unit variance with that noise."""
    frequencies = [np.fft.fftfreq(n) for n in shape]
    response = low_pass.response([np.abs(f) for f in frequencies])
    slopes = np.meshgrid(*[slope_response(f) for f in frequencies], indexing="ij", sparse=True)
    return [
        np.fft.ifftn(spectrum).real for spectrum in (*[-1j * slope * response for slope in slopes], response)
    ]


def _errors(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the error at every fraction from lagged products."""
    for axis, n in enumerate(products.shape):
        window = 0.5 + 0.5 * np.cos(2 * np.pi * np.fft.fftfreq(n))
        products = products * window.reshape([-1 if k == axis else 1 for k in range(products.ndim)])
    out = np.fft.fftn(products)
    for axis, n in enumerate(products.shape):
        out = np.moveaxis(np.tensordot(_response(np.fft.fftfreq(n)), out, (1, axis)), 0, axis)
    return np.asarray(out.real / products.size - products.flat[0])


def _response(f: NDArray[np.floating]) -> NDArray[np.complex128]:
    """Return H_t(f) exp(-2 pi i f t) for every fraction t (rows) and frequency."""
    out = np.empty((FRACTIONS + 1, len(f)), np.complex128)
    for row in range(FRACTIONS + 1):
        t = row / FRACTIONS
        first, taps = lagrange_taps(t)
        offsets = first + np.arange(len(taps)) - t
        out[row] = np.exp(2j * np.pi * f[:, None] * offsets) @ taps
    return out
