"""Masked NCC with scikit-image's conventions: rejected lags hold 0.0, equal maxima are averaged."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from maskreg.compat.last_reference import LastReference
from maskreg.core.machine.in_parallel import in_parallel
from maskreg.core.machine.memory import GREATEST, keep_freed_memory
from maskreg.core.ncc.all_sums import AllSums, N
from maskreg.core.ncc.centred import CentredImage
from maskreg.core.ncc.enough_overlap import allowed_by_shape
from maskreg.core.ncc.greatest import greatest_ncc_lag
from maskreg.cores import available_cores
from maskreg.errors import InputError, InputTypeError

keep_freed_memory()

LAST_REFERENCE = LastReference()
"""Of both functions, and of all threads."""

SMALLEST_THREADED = 512
"""Where no image is as long as this, threads take longer to begin and to meet than they save; for a map"""

SMALLEST_THREADED_MAP = 256
"""as this."""

ROUNDINGS = 2
"""So many roundings of an image's energy, all of it, may be in the sums over an overlap."""

FAINT = 1e3
"""As scikit-image: what is so many roundings of the greatest root of energies, or less, is rounding."""

SMALLEST_SEARCHED = 2**15
"""Where no image has more pixels than this, all lags are computed as soon as the greatest is proven."""


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
    names = "reference_image", "moving_image"
    between_centres = (np.array(moving.shape) - np.array(reference.shape)) / 2
    with _on_cores(SMALLEST_THREADED, reference, moving):
        a, b = checked_pair(names, (reference, moving), (reference_mask, moving_mask))
        if max(reference.size, moving.size) > SMALLEST_SEARCHED:
            proven = greatest_ncc_lag(a, b, overlap_ratio, FAINT * np.finfo(dtype).eps)
            if proven is not None:
                return np.array(proven) + between_centres, ""
        values = ncc_map(a, b, dtype, overlap_ratio)
    found = np.argwhere(values == values.max())
    lag = found.mean(axis=0) + [first for first, _ in _spans(a.mask.shape, b.mask.shape)]
    return lag + between_centres, _remark(values.max(), len(found))


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


def masked_ncc(
    names: tuple[str, str],
    pixels: tuple[NDArray[Any], NDArray[Any]],
    masks: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    dtype: Any,
    overlap_ratio: float,
    *,
    same: bool = False,
) -> NDArray[Any]:
    """Return what `ncc_map` does, of images whose means are not off yet.

    `same` leaves only the middle lags, as many as the shape of the first image.
    """
    spans = _spans(*(mask.shape for mask in masks), same=same)
    shape = [end - first for first, end in spans]
    # memory that the allocator keeps holds anything; to fill it takes as long as to take the means off
    used = math.prod(shape) * np.dtype(dtype).itemsize < GREATEST
    out = np.empty(shape, dtype) if used else np.zeros(shape, dtype)
    pair: list[CentredImage] = []

    def begin(part: int) -> None:
        if part == 0:
            pair.extend(checked_pair(names, pixels, masks))
        elif used:
            out.fill(0)

    with _on_cores(SMALLEST_THREADED_MAP, *pixels):
        in_parallel(begin, 2)
        a, b = pair
        _fill_map(a, b, spans, overlap_ratio, out)
    return out


@contextmanager
def _on_cores(smallest: int, *images: NDArray[Any]) -> Iterator[None]:
    """Let transforms use all cores where an image is as long as the smallest."""
    longest = max(n for image in images for n in image.shape)
    with scipy.fft.set_workers(available_cores() if longest >= smallest else 1):
        yield


def ncc_map(a: CentredImage, b: CentredImage, dtype: Any, overlap_ratio: float) -> NDArray[Any]:
    """Return the masked NCC at every lag, 0.0 where rejected or without variance."""
    spans = _spans(a.mask.shape, b.mask.shape)
    out = np.zeros([end - first for first, end in spans], dtype)
    _fill_map(a, b, spans, overlap_ratio, out)
    return out


def _spans(
    reference: tuple[int, ...], moving: tuple[int, ...], *, same: bool = False
) -> list[tuple[int, int]]:
    """Return all lags of two shapes, or the middle ones, as many as the first shape has."""
    spans = []
    for p, q in zip(reference, moving, strict=True):
        first = 1 - q + (q - 1) // 2 if same else 1 - q
        spans.append((first, first + p if same else p))
    return spans


def _fill_map(
    a: CentredImage,
    b: CentredImage,
    spans: list[tuple[int, int]],
    overlap_ratio: float,
    out: NDArray[Any],
) -> None:
    """Fill `out`, zeros before, with what `ncc_map` says, at some lags."""
    every = AllSums(a, b, out.dtype, spans)
    sums = replace(every, spans=_may_be_enough(every, overlap_ratio))
    overlap = sums.at_lags([N])[N]
    sums = replace(sums, overlap=overlap)
    greatest = b.kept_of_masks.get(
        "greatest overlap", (out.dtype, sums.spans), lambda: np.rint(overlap.max(initial=0))
    )
    flat = out.reshape(-1, every.shape[-1])
    rows, column = every.place_of(sums)
    if _fill(sums, overlap_ratio * float(greatest), column, flat[rows], np.empty((0, 0), out.dtype)):
        # what is faint depends on the greatest root of any lag
        root = np.zeros_like(flat)
        _fill(every, -1, 0, np.empty_like(flat), root)
        flat[root <= FAINT * np.finfo(out.dtype).eps * root.max()] = 0


def _may_be_enough(sums: AllSums, overlap_ratio: float) -> list[tuple[int, int]]:
    """Return the lags of these at which n may be this fraction of the greatest of them: the others hold 0."""
    # a fraction of n at no shift is known to be needed only where this is one of the lags
    known = all(first <= 0 < end for first, end in sums.spans)
    allowed = allowed_by_shape(
        sums.reference, sums.moving, min(max(0.0, overlap_ratio), 1.0) if known else 0.0
    )
    return sums.narrowed(allowed)


def _fill(sums: AllSums, enough: float, column: int, out: NDArray[Any], root: NDArray[Any]) -> bool:
    """Do what `transforms.ncc_kernels.ncc_2d` of core does, for all lags of the sums, from a column on."""
    number, eps = sums.dtype.type, float(np.finfo(sums.dtype).eps)
    # of the second limit n has to be above
    least = [ROUNDINGS * eps, np.nextafter(number(enough), number(-1)), 2 * FAINT * eps]
    return sums.fill_ncc(np.array(least, sums.dtype), column, out, root)


def checked_pair(
    names: tuple[str, str],
    pixels: tuple[NDArray[Any], NDArray[Any]],
    masks: tuple[NDArray[np.bool_], NDArray[np.bool_]],
) -> tuple[CentredImage, CentredImage]:
    """Return reference and moving with their means off, or say which has a valid pixel that is not finite."""
    pair = LAST_REFERENCE.pair(pixels, masks)
    for name, image in zip(names, pair, strict=True):
        if not np.isfinite(image.energy):
            raise InputError(
                f"{name} holds NaN or infinite pixels that its mask says are valid; "
                f"leave them out: mask & np.isfinite({name})"
            )
    return pair


def float_type(*arrays: NDArray[Any]) -> np.dtype[Any]:
    """Return float32 if all arrays are float16 or float32, else float64."""
    for array in arrays:
        if array.dtype.kind not in "buif":
            raise InputTypeError(f"images are real numbers, not {array.dtype}")
    small = all(array.dtype in (np.float16, np.float32) for array in arrays)
    return np.dtype(np.float32 if small else np.float64)
