"""What interpolation between pixels adds to the equation of the refinement, so that it can be taken off.

Six taps do not carry the highest frequencies: half-way between pixels they damp them, elsewhere they
shift them as well. On the sum of G(x) M(x - s) that makes an error that depends on the fraction of the
shift only, and would pull it to certain fractions (pixel locking). It follows from the lagged products
of G with the reference, R(k) = sum of G(x) B(x + k): with X(f) their transform and H_t(f) the
response of the taps at fraction t, the error is the mean of X(f) (H_t(f) exp(-2 pi i f t) - 1).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from maskreg.core.frequencies.low_pass import LowPass
from maskreg.core.image.interpolate import lagrange_taps
from maskreg.core.image.pyramid import eroded

SLOPE = np.array([-1, 9, -45, 0, 45, -9, 1]) / 60
"""Derivative at the middle of seven pixels, exact for polynomials to degree six."""

LAGS = {1: 32, 2: 32, 3: 12}
"""Products are lagged by up to so many px, by the number of axes: high frequencies have short kernels."""

REAL = 6
"""Pixels nearer than this to filled ones do not enter the products."""

TILE = {1: 256, 2: 256, 3: 96}
"""Pixels along each axis of a tile that is transformed at once, by their number."""

FRACTIONS = 32
"""The error is tabulated at so many fractions of a pixel along each axis."""


@dataclass(frozen=True)
class InterpolationError:
    """Errors of the sums of products of some fields with interpolated pixels; found when first asked for.

    Attributes
    ----------
    whole : ndarray of float32
        The reference, ignored pixels filled.
    inside : ndarray of bool
        The pixels that stand for all that are summed over (`among_real`).
    fields : tuple of ndarray of float32
        Gradient along each axis, low-passed image.
    noise : ndarray of float32
        Variance of each pixel's noise: its products with itself are no signal.
    low_pass : LowPass
        With which the fields were made.
    kept : (ndim, ndim) ndarray of float64
        What weights have left of the noise in the gradient.
    """

    whole: NDArray[np.float32]
    inside: NDArray[np.bool_]
    fields: tuple[NDArray[np.float32], ...]
    noise: NDArray[np.float32]
    low_pass: LowPass
    kept: NDArray[np.float64]

    def at(self, shift: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the error of each field at a shift, by linear interpolation, per pixel of the sum."""
        out = self.table
        for s in shift:
            place = (-float(s) % 1.0) * FRACTIONS
            k = min(int(place), FRACTIONS - 1)
            out = (k + 1 - place) * out[:, k] + (place - k) * out[:, k + 1]
        return out

    @cached_property
    def table(self) -> NDArray[np.float64]:
        """The errors, (fields, FRACTIONS + 1, ...), at fractions 0 to 1 of the place along each axis."""
        lags = [min(LAGS[min(self.whole.ndim, 3)], max(1, n // 2)) for n in self.whole.shape]
        n = max(1, int(np.count_nonzero(self.inside)))
        own = float(self.noise[self.inside].sum(dtype=np.float64)) / n
        mean = np.float32(self.whole[self.inside].sum(dtype=np.float64) / n)
        products = lagged_products(self.whole, mean, self.inside, self.fields, lags)
        *slopes, value = _products_of_noise([2 * k for k in lags], self.low_pass)
        noisy = [*np.tensordot(self.kept, slopes, 1), value]
        errors = [_errors(p / n - own * q) for p, q in zip(products, noisy, strict=True)]
        return np.ascontiguousarray(errors)  # else the kernel would be compiled once more


def among_real(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels whose neighbours are real, not filled in; all where these are too few."""
    deep = eroded(inside, REAL)
    return deep if np.count_nonzero(deep) >= np.count_nonzero(inside) / 4 else inside


def slope_response(f: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the response of `SLOPE` at frequencies in cycles/px, divided by i."""
    offsets = np.arange(len(SLOPE)) - len(SLOPE) // 2
    return np.asarray((SLOPE[:, None] * np.sin(2 * np.pi * offsets[:, None] * f)).sum(axis=0))


def lagged_products(
    image: NDArray[np.float32],
    mean: np.float32,
    inside: NDArray[np.bool_],
    fields: Sequence[NDArray[np.float32]],
    lags: list[int],
    side: int | None = None,
) -> list[NDArray[np.float64]]:
    """Return sums over inside of field(x) (image(x + k) - mean) for k = -lags .. lags - 1, k = 0 first.

    Tile by tile, of so many px a side: transforms that stay in the cache take a third of the time.
    """
    tile = [min(n, side or TILE[min(image.ndim, 3)]) for n in image.shape]
    shape = [scipy.fft.next_fast_len(n + 2 * k, True) for n, k in zip(tile, lags, strict=True)]
    sums = np.zeros((len(fields), *shape[:-1], shape[-1] // 2 + 1), np.complex64)
    for start in itertools.product(*(range(0, n, t) for n, t in zip(image.shape, tile, strict=True))):
        here = tuple(slice(s, min(n, s + t)) for s, n, t in zip(start, image.shape, tile, strict=True))
        if not inside[here].any():
            continue
        around = tuple(
            slice(max(0, h.start - k), min(n, h.stop + k))
            for h, k, n in zip(here, lags, image.shape, strict=True)
        )
        spectrum = np.conj(scipy.fft.rfftn(image[around] - mean, shape))
        # the tile's first pixel stands where it does in the image around it
        place = tuple(slice(h.start - a.start, h.stop - a.start) for h, a in zip(here, around, strict=True))
        for k, field in enumerate(fields):
            values = np.zeros(shape, np.float32)
            np.multiply(field[here], inside[here], out=values[place])
            product = scipy.fft.rfftn(values)
            product *= spectrum
            sums[k] += product
    found = [scipy.fft.irfftn(total, shape) for total in np.conj(sums, out=sums)]
    near = [np.r_[0:k, -k:0] for k in lags]
    return [values[np.ix_(*near)].astype(np.float64) for values in found]


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
        # not by BLAS, whose threads go on turning for a while after so small a product, and hold up ours
        out = np.moveaxis(np.einsum("tf,f...->t...", _response(n), np.moveaxis(out, axis, 0)), 0, axis)
    return np.asarray(out.real / products.size - products.flat[0])


@lru_cache(maxsize=8)
def _response(n: int) -> NDArray[np.complex128]:
    """Return H_t(f) exp(-2 pi i f t) for every fraction t (rows) and each of n frequencies."""
    f = np.fft.fftfreq(n)
    out = np.empty((FRACTIONS + 1, len(f)), np.complex128)
    for row in range(FRACTIONS + 1):
        t = row / FRACTIONS
        first, taps = lagrange_taps(t)
        offsets = first + np.arange(len(taps)) - t
        out[row] = np.exp(2j * np.pi * f[:, None] * offsets) @ taps
    return out
