"""Masked NCC with scikit-image's conventions: rejected lags hold 0.0, equal maxima are averaged."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from maskreg.core.centred import CentredImage
from maskreg.core.greatest import greatest_ncc_lag
from maskreg.core.memory import keep_freed_memory
from maskreg.core.plan import window_length
from maskreg.core.spectra import cross, lag_sums, transform
from maskreg.errors import InputError, InputTypeError
from maskreg.geometry import lag_axis
from maskreg.stream import available_cores

keep_freed_memory()

SMALLEST_THREADED = 512
"""Where no image is as long as this, threads take longer to begin and to meet than they save."""

ROUNDINGS = 2
"""So many roundings of an image's energy, all of it, may be in the sums over an overlap."""

FAINT = 1e3
"""As scikit-image: what is so many roundings of the greatest root of energies, or less, is rounding."""

SMALLEST_SEARCHED = 192
"""Where no image is longer than this, all lags are computed as soon as the greatest is proven."""


def masked_shift(
    reference: NDArray[Any],
    moving: NDArray[Any],
    reference_mask: NDArray[np.bool_],
    moving_mask: NDArray[np.bool_],
    overlap_ratio: float,
) -> tuple[NDArray[np.float64], str]:
    """Return the whole-pixel shift of the greatest masked NCC, relating the centres, and a remark.

    The remark says what is wrong with the answer, if anything.
    """
    dtype = float_type(reference, moving)
    sides = ("reference_image", reference, reference_mask), ("moving_image", moving, moving_mask)
    between_centres = (np.array(moving.shape) - np.array(reference.shape)) / 2
    longest = max(*reference.shape, *moving.shape)
    with scipy.fft.set_workers(available_cores() if longest >= SMALLEST_THREADED else 1):
        a, b = (checked(*side) for side in sides)
        if longest > SMALLEST_SEARCHED:
            lag = greatest_ncc_lag(a, b, overlap_ratio, FAINT * np.finfo(dtype).eps)
            if lag is not None:
                return np.array(lag) + between_centres, ""
        values = ncc_map(a, b, dtype, overlap_ratio)
    found = np.argwhere(values == values.max())
    first = [lag_axis(p, q)[0] for p, q in zip(a.mask.shape, b.mask.shape, strict=True)]
    return found.mean(axis=0) + first + between_centres, _remark(values.max(), len(found))


def _remark(greatest: float, equal: int) -> str:
    if greatest <= 0:
        return (
            "the images correlate at no shift (flat, nothing valid in both, or reversed contrast): "
            "the answer means nothing; maskreg.register says so in its status"
        )
    if equal > 1:
        return (
            f"{equal} shifts correlate equally well: the answer is their mean, where there may be nothing; "
            "maskreg.register names the best place and its rival"
        )
    return ""


def ncc_map(
    a: CentredImage, b: CentredImage, dtype: Any, overlap_ratio: float, *, same: bool = False
) -> NDArray[Any]:
    """Return the masked NCC at every lag, 0.0 where rejected or without variance.

    `same` leaves only the middle ones, as many as the shape of `a`.
    """
    spans = []
    for p, q in zip(a.mask.shape, b.mask.shape, strict=True):
        first = 1 - q + (q - 1) // 2 if same else 1 - q
        spans.append((first, first + p if same else p))
    out, root, overlap = (map_2d if a.mask.ndim == 2 else plain_map)(a, b, dtype, spans)
    eps = np.finfo(dtype).eps
    out[root <= FAINT * eps * root.max(initial=0)] = 0
    out[overlap < overlap_ratio * overlap.max(initial=0)] = 0
    return out


def map_2d(
    a: CentredImage, b: CentredImage, dtype: Any, spans: list[tuple[int, int]]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return NCC, root of the product of both energies, and overlap, at lags of two axes."""
    from maskreg.core.race_kernels import ncc_2d

    x, y = (image.deviations.astype(dtype, copy=False) for image in (a, b))
    images = [x, x * x, y, y * y, a.mask.astype(dtype)]
    here = there = len(images) - 1
    if a.mask is not b.mask:
        images.append(b.mask.astype(dtype))
        there += 1
    pairs = [(here, there), (0, there), (1, there), (here, 2), (here, 3), (0, 2)]
    ncc, root, overlap = (np.empty([end - first for first, end in spans], dtype) for _ in range(3))
    for rows, sums in lag_sums(images, pairs, _window(a, b, spans), spans):
        ncc_2d(sums, *_least_energies(a, b, dtype), ncc[rows], root[rows], overlap[rows])
    return ncc, root, overlap


def plain_map(
    a: CentredImage, b: CentredImage, dtype: Any, spans: list[tuple[int, int]]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return what `map_2d` does, for any number of axes."""
    window = _window(a, b, spans)
    crop = np.ix_(*(np.arange(first, end) % n for (first, end), n in zip(spans, window, strict=True)))
    x, y = (image.deviations.astype(dtype, copy=False) for image in (a, b))
    fx, fxx, fm = (transform(v, window) for v in (x, x * x, a.mask.astype(dtype)))
    fy, fyy = (transform(v, window) for v in (y, y * y))
    fn = fm if a.mask is b.mask else transform(b.mask.astype(dtype), window)

    def at_lags(p: NDArray[Any], q: NDArray[Any]) -> NDArray[Any]:
        return cross(p, q, window)[crop]

    overlap = np.rint(at_lags(fm, fn))
    n = np.maximum(overlap, 1)
    sum_a, sum_b = at_lags(fx, fn), at_lags(fm, fy)
    covariance = at_lags(fx, fy) - sum_a * sum_b / n
    energies = at_lags(fxx, fn) - sum_a**2 / n, at_lags(fm, fyy) - sum_b**2 / n
    energy_a, energy_b = (
        np.where(energy > least, energy, 0)
        for energy, least in zip(energies, _least_energies(a, b, dtype), strict=True)
    )
    root = np.sqrt(energy_a * energy_b)
    out = np.zeros(root.shape, dtype)
    np.divide(covariance, root, out=out, where=root > 0)
    return np.clip(out, -1, 1, out=out), root, overlap


def _window(a: CentredImage, b: CentredImage, spans: list[tuple[int, int]]) -> tuple[int, ...]:
    shapes = zip(a.mask.shape, b.mask.shape, spans, strict=True)
    return tuple(window_length(p, q, max(-first, end - 1)) for p, q, (first, end) in shapes)


def _least_energies(a: CentredImage, b: CentredImage, dtype: Any) -> tuple[Any, ...]:
    """Return the energies in an overlap up to which an image has no variance but that of rounding."""
    eps = float(np.finfo(dtype).eps)
    return tuple(np.dtype(dtype).type(ROUNDINGS * eps * image.energy) for image in (a, b))


def checked(name: str, pixels: NDArray[Any], mask: NDArray[np.bool_]) -> CentredImage:
    """Return an image with its mean off, or say that a valid pixel is not finite."""
    image = CentredImage.of(pixels, mask)
    if not np.isfinite(image.energy):
        raise InputError(
            f"{name} holds NaN or infinite pixels that its mask says are valid; "
            f"leave them out: mask & np.isfinite({name})"
        )
    return image


def float_type(*arrays: NDArray[Any]) -> np.dtype[Any]:
    """Return float32 if all arrays are float16 or float32, else float64."""
    for array in arrays:
        if array.dtype.kind not in "buif":
            raise InputTypeError(f"images are real numbers, not {array.dtype}")
    small = all(array.dtype in (np.float16, np.float32) for array in arrays)
    return np.dtype(np.float32 if small else np.float64)
