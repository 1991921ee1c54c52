"""scikit-ued's `align`, `ialign` and `itrack_peak`, and the removed functions they once stood on.

Names, arguments, order of yields and signs are those of scikit-ued's documentation and behaviour;
the shifts are those of `maskreg.register`. What is better here:

- Shifts are of a fraction of a pixel, with and without a mask.
- NaN under the mask, or anywhere, is ignored.
- The mask moves along: pixels that come from under it hold `fill_value` and do not smear a
  beam-block into valid ones.
- An image whose shift is not known is all `fill_value` (for `itrack_peak`: NaN), with a warning that
  says why.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.apply.aligned import rounded
from maskreg.apply.shift_image import shift_image
from maskreg.compat.skimage import cross_correlate_masked, phase_cross_correlation
from maskreg.core.registrar import Registrar
from maskreg.errors import InputError
from maskreg.registration import Registration

__all__ = ["align", "ialign", "itrack_peak", "masked_register_translation", "mnxc"]

Image = NDArray[Any]


def align(
    image: ArrayLike, reference: ArrayLike, mask: ArrayLike | None = None, fill_value: float = 0.0
) -> Image:
    """Return an image aligned to a reference.

    Parameters
    ----------
    image, reference : (M, N) array_like
    mask : (M, N) array_like of bool, optional
        True = valid, in both images: what does not move with them.
    fill_value : float
        What pixels hold of which nothing is known: from beyond the edge, or from under the mask.

    Returns
    -------
    (M, N) ndarray
        Of the type of `image`, where it can hold `fill_value`.
    """
    return _aligned(Registrar(reference, mask, mask), image, mask, fill_value, stacklevel=3)


def ialign(
    images: Iterable[ArrayLike],
    reference: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    fill_value: float = 0.0,
) -> Iterator[Image]:
    """Yield each image of a stream aligned; images are taken one at a time.

    Parameters
    ----------
    images : iterable of (M, N) array_like
        Any iterable, also a generator.
    reference : (M, N) array_like, optional
        Without it the first image is the reference, and is yielded first as it is.
    mask, fill_value
        As for `align`.
    """
    stream = iter(images)
    if reference is None:
        for first in stream:
            reference = np.array(first)  # a copy: the stream may fill one array again and again
            yield reference.copy()
            break
        else:
            return
    registrar = Registrar(reference, mask, mask)
    for image in stream:
        yield _aligned(registrar, image, mask, fill_value, stacklevel=3)


def itrack_peak(
    images: Iterable[ArrayLike],
    row_slice: slice | None = None,
    col_slice: slice | None = None,
    precision: float = 1 / 10,
) -> Iterator[NDArray[np.float64]]:
    """Yield the shift of a peak in each image of a stream, against the first image.

    Parameters
    ----------
    images : iterable of (M, N) array_like
        Any iterable, also a generator.
    row_slice, col_slice : slice, optional
        Where the peak is; default everywhere.
    precision : float
        Px. The shift is not rounded to it: it is as precise as the data allow in any case.

    Yields
    ------
    (2,) ndarray of float64
        Rows and columns, px. As in scikit-ued it is what takes the peak back to where it was: a peak
        that moved by (+2, -1) gives (-2, +1). The first is (0, 0).
    """
    if not precision > 0:
        raise InputError(f"precision is {precision}; it must be a positive number of px")
    part = (slice(None) if row_slice is None else row_slice, slice(None) if col_slice is None else col_slice)
    registrar = None
    for image in images:
        pixels = np.asanyarray(image)[part]
        if registrar is None:
            registrar = Registrar(pixels)
            yield np.zeros(2)
            continue
        answer = registrar(pixels)
        if not answer.ok:
            _warn(answer, "NaN", stacklevel=2)
        yield answer.shift.copy() if answer.ok else np.full(2, np.nan)


def mnxc(
    arr1: ArrayLike,
    arr2: ArrayLike,
    m1: ArrayLike | None = None,
    m2: ArrayLike | None = None,
    mode: str = "full",
    axes: Sequence[int] = (0, 1),
    overlap_ratio: float = 3 / 10,
) -> Image:
    """Return the masked NCC of two arrays; see `maskreg.compat.skimage.cross_correlate_masked`.

    Without a mask all of an array is valid.
    """
    first, second = np.asarray(arr1), np.asarray(arr2)
    first_mask, second_mask = (
        np.ones(x.shape, bool) if m is None else m for x, m in ((first, m1), (second, m2))
    )
    values: Image = cross_correlate_masked(  # type: ignore[no-untyped-call]
        first, second, first_mask, second_mask, mode, axes, overlap_ratio
    )
    return values


def masked_register_translation(
    src_image: ArrayLike,
    target_image: ArrayLike,
    src_mask: ArrayLike,
    target_mask: ArrayLike | None = None,
    overlap_ratio: float = 3 / 10,
) -> NDArray[np.float64]:
    """Return the whole-pixel shift that lands `target_image` on `src_image`.

    The masked branch of `maskreg.compat.skimage.phase_cross_correlation`.
    """
    shift, _, _ = phase_cross_correlation(  # type: ignore[no-untyped-call]
        src_image, target_image, reference_mask=src_mask, moving_mask=target_mask, overlap_ratio=overlap_ratio
    )
    return np.asarray(shift, np.float64)


def _aligned(
    registrar: Registrar, image: ArrayLike, mask: ArrayLike | None, fill_value: float, *, stacklevel: int
) -> Image:
    pixels = np.asanyarray(image)
    answer = registrar(pixels)
    if answer.ok:
        moved, _ = shift_image(pixels, answer.shift, mask, fill=fill_value)
    else:
        _warn(answer, "fill_value everywhere", stacklevel=stacklevel)
        moved, _ = shift_image(pixels, np.zeros(pixels.ndim), np.zeros(pixels.shape, bool), fill=fill_value)
    return _as_type_of(pixels, moved, fill_value)


def _as_type_of(pixels: Image, moved: Image, fill_value: float) -> Image:
    """Return `moved` in the type of `pixels`, rounded if need be, where that can hold the fill value."""
    if pixels.dtype.kind == "f":
        return moved.astype(pixels.dtype)
    if pixels.dtype.kind not in "iu" or moved.dtype == pixels.dtype:
        return moved
    limits = np.iinfo(pixels.dtype)
    if not (float(fill_value).is_integer() and limits.min <= fill_value <= limits.max):
        return moved
    return rounded(moved, pixels.dtype)


def _warn(answer: Registration, instead: str, *, stacklevel: int) -> None:
    warnings.warn(
        f"no shift that could be trusted ({answer.status.label}: {answer.reason}): {instead}",
        stacklevel=stacklevel + 1,
    )
