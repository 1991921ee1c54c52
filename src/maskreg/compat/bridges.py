"""Shifts as other programs write them, and back.

Arithmetic only: no other library is imported. A shift here is what `maskreg.shift_image` and
``scipy.ndimage.shift`` take: px, in axis order, applied to *moving*. Every function takes one shift
(ndim,) or one a frame (n, ndim), such as `Alignment.shifts`, and the other way round; a NaN, for a
frame without an answer, stays one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.errors import InputError

__all__ = [
    "from_hyperspy",
    "from_itk",
    "from_napari",
    "from_opencv",
    "from_pystackreg",
    "from_skimage",
    "to_hyperspy",
    "to_itk",
    "to_napari",
    "to_opencv",
    "to_pystackreg",
    "to_skimage",
]

Floats = NDArray[np.float64]


def to_hyperspy(shift: ArrayLike) -> Floats:
    """Return shifts for ``Signal2D.align2D(shifts=...)``: the drift, rows then columns.

    hyperspy takes off what it is given, so the sign is the opposite one.
    """
    return -_checked("shift", shift) + 0.0


def from_hyperspy(shifts: ArrayLike) -> Floats:
    """Return what ``Signal2D.estimate_shift2D`` found as shifts."""
    return -_checked("shifts", shifts) + 0.0


def to_opencv(shift: ArrayLike) -> Floats:
    """Return (..., 2, 3) matrices for ``cv2.warpAffine(image, matrix, (cols, rows))``: x before y."""
    return _affine(_checked("shift", shift, ndim=2)[..., ::-1])[..., :2, :]


def from_opencv(matrix: ArrayLike) -> Floats:
    """Return the shift of a (..., 2, 3) matrix as ``cv2.warpAffine`` takes it, flags left alone.

    A matrix of ``cv2.findTransformECC`` is for ``cv2.WARP_INVERSE_MAP``: its shift is the negative of
    what this returns.
    """
    return _translation("matrix", matrix, (2, 3))[..., ::-1]


def to_skimage(shift: ArrayLike) -> Floats:
    """Return (..., 3, 3) matrices for ``skimage.transform.warp(image, matrix)``.

    `warp` asks where in the image a pixel of the result comes from, x before y.
    """
    return _affine(-_checked("shift", shift, ndim=2)[..., ::-1] + 0.0)


def from_skimage(matrix: ArrayLike) -> Floats:
    """Return the shift of (..., 3, 3) matrices such as ``AffineTransform.params`` used with `warp`."""
    return -_translation("matrix", matrix, (3, 3))[..., ::-1] + 0.0


def to_pystackreg(shift: ArrayLike) -> Floats:
    """Return (..., 3, 3) matrices for ``StackReg.transform`` and ``transform_stack(tmats=...)``."""
    return to_skimage(shift)


def from_pystackreg(matrix: ArrayLike) -> Floats:
    """Return the shift of (..., 3, 3) matrices such as ``StackReg.register`` returns."""
    return from_skimage(matrix)


def to_napari(shift: ArrayLike) -> Floats:
    """Return (..., ndim + 1, ndim + 1) matrices for the ``affine`` of a napari layer: axis order."""
    return _affine(_checked("shift", shift))


def from_napari(matrix: ArrayLike) -> Floats:
    """Return the shift of a layer's ``affine.affine_matrix``."""
    size = np.shape(matrix)[-1] if np.ndim(matrix) else 0
    return _translation("matrix", matrix, (size, size))


def to_itk(
    shift: ArrayLike, *, spacing: Sequence[float] | None = None, direction: ArrayLike | None = None
) -> Floats:
    """Return offsets for ``TranslationTransform(ndim, offset)`` of ITK and SimpleITK.

    Resampling the moving image with it lands it on the reference: the transform takes points of
    the reference to points of moving.

    Parameters
    ----------
    shift : (ndim,) or (n, ndim) array_like
    spacing : sequence of float, optional
        ``GetSpacing()`` of the images, x first; default 1.
    direction : (ndim, ndim) array_like, optional
        ``GetDirection()`` of the images, flat or square; default the identity.

    Returns
    -------
    (ndim,) or (n, ndim) ndarray
        In physical units, x first. SimpleITK takes it as a list: ``offset.tolist()``.
    """
    steps = -_checked("shift", shift)[..., ::-1]
    return steps @ _physical(steps.shape[-1], spacing, direction).T + 0.0


def from_itk(
    offset: ArrayLike, *, spacing: Sequence[float] | None = None, direction: ArrayLike | None = None
) -> Floats:
    """Return the shift of an ITK translation; the inverse of `to_itk`."""
    points = _checked("offset", offset)
    inverse = np.linalg.inv(_physical(points.shape[-1], spacing, direction))
    return -(points @ inverse.T)[..., ::-1] + 0.0


def _checked(name: str, values: ArrayLike, ndim: int | None = None) -> Floats:
    try:
        numbers = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} is {values!r}; it must be numbers of px, as answer.shift is") from None
    if numbers.ndim not in (1, 2) or numbers.shape[-1] == 0:
        raise InputError(f"{name} has shape {numbers.shape}; give one shift (ndim,) or a series (n, ndim)")
    if ndim is not None and numbers.shape[-1] != ndim:
        raise InputError(f"{name} has {numbers.shape[-1]} numbers; this is for images of {ndim} axes")
    return numbers


def _affine(translation: Floats) -> Floats:
    """Return the homogeneous matrices of translations."""
    ndim = translation.shape[-1]
    out = np.zeros((*translation.shape[:-1], ndim + 1, ndim + 1))
    out[...] = np.eye(ndim + 1)
    out[..., :ndim, ndim] = translation
    return out


def _translation(name: str, matrix: ArrayLike, shape: tuple[int, int]) -> Floats:
    """Return the last column of matrices that are translations and nothing else."""
    values = np.asarray(matrix, np.float64)
    if values.ndim not in (2, 3) or values.shape[-2:] != shape or min(shape) < 2:
        raise InputError(f"{name} has shape {values.shape}; it must be {shape}, or a series of these")
    ndim = shape[1] - 1
    rest = values.copy()
    rest[..., :ndim, ndim] = 0
    if not np.allclose(rest, np.eye(*shape), atol=1e-6):
        raise InputError(f"{name} rotates, scales or shears; a shift is all that can be taken from it")
    return np.array(values[..., :ndim, ndim])


def _physical(ndim: int, spacing: Any, direction: ArrayLike | None) -> Floats:
    """Return the matrix from steps in px, x first, to physical units."""
    steps = np.ones(ndim) if spacing is None else np.asarray(spacing, np.float64)
    turn = np.eye(ndim) if direction is None else np.asarray(direction, np.float64)
    if steps.shape != (ndim,) or turn.size != ndim * ndim:
        raise InputError(
            f"spacing {steps.tolist()} or direction of {turn.size} numbers does not fit {ndim} axes"
        )
    matrix = turn.reshape(ndim, ndim) * steps
    if not (np.isfinite(matrix).all() and np.linalg.det(matrix) != 0):
        raise InputError(f"spacing {steps.tolist()} and direction {turn.tolist()} leave out a direction")
    return matrix
