"""Masked NCC with scikit-image's conventions: rejected lags hold 0.0, equal maxima are averaged."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from maskreg.core.greatest import CentredImage, greatest_ncc_lag, side_by_side
from maskreg.core.plan import window_length
from maskreg.core.spectra import cross, transform
from maskreg.errors import InputError, InputTypeError
from maskreg.geometry import lag_axis
from maskreg.stream import available_cores

SMALLEST_THREADED = 512
"""Where no image is longer than this, threads take longer to begin and to meet than they save."""

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
    with scipy.fft.set_workers(available_cores() if longest > SMALLEST_THREADED else 1):
        a, b = side_by_side(lambda side: checked(*side), sides)
        if longest > SMALLEST_SEARCHED:
            lag = greatest_ncc_lag(a, b, overlap_ratio)
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
    """Return the masked NCC at every lag, 0.0 where rejected or without variance."""
    shapes = list(zip(a.mask.shape, b.mask.shape, strict=True))
    window = tuple(window_length(p, q, None) for p, q in shapes)
    crop = np.ix_(*(lag_axis(p, q) % n for (p, q), n in zip(shapes, window, strict=True)))
    x, y = a.pixels.astype(dtype), b.pixels.astype(dtype)
    fx, fxx, fm = (transform(v, window) for v in (x, x * x, a.mask.astype(dtype)))
    fy, fyy = (transform(v, window) for v in (y, y * y))
    fn = fm if a.mask is b.mask else transform(b.mask.astype(dtype), window)

    def at_lags(p: NDArray[Any], q: NDArray[Any]) -> NDArray[Any]:
        return cross(p, q, window)[crop]

    eps = np.finfo(dtype).eps
    overlap = np.maximum(np.rint(at_lags(fm, fn)), eps)
    sum_a, sum_b = at_lags(fx, fn), at_lags(fm, fy)
    covariance = at_lags(fx, fy) - sum_a * sum_b / overlap
    energy_a = np.maximum(at_lags(fxx, fn) - sum_a**2 / overlap, 0)
    energy_b = np.maximum(at_lags(fm, fyy) - sum_b**2 / overlap, 0)
    root = np.sqrt(energy_a * energy_b)
    if same:
        middle = tuple(slice((p + q - 1 - p) // 2, (p + q - 1 - p) // 2 + p) for p, q in shapes)
        overlap, covariance, root = overlap[middle], covariance[middle], root[middle]
    # as scikit-image: what is so faint beside the greatest energy is rounding
    enough = (root > 1e3 * eps * root.max(initial=0)) & (overlap >= overlap_ratio * overlap.max(initial=0))
    out = np.zeros(root.shape, dtype)
    np.divide(covariance, root, out=out, where=enough)
    return np.clip(out, -1, 1, out=out)


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
