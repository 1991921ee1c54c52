"""scikit-image's `phase_cross_correlation` and `cross_correlate_masked`, sooner.

Signatures, return values, conventions and exceptions are those of scikit-image 0.24 to 0.26: the
shift of images of unequal shape relates their centres, equal maxima are averaged, rejected lags hold
0.0, and with masks error and phase are NaN. `maskreg.register` gives our own answer.

Where scikit-image is wrong:

==========================================  ===============================================
scikit-image                                here
==========================================  ===============================================
NaN in a valid pixel, with masks: (0, 0)    ValueError, which says what to do
no correlation anywhere: (0, 0)             the same, with a warning
float32 with a large offset: rounding       the masked mean is off before anything is squared
`moving_mask` alone: AttributeError         every pixel of the reference is valid
`upsample_factor` with masks: ignored       ignored, with a warning
several equal maxima: a lag between them    the same, with a warning
masked arrays: their masks are ignored      ignored, with a warning
==========================================  ===============================================

With masks, what is computed of the last reference and of the last masks is kept for the next call
(`maskreg.compat.last_reference`): a series against one reference takes less time than as many single pairs,
and gives the same bytes. At most 576 MB are kept beside some copies of the reference, until others come.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.compat.masked import float_type, masked_ncc, masked_shift
from maskreg.compat.phase import disambiguated, phase_shift
from maskreg.errors import InputError
from maskreg.mask_doubt import doubt_of

__all__ = ["cross_correlate_masked", "phase_cross_correlation"]


def phase_cross_correlation(  # type: ignore[no-untyped-def]  # the signature is scikit-image's
    reference_image,
    moving_image,
    *,
    upsample_factor=1,
    space="real",
    disambiguate=False,
    reference_mask=None,
    moving_mask=None,
    overlap_ratio=0.3,
    normalization="phase",
):
    """Return the shift between two images, as scikit-image's function of this name does.

    Parameters
    ----------
    reference_image, moving_image : (M, N, ...) ndarray
        The same shape, unless both masks are given.
    upsample_factor : int
        The shift is a multiple of 1 / `upsample_factor` px. Without masks only.
    space : {'real', 'fourier'}
        Whether the images are images or their transforms. Without masks only.
    disambiguate : bool
        Choose between the shifts that are equal modulo the shape. Without masks only.
    reference_mask, moving_mask : ndarray of bool, optional
        True = valid. Either one makes the correlation a masked NCC. Without `moving_mask` that of
        the reference serves both; without `reference_mask` all of the reference is valid.
    overlap_ratio : float
        With masks: least overlap, as a fraction of the greatest one.
    normalization : {'phase', None}
        Without masks: phase or plain cross-correlation.

    Returns
    -------
    shift : (ndim,) ndarray of float
        To apply to `moving_image`, px, in axis order; it relates the centres of the images.
    error : float
        Translation-invariant RMS error; NaN with masks.
    phasediff : float
        Phase of the correlation at its maximum, radians; NaN with masks.

    Raises
    ------
    ValueError
        The shapes do not fit, a valid pixel is not finite, or an argument has no such value.
    """
    for name, image in (("reference", reference_image), ("moving", moving_image)):
        if np.ma.is_masked(image):
            warnings.warn(
                f"the mask of {name}_image is ignored, as in scikit-image: "
                f"give {name}_mask=~np.ma.getmaskarray({name}_image), or take maskreg.register",
                stacklevel=2,
            )
    reference, moving = np.asarray(reference_image), np.asarray(moving_image)
    if reference_mask is not None or moving_mask is not None:
        if upsample_factor != 1:
            warnings.warn(
                f"upsample_factor is {upsample_factor}, and is ignored with masks; "
                "maskreg.register answers to a fraction of a pixel",
                stacklevel=2,
            )
        if not overlap_ratio <= 1:
            raise InputError(
                f"overlap_ratio is {overlap_ratio}; it is a fraction of the greatest overlap, 0 to 1"
            )
        masks = _both_masks(reference, moving, reference_mask, moving_mask)
        shift, remark = masked_shift(reference, moving, *masks, overlap_ratio)
        if remark:
            warnings.warn(remark, stacklevel=2)
        return shift, np.nan, np.nan
    found = phase_shift(reference, moving, upsample_factor, space, normalization)
    shift = found.shift
    if disambiguate:
        real = disambiguated(reference, moving, shift, space)
        if real is None:
            warnings.warn(
                f"Could not determine real-space shift for {shift!r}: no part of the images, wrapped "
                "round, correlates; it stays as it is, modulo the shape",
                stacklevel=2,
            )
        else:
            shift = real
    if found.empty:
        warnings.warn(
            "Could not determine RMS error between images: one of them is zero everywhere", stacklevel=2
        )
    return shift, found.error, found.phase


def cross_correlate_masked(  # type: ignore[no-untyped-def]  # the signature is scikit-image's
    arr1,
    arr2,
    m1,
    m2,
    mode="full",
    axes=(-2, -1),
    overlap_ratio=0.3,
):
    """Return the masked NCC of two arrays, as scikit-image's function of this name does.

    Its time is that of real transforms in the precision of the result (`core/transforms`): nine
    for new images behind the same masks, five against the last reference. They have room for the lags of
    enough overlap; the others hold 0.0 without being computed. Who needs the best lag alone is quicker with
    `phase_cross_correlation`, which does not compute them all.

    Parameters
    ----------
    arr1, arr2 : ndarray
        Real. Along axes that are not correlated their lengths are equal.
    m1, m2 : ndarray
        True (nonzero) = valid, of the shape of their arrays.
    mode : {'full', 'same'}
        Every lag, ascending, or the middle part of the shape of `arr1`.
    axes : tuple of int
        Axes to correlate.
    overlap_ratio : float
        Lags of less overlap than this fraction of the greatest hold 0.0.

    Returns
    -------
    ndarray of float32 or float64
        In [-1, 1]; 0.0 also where an image has no variance.

    Raises
    ------
    ValueError
        There is no such mode, an array is complex, shapes do not fit, or a valid pixel is not finite.
    """
    if mode not in ("full", "same"):
        raise InputError(f"mode is {mode!r}; it must be 'full' or 'same'")
    fixed, moving = np.asarray(arr1), np.asarray(arr2)
    dtype = float_type(fixed, moving)
    masks = [np.asarray(m).astype(bool) for m in (m1, m2)]
    for name, image, mask in (("1", fixed, masks[0]), ("2", moving, masks[1])):
        if image.shape != mask.shape:
            raise InputError(
                f"m{name} has shape {mask.shape}, arr{name} has {image.shape}; they must be equal"
            )
    if np.array_equal(masks[0], masks[1]):  # transformed once
        masks[1] = masks[0]
    chosen = [axis % fixed.ndim for axis in axes]
    batch = [axis for axis in range(fixed.ndim) if axis not in chosen]
    if fixed.ndim != moving.ndim or any(fixed.shape[axis] != moving.shape[axis] for axis in batch):
        raise InputError(
            f"arr1 has shape {fixed.shape}, arr2 has {moving.shape}; they may differ only along axes={axes}"
        )
    order = [*batch, *chosen]
    pixels = [x.transpose(order) for x in (fixed, moving)]
    valid = [x.transpose(order) for x in masks]
    outer = pixels[0].shape[: len(batch)]
    maps = []
    for i in np.ndindex(*outer):
        here = valid[0][i]
        there = here if masks[1] is masks[0] else valid[1][i]
        pair = pixels[0][i], pixels[1][i]
        maps.append(
            masked_ncc(("arr1", "arr2"), pair, (here, there), dtype, overlap_ratio, same=mode == "same")
        )
    stacked = (np.stack(maps) if len(maps) > 1 else maps[0]).reshape(*outer, *maps[0].shape)
    return np.ascontiguousarray(stacked.transpose(np.argsort(order)))


def _both_masks(
    reference: NDArray[Any], moving: NDArray[Any], reference_mask: Any, moving_mask: Any
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return a mask for each image, one and the same array where they are equal."""
    if moving_mask is None:
        if reference.shape != moving.shape:
            raise InputError(
                f"reference_image has shape {reference.shape}, moving_image has {moving.shape}; "
                "give moving_mask as well"
            )
        moving_mask = reference_mask
    if reference_mask is None:
        reference_mask = np.ones(reference.shape, bool)
    if doubt := doubt_of(np.asarray(reference_mask)):
        warnings.warn(f"reference_mask {doubt}", stacklevel=3)
    a_mask, b_mask = (np.asarray(mask).astype(bool) for mask in (reference_mask, moving_mask))
    for name, image, mask in (("reference", reference, a_mask), ("moving", moving, b_mask)):
        if image.shape != mask.shape:
            raise InputError(
                f"{name}_mask has shape {mask.shape}, {name}_image has {image.shape}; they must be equal"
            )
    if reference.ndim != moving.ndim:
        raise InputError(
            f"reference_image has shape {reference.shape}, moving_image has {moving.shape}; "
            "they need the same number of axes"
        )
    return a_mask, a_mask if np.array_equal(a_mask, b_mask) else b_mask
