"""Move an image by a fraction of a pixel, its mask with it, letting nothing invalid leak.

The kernel is Lagrange's polynomial through the `order + 1` nearest pixels, one axis after the
other: it is short, so that a masked pixel spoils few others; it needs no prefilter that would
carry a masked pixel through the whole image; and it reproduces polynomials up to `order`, so
that a bright background comes out as it was. Along an axis whose shift is whole nothing is
interpolated at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, isfinite, isnan, prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.errors import InputError, InputTypeError
from maskreg.labelled import labelled_like, warn_of_a_mask
from maskreg.mask_doubt import ensure_truth_values

_ORDERS = (0, 1, 3, 5)

_ROUNDING = float(np.finfo(np.float64).eps)
"""A fraction of a pixel below this is whole: the weights of the neighbours are lost in rounding."""


def shift_image(
    image: ArrayLike,
    shift: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    fill: float = float("nan"),
    order: int = 5,
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return `image` moved by `shift`, and which of its pixels are valid.

    Parameters
    ----------
    image : array_like of real numbers, n-D
        May be a `numpy.ma.MaskedArray`, or an `xarray.DataArray`: then so are both results, with its
        coordinates. Pixels that are masked or not finite are invalid.
    shift : (ndim,) array_like of float
        To apply, px, in axis order: content at ``x`` goes to ``x + shift``, as in
        ``scipy.ndimage.shift(image, shift)``.
    mask : array_like of bool, same shape, optional
        True = valid.
    fill : float
        What invalid pixels of the result hold.
    order : {5, 3, 1, 0}
        Degree of the interpolating polynomial; 0 takes the nearest pixel.

    Returns
    -------
    image : ndarray, same shape
        If the shift is whole along every axis (always so for order 0) and `fill` is a value
        of the image's type, that type and the very same values. Otherwise float32 for
        integers of up to 16 bits, float16 and float32, and float64 for everything else.
    mask : bool ndarray, same shape
        True where every pixel that the value was made of is valid and inside the image:
        `order + 1` along each axis whose shift is not whole, one along the others.

    Raises
    ------
    InputError
        When `shift` is not one finite number an axis, or `mask`, `fill` or `order` cannot be used.
    InputTypeError
        When the image does not hold real numbers, or the mask no truth values.

    Examples
    --------
    >>> image = np.arange(12.0).reshape(3, 4)
    >>> moved, valid = shift_image(image, (0, 1))
    >>> moved[0]
    array([nan,  0.,  1.,  2.])
    >>> valid[0]
    array([False,  True,  True,  True])
    """
    if order not in _ORDERS:
        raise InputError(f"order is {order!r}; it must be 5, 3, 1 or 0 (nearest pixel)")
    fill = _number(fill, "fill", "it must be a number, or NaN")
    warn_of_a_mask(mask, image)
    pixels, valid = _pixels_and_mask(image, mask)
    taps = [_taps(-step, int(order)) for step in _checked_shift(shift, pixels.ndim)]
    whole = all(len(weights) == 1 for _, weights in taps)
    dtype = _result_dtype(pixels.dtype, fill, keep=whole)
    # what is invalid must be finite before it is multiplied; it is only ever summed into invalid pixels
    moved = np.where(valid, pixels, 0).astype(dtype, copy=False)
    for axis, (first, weights) in enumerate(taps):
        moved = _interpolated(moved, axis, first, weights)
        valid = _all_valid(valid, axis, first, len(weights))
    moved[~valid] = fill
    return labelled_like(image, moved), labelled_like(image, valid)


def _taps(offset: float, order: int) -> tuple[int, list[float]]:
    """Return which pixels make up the value `offset` px away, and their weights.

    Parameters
    ----------
    offset : float
        From the pixel of the result to the place in the image that it shows, px.
    order : int
        See `shift_image`.

    Returns
    -------
    first : int
        Distance to the first of the neighbouring pixels used, px.
    weights : list of float
        Of this and the following pixels; a single 1 for a whole offset.
    """
    if order == 0:
        return floor(offset + 0.5), [1.0]
    if abs(offset - round(offset)) <= _ROUNDING:
        return round(offset), [1.0]
    whole = floor(offset)
    fraction = offset - whole
    before = order // 2
    nodes = range(-before, order - before + 1)
    return whole - before, [_lagrange(fraction, node, nodes) for node in nodes]


def _lagrange(at: float, node: int, nodes: Sequence[int]) -> float:
    """Return the polynomial that is 1 at `node` and 0 at all other `nodes`, at the place `at`."""
    return prod((at - other) / (node - other) for other in nodes if other != node)


def _interpolated(image: NDArray[Any], axis: int, first: int, weights: list[float]) -> NDArray[Any]:
    """Return the weighted sum of neighbours along `axis`; 0 where one of them is outside."""
    result = np.zeros_like(image)
    source, target = np.moveaxis(image, axis, 0), np.moveaxis(result, axis, 0)
    start, stop = _inside(len(source), first, len(weights))
    if weights == [1.0]:
        target[start:stop] = source[start + first : stop + first]
        return result
    product = np.empty_like(target[start:stop])
    for position, weight in enumerate(weights, first):
        np.multiply(source[start + position : stop + position], image.dtype.type(weight), out=product)
        target[start:stop] += product
    return result


def _all_valid(valid: NDArray[np.bool_], axis: int, first: int, count: int) -> NDArray[np.bool_]:
    """Return where all `count` neighbours along `axis`, starting `first` away, are valid and inside."""
    result = np.zeros_like(valid)
    source, target = np.moveaxis(valid, axis, 0), np.moveaxis(result, axis, 0)
    start, stop = _inside(len(source), first, count)
    target[start:stop] = True
    for position in range(first, first + count):
        target[start:stop] &= source[start + position : stop + position]
    return result


def _inside(length: int, first: int, count: int) -> tuple[int, int]:
    """Return the range of pixels all of whose neighbours are inside; empty at 0 if there is none."""
    start = max(0, -first)
    stop = min(length, length - first - count + 1)
    return (start, stop) if start < stop else (max(0, -first), max(0, -first))


def _pixels_and_mask(image: Any, mask: ArrayLike | None) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    pixels = np.ma.getdata(image)
    if pixels.dtype.kind not in "biuf":
        raise InputTypeError(f"image holds {pixels.dtype}; it must hold real numbers")
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    valid = np.isfinite(pixels) & ~np.ma.getmaskarray(image)
    if mask is None:
        return pixels, valid
    given = np.asarray(mask)
    if given.shape != pixels.shape:
        raise InputError(f"mask has shape {given.shape}, the image has {pixels.shape}; they must agree")
    ensure_truth_values("mask", given)
    return pixels, valid & given.astype(bool)


def _checked_shift(shift: ArrayLike, ndim: int) -> list[float]:
    steps = [
        _number(step, "shift", "it must be one number per axis, px, as answer.shift is")
        for step in np.atleast_1d(shift)
    ]
    if len(steps) != ndim:
        hint = (
            ": a 0 behind them for colours, before them for a stack" if ndim == 3 and len(steps) == 2 else ""
        )
        raise InputError(
            f"shift has {len(steps)} numbers {steps}, the image has {ndim} axes; give one per axis{hint}"
        )
    if not all(map(isfinite, steps)):
        raise InputError(f"shift is {steps}; a frame without an answer cannot be moved")
    return steps


def _number(value: Any, name: str, wanted: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        shown = f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else repr(value)
        raise InputError(f"{name} is {shown}; {wanted}") from None


def _result_dtype(dtype: np.dtype[Any], fill: float, *, keep: bool) -> np.dtype[Any]:
    """Return `dtype` itself if it is to be kept and can hold `fill`, else the float type that can."""
    if keep and _represents(dtype, fill):
        return dtype
    small = dtype.itemsize <= 2 or dtype == np.float32
    wider = np.dtype(np.float32 if small else np.float64)
    if not _represents(wider, fill):
        raise InputError(f"fill is {fill}, which is too large for {wider}; try NaN")
    return wider


def _represents(dtype: np.dtype[Any], fill: float) -> bool:
    """Whether `fill` is a value that pixels of `dtype` can have."""
    if dtype.kind == "f":
        return not isfinite(fill) or abs(fill) <= float(np.finfo(dtype).max)
    if isnan(fill) or not float(fill).is_integer():
        return False
    if dtype.kind == "b":
        return fill in (0, 1)
    return bool(np.iinfo(dtype).min <= fill <= np.iinfo(dtype).max)
