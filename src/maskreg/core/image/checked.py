"""Check what users pass: an image and its mask, of any real dtype and memory layout."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.core.image.prepare_kernels import all_finite
from maskreg.errors import InputError, InputTypeError
from maskreg.mask_doubt import doubt_of, ensure_truth_values

log = logging.getLogger(__name__)

COLOURS = (3, 4)
"""How many channels a picture in colour has, along its last axis."""

SMALLEST_PICTURE = 16
"""Rows or columns below which such an array is rather a small volume, px."""


def checked_image(
    name: str, image: ArrayLike, mask: ArrayLike | None = None, *, mask_name: str | None = None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the image as a native real array and the mask of its usable pixels.

    Parameters
    ----------
    name : str
        What the caller calls the image; errors repeat it.
    image : array_like
        Real, 1-D or more, any dtype and layout; a `numpy.ma` array brings its own (opposite) mask.
    mask : array_like of bool, optional
        True = valid, same shape as the image.
    mask_name : str, optional
        What the caller calls the mask; default ``{name}_mask``.

    Returns
    -------
    image : ndarray
        Native byte order, a plain ndarray; float16 widened to float32, bool to uint8.
    mask : ndarray of bool
        True where the mask is, the `numpy.ma` mask is not, and the pixel is finite.

    Raises
    ------
    InputTypeError
        The image is complex, text or objects.
    InputError
        The image is empty or a scalar, or the mask has another shape or no truth values.
    """
    pixels = _real_array(name, image)
    valid = np.ones(pixels.shape, bool) if mask is None else _fitting_mask(name, pixels, mask, mask_name)
    if np.ma.isMaskedArray(image):
        valid = valid & ~np.ma.getmaskarray(image)
    if pixels.dtype.kind == "f":
        valid = valid & np.isfinite(pixels)
    # one layout, writeable or not in the caller's hands: one compiled kernel serves all, and sums run
    # in one order, so that the same image gives the same bits
    return checked_pixels(name, pixels), np.require(valid, requirements=["C", "W"])


def every_pixel_counts(image: ArrayLike, mask: ArrayLike | None) -> bool:
    """Whether an image has no ignored pixel: without any mask, integers or finite numbers."""
    if mask is not None or not isinstance(image, np.ndarray) or np.ma.isMaskedArray(image):
        return False
    if image.dtype.kind in "bui":
        return True
    # in one compiled pass: a mask that says so of each pixel would be made, combined and compared
    plain = image.dtype in (np.float32, np.float64) and image.dtype.isnative and image.flags.c_contiguous
    return plain and bool(all_finite(np.asarray(image).reshape(-1), np.finfo(image.dtype).max))


def checked_pixels(name: str, image: ArrayLike) -> NDArray[Any]:
    """Return the image as `checked_image` does, without a mask."""
    return np.require(_real_array(name, image), requirements=["C", "W"])


def _real_array(name: str, image: ArrayLike) -> NDArray[Any]:
    try:
        pixels = np.asarray(np.ma.getdata(image))
    except ValueError as error:
        raise InputError(f"{name} is not a rectangular array: {error}") from None
    if pixels.dtype.kind not in "buif":
        if pixels.ndim == 0:
            raise InputTypeError(
                f"{name} is of type {type(image).__name__}; give an array "
                "(maskreg.open_frames(file).read(0) is that of a file)"
            )
        kind = "complex" if pixels.dtype.kind == "c" else f"of dtype {pixels.dtype}"
        raise InputTypeError(
            f"{name} is {kind}; images are real numbers, try abs({name}) or {name}.astype(float)"
        )
    if pixels.ndim == 0 or pixels.size == 0:
        raise InputError(f"{name} has shape {pixels.shape}; an image has at least one axis and one pixel")
    if pixels.dtype.kind == "b":
        return pixels.astype(np.uint8)
    if pixels.dtype == np.float16:
        return pixels.astype(np.float32)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def checked_mask(name: str, mask: ArrayLike) -> NDArray[np.bool_]:
    """Return a mask as a boolean array.

    Raises
    ------
    InputTypeError, InputError
        It holds no truth values, or is empty or ragged.
    """
    try:
        valid = np.asarray(mask)
    except ValueError as error:
        raise InputError(f"{name} is not a rectangular array: {error}") from None
    if valid.ndim == 0:
        raise InputTypeError(
            f"{name} is of type {type(mask).__name__}; give an array "
            "(maskreg.masks.load_mask reads one from a file)"
        )
    ensure_truth_values(name, valid)
    if valid.size == 0:
        raise InputError(f"{name} has shape {valid.shape}; it holds no pixel")
    truth = valid.astype(bool, copy=False)
    # of numbers that ignore something nothing more is asked: it would take longer than all else here
    if truth is not valid and truth.all() and (doubt := doubt_of(valid)) is not None:
        log.warning("%s %s", name, doubt)
    return truth


def _fitting_mask(
    name: str, pixels: NDArray[Any], mask: ArrayLike, mask_name: str | None
) -> NDArray[np.bool_]:
    mask_name = mask_name or f"{name}_mask"
    valid = checked_mask(mask_name, mask)
    if valid.shape != pixels.shape:
        in_colour = _may_be_in_colour(pixels) and valid.shape == pixels.shape[:2]
        hint = f" (is {name} in colour? Then convert it to grey)" if in_colour else ""
        raise InputError(
            f"{mask_name} has shape {valid.shape}, {name} has {pixels.shape}; they must be equal{hint}"
        )
    return valid


def warn_of_colour(name: str, pixels: NDArray[Any]) -> None:
    """Say so where a volume looks like a picture in colour: thin volumes are honest, so it is no error."""
    if _may_be_in_colour(pixels):
        log.warning(
            "%s has shape %s and is taken for a volume; is it a picture in colour? "
            "Then take one channel, such as %s[..., 1], or convert it to grey",
            name,
            pixels.shape,
            name,
        )


def _may_be_in_colour(pixels: NDArray[Any]) -> bool:
    return pixels.ndim == 3 and pixels.shape[2] in COLOURS and min(pixels.shape[:2]) >= SMALLEST_PICTURE


def check_same_axes(reference: NDArray[Any], moving: NDArray[Any]) -> None:
    """Raise `InputError` unless both images have the same number of axes."""
    if reference.ndim != moving.ndim:
        in_colour = _may_be_in_colour(reference) or _may_be_in_colour(moving)
        hint = "; one in colour is converted to grey first" if in_colour else ""
        raise InputError(
            f"reference has shape {reference.shape}, moving has {moving.shape}; "
            f"they need the same number of axes (their lengths may differ{hint})"
        )


def centred(pixels: NDArray[Any], mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float]:
    """Return the image less its masked mean, zero where ignored, scaled to a largest value of 1.

    Taking the mean off before anything is squared is what keeps 60000 +/- 5 exact; the scale
    keeps squares of any dtype's values inside the floating-point range.

    Returns
    -------
    image : ndarray of float64
        Same shape; all zero when no pixel is valid or all are equal.
    resolution : float
        The step, in the units of the returned image, below which differences may be rounding
        of the input's own values.
    """
    out = np.zeros(pixels.shape, np.float64)
    values = pixels[mask].astype(np.float64)
    if values.size == 0:
        return out, 0.0
    # divided before summing: a mean of values near the largest float must not overflow
    largest = float(np.abs(values).max())
    if largest == 0.0:
        return out, 0.0
    values /= largest
    values -= values.mean()
    scale = float(np.abs(values).max())
    if scale <= 4 * np.finfo(np.float64).eps:
        return out, 0.0
    out[mask] = values / scale
    return out, float(np.finfo(np.float64).eps / scale)
