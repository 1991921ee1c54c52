"""Phase and plain cross-correlation without masks, refined by an up-sampled transform.

The method is that of M. Guizar-Sicairos, S. T. Thurman and J. R. Fienup, Optics Letters 33, 156-158,
2008, doi:10.1364/OL.33.000156. Real images have a transform of which one half says all; only that
half is computed.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.errors import InputError


@dataclass(frozen=True)
class PhaseShift:
    """What the correlation of two images says.

    Attributes
    ----------
    shift : (ndim,) ndarray of float
        Px, modulo the shape.
    error, phase : float
        RMS error, and phase of the correlation at its maximum, radians.
    empty : bool
        Whether an image is zero everywhere, so that there is no error to speak of.
    """

    shift: NDArray[Any]
    error: float
    phase: float
    empty: bool


def phase_shift(
    reference: NDArray[Any],
    moving: NDArray[Any],
    upsample_factor: float,
    space: str,
    normalization: str | None,
) -> PhaseShift:
    """Return the shift of the greatest correlation; see `phase_cross_correlation`."""
    if reference.shape != moving.shape:
        raise InputError(
            f"reference_image has shape {reference.shape}, moving_image has {moving.shape}; "
            "without masks they must be equal"
        )
    if not upsample_factor > 0:
        raise InputError(f"upsample_factor is {upsample_factor}; it must be a positive number")
    if space.lower() not in ("real", "fourier"):
        raise InputError(f"space is {space!r}; it must be 'real' or 'fourier'")
    if normalization not in ("phase", None):
        raise InputError(f"normalization is {normalization!r}; it must be 'phase' or None")
    fourier = space.lower() == "fourier"
    if fourier or "c" in (reference.dtype.kind, moving.dtype.kind):
        pair: _Pair = _ComplexPair(reference, moving, fourier)
    else:
        pair = _RealPair(reference, moving)
    if not np.isfinite(pair.energies).all():
        raise InputError(
            "NaN or infinite pixels; remove them, or leave them out: "
            "reference_mask=np.isfinite(reference_image), moving_mask=np.isfinite(moving_image)"
        )
    product = pair.product
    if normalization == "phase":
        size = np.abs(product)
        product /= np.maximum(size, 100 * np.finfo(size.dtype).eps, out=size)
    correlation = pair.inverse(product)
    at = np.unravel_index(int(np.argmax(np.abs(correlation))), correlation.shape)
    peak = complex(correlation[at])
    shift = _signed(at, reference.shape).astype(product.real.dtype)
    amplitude = math.prod(pair.energies)
    if upsample_factor != 1:
        shift, peak = _upsampled(pair, product, shift, upsample_factor)
        amplitude *= float(reference.size) ** 2  # the up-sampled sum is not divided by the number of pixels
    shift[[n == 1 for n in reference.shape]] = 0
    error = math.nan if amplitude == 0 else math.sqrt(abs(1 - abs(peak) ** 2 / amplitude))
    return PhaseShift(shift, error, math.atan2(peak.imag, peak.real), amplitude == 0)


class _Pair:
    """The product of two transforms, of which all or one half along the last axis is stored."""

    shape: tuple[int, ...]
    product: NDArray[Any]
    energies: tuple[float, float]

    def inverse(self, product: NDArray[Any]) -> NDArray[Any]:
        """Return the correlation at every whole-pixel lag."""
        raise NotImplementedError

    def along_last_axis(self, product: NDArray[Any], positions: NDArray[np.float64]) -> NDArray[Any]:
        """Return the inverse transform along the last axis at the given positions, not normalised."""
        raise NotImplementedError


class _ComplexPair(_Pair):
    def __init__(self, reference: NDArray[Any], moving: NDArray[Any], fourier: bool) -> None:
        self.shape = reference.shape
        a, b = (reference, moving) if fourier else (scipy.fft.fftn(reference), scipy.fft.fftn(moving))
        self.product = np.asarray(a * np.conj(b)).astype(np.result_type(a, b, np.complex64), copy=False)
        self.energies = tuple(float(np.sum(np.abs(x) ** 2)) / x.size for x in (a, b))  # type: ignore[assignment]

    def inverse(self, product: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(scipy.fft.ifftn(product))

    def along_last_axis(self, product: NDArray[Any], positions: NDArray[np.float64]) -> NDArray[Any]:
        waves = _waves(scipy.fft.fftfreq(self.shape[-1]), positions, product.dtype)
        return np.asarray(product @ waves)


class _RealPair(_Pair):
    def __init__(self, reference: NDArray[Any], moving: NDArray[Any]) -> None:
        self.shape = reference.shape
        a, b = scipy.fft.rfftn(reference), scipy.fft.rfftn(moving)
        self.product = np.multiply(a, np.conj(b, out=b), out=b)
        self.energies = (_energy(reference), _energy(moving))

    def inverse(self, product: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(scipy.fft.irfftn(product, self.shape))

    def along_last_axis(self, product: NDArray[Any], positions: NDArray[np.float64]) -> NDArray[Any]:
        n = self.shape[-1]
        pairs = slice(1, (n + 1) // 2)  # frequencies whose negative is not stored
        frequencies = np.arange(n // 2 + 1) / n
        waves = _waves(frequencies, positions, product.dtype)
        half = product[..., pairs] @ waves[pairs]
        mirrored = np.conj(half)
        for axis in range(half.ndim - 1):
            mirrored = np.roll(np.flip(mirrored, axis), 1, axis)
        out = half + mirrored + product[..., :1]
        if n % 2 == 0 and n > 1:  # the middle frequency counts as the negative one
            out += product[..., -1:] * np.conj(waves[-1])
        return np.asarray(out)


def _energy(image: NDArray[Any]) -> float:
    values = image.astype(np.float64, copy=False).ravel()
    return float(values @ values)


def _waves(
    frequencies: NDArray[np.float64], positions: NDArray[np.float64], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Return exp(2 pi i f s) for every frequency f (rows) and position s (columns)."""
    return np.asarray(np.exp(2j * np.pi * frequencies[:, None] * positions), dtype)


def _signed(at: tuple[Any, ...], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return an index as a lag: beyond the middle it is a negative one."""
    return np.array([i - n if i > n // 2 else i for i, n in zip(at, shape, strict=True)], np.float64)


def _upsampled(
    pair: _Pair, product: NDArray[Any], shift: NDArray[Any], upsample_factor: float
) -> tuple[NDArray[Any], complex]:
    """Return the shift, to 1 / `upsample_factor` px, and the correlation at its maximum near `shift`."""
    factor = float(upsample_factor)
    start = np.round(shift.astype(np.float64) * factor) / factor
    count = math.ceil(1.5 * factor)
    steps = (np.arange(count) - count // 2) / factor
    values = np.moveaxis(pair.along_last_axis(product, start[-1] + steps), -1, 0)
    for axis in range(shift.size - 2, -1, -1):
        waves = _waves(scipy.fft.fftfreq(pair.shape[axis]), start[axis] + steps, product.dtype)
        values = np.moveaxis(values @ waves, -1, 0)
    at = np.unravel_index(int(np.argmax(np.abs(values))), values.shape)
    return (start + steps[list(at)]).astype(shift.dtype), complex(values[at])


def disambiguated(
    reference: NDArray[Any], moving: NDArray[Any], shift: NDArray[Any], space: str
) -> NDArray[Any] | None:
    """Return which of the shifts that are equal modulo the shape correlates best, or None.

    The moving image is shifted with its edges wrapped round; these edges cut it into tiles, each of
    which belongs to one of the shifts.
    """
    if space.lower() == "fourier":
        reference, moving = (scipy.fft.ifftn(image) for image in (reference, moving))
    reference, moving = (np.real(image).astype(np.float64, copy=False) for image in (reference, moving))
    positive = [s % n for s, n in zip(shift, reference.shape, strict=True)]
    cuts = [round(float(p)) for p in positive]
    if np.all(shift % 1 == 0):
        shifted = np.roll(moving, cuts, tuple(range(moving.ndim)))
    else:
        shifted = scipy.ndimage.shift(moving, shift, mode="grid-wrap", order=3)
    best, found = -1.0, None
    for wrapped in itertools.product((True, False), repeat=moving.ndim):
        tile = tuple(slice(0, c) if w else slice(c, None) for c, w in zip(cuts, wrapped, strict=True))
        value = _coefficient(reference[tile], shifted[tile])
        if value > best:
            best, found = value, wrapped
    if found is None:
        return None
    shifts = [p - n if w else p for p, n, w in zip(positive, reference.shape, found, strict=True)]
    return np.array(shifts, shift.dtype)


def _coefficient(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the correlation coefficient; -1 where there are too few pixels or no variance."""
    if a.size <= 2:
        return -1.0
    x, y = (a - a.mean()).ravel(), (b - b.mean()).ravel()
    energy = float(x @ x) * float(y @ y)
    return float(x @ y) / math.sqrt(energy) if energy > 0 else -1.0
