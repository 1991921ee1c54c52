"""The lags that may have the greatest masked NCC, by transforms of all sums in single precision.

For masks of scattered pixels, and images that no bound tells apart.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from maskreg.core.centred import CentredImage
from maskreg.core.correlate import lag_map, reference_terms
from maskreg.core.plan import window_length
from maskreg.core.spectra import lag_sums, rounding, spectra_of
from maskreg.geometry import lag_axis, overlap_slices


def likeliest_lags(
    reference: CentredImage,
    moving: CentredImage,
    spans: list[tuple[int, int]] | None,
    least: float,
    most: int,
) -> tuple[NDArray[np.intp] | None, tuple[float, float]]:
    """Return the lags that rounding alone keeps from being the greatest, and between what the threshold is.

    All sums are transformed, in single precision.

    Parameters
    ----------
    reference, moving : CentredImage
    spans : list of (int, int), optional
        First lag of each axis, and the one after the last; default all.
    least : float
        Least overlap, as a fraction of the greatest of any lag.
    most : int
        No more lags than this.

    Returns
    -------
    lags : (n, ndim) ndarray of int or None
        None for more than `most` of them, and where rounding hides a lag, or no lag is surely positive.
    least_overlap : (float, float)
        The threshold lies between these, pixels.
    """
    if reference.mask.ndim == 2:
        spans = spans or _allowed_spans(reference, moving, least)
        return _likeliest_2d(reference, moving, spans, least, most)
    return plain_likeliest(reference, moving, spans, least, most)


def _allowed_spans(reference: CentredImage, moving: CentredImage, least: float) -> list[tuple[int, int]]:
    """Return, for each axis, between which lags the images meet in pixels enough."""
    shapes = list(zip(reference.mask.shape, moving.mask.shape, strict=True))
    here, there = overlap_slices(reference.mask.shape, moving.mask.shape, (0,) * len(shapes))
    most = min(np.count_nonzero(reference.mask), np.count_nonzero(moving.mask))
    needed = least * float(
        most if reference.mask is moving.mask else np.count_nonzero(reference.mask[here] & moving.mask[there])
    )
    area = math.prod(min(p, q) for p, q in shapes)
    spans = []
    for p, q in shapes:
        # as if the other axes met in full
        width = max(1, min(p, q, math.floor(needed * min(p, q) / area)))
        spans.append((width - q, p - width + 1))
    return spans


def _likeliest_2d(
    reference: CentredImage, moving: CentredImage, spans: list[tuple[int, int]], least: float, most: int
) -> tuple[NDArray[np.intp] | None, tuple[float, float]]:
    """Return what `plain_likeliest` does, of images of two axes."""
    from maskreg.core.race_kernels import likeliest_2d, ncc_bounds_2d

    shapes = zip(reference.mask.shape, moving.mask.shape, spans, strict=True)
    window = tuple(window_length(p, q, max(-low, high - 1)) for p, q, (low, high) in shapes)
    slip = rounding(window)
    a, b = reference.unit, moving.unit
    images = [a, a * a, b, b * b, reference.mask.astype(np.float32)]
    here = there = len(images) - 1
    if reference.mask is not moving.mask:
        images.append(moving.mask.astype(np.float32))
        there += 1
    pairs = [(here, there), (0, there), (1, there), (here, 2), (here, 3), (0, 2)]
    n, low, high = np.empty((3, *(end - first for first, end in spans)), np.float32)
    for rows, sums in lag_sums(images, pairs, window, spans):
        ncc_bounds_2d(sums, slip, n[rows], low[rows], high[rows])
    error = _overlap_error(reference, moving, slip)
    threshold = least * (float(n.max()) - error), least * (float(n.max()) + error)
    found = np.empty((most, 2), np.intp)
    kept = likeliest_2d(n, low, high, threshold[0] - error, threshold[1] + error, found)
    lags = None if kept < 0 else found[:kept] + np.array([first for first, _ in spans], np.intp)
    return lags, threshold


def _overlap_error(reference: CentredImage, moving: CentredImage, slip: float) -> float:
    """Return by how much an overlap may be wrong, rounded to a whole number, if each sum may by `slip`."""
    sizes = [float(np.count_nonzero(image.mask)) for image in (reference, moving)]
    error = slip * math.sqrt(sizes[0] * sizes[1])
    return 0.0 if error < 0.5 else math.ceil(error)


def plain_likeliest(
    reference: CentredImage,
    moving: CentredImage,
    spans: list[tuple[int, int]] | None,
    least: float,
    most: int,
) -> tuple[NDArray[np.intp] | None, tuple[float, float]]:
    """Return what `likeliest_lags` does, for any number of axes."""
    shapes = list(zip(reference.mask.shape, moving.mask.shape, strict=True))
    lags = tuple(lag_axis(p, q) for p, q in shapes)
    if spans is not None:
        lags = tuple(
            axis[(axis >= low) & (axis < high)] for axis, (low, high) in zip(lags, spans, strict=True)
        )
    window = tuple(
        window_length(p, q, int(np.abs(axis).max())) for (p, q), axis in zip(shapes, lags, strict=True)
    )
    terms = reference_terms(reference.unit, reference.mask, moving.mask, window, lags)
    found = lag_map(terms, spectra_of(moving.unit, terms.moving_mask_spectrum, window))
    greatest = float(found.overlap.max())
    error = _overlap_error(reference, moving, rounding(window))
    threshold = least * (greatest - error), least * (greatest + error)
    enough, surely = (found.overlap >= limit for limit in (threshold[0] - error, threshold[1] + error))
    if (np.isnan(found.ncc) & enough).any() or not (found.ncc > 0)[surely].any():
        return None, threshold
    ncc = np.where(enough, np.nan_to_num(found.ncc), 0)
    # both images' squares sum to 1 in all: what is left of them in the overlap magnifies the rounding
    left = np.where(enough, terms.reference_energy * found.moving_energy, 1)
    doubt = 2 * terms.rounding / np.sqrt(np.maximum(left, terms.rounding**2))
    likely = np.argwhere(enough & (ncc + doubt >= (ncc - doubt)[surely].max()))
    if len(likely) > most:
        return None, threshold
    return likely + np.array([axis[0] for axis in lags], np.intp), threshold
