"""Rows and columns of one value in both images: dead ones, and what a program has padded the images with.

Noise makes no two pixels of a line the same, let alone in two exposures. Such lines hold a match where they
are: where they end is sharper than the scene. The dark around a scene is another thing: it moves with it, and
ends here and there; or nothing moves, and the scene beside it is the same. So beside these lines there has to
be a scene at once, in much of the next line, and it has to differ.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.detector.drawn import Box, Pair, less_boxes, where

log = logging.getLogger(__name__)

FEW = 16
"""So many pixels of a line are looked at first, where two of them are the same; then all."""

FEWEST = 16
"""Valid pixels of a line that is told: the tip of a sector is of one value by chance."""

SCENE = 0.25
"""At least this part of the next line is of other values, in either image,"""

ALIKE = 0.9
"""and less than this part of these is the same in both."""

LARGEST = 0.5
"""At most this part of all lines is left out; where it would be more little is left."""

STILL = (
    "%s: rows or columns of one value in both the reference and moving, as dead ones are, or padding; "
    "left out. Mask them, so that they are left out of the aligned images, too"
)


class _Pair(Pair):
    """Two images of one shape, looked at row by row."""

    def turned(self) -> _Pair:
        return _Pair(*(field.T for field in self))

    def without(self, boxes: Collection[Box]) -> _Pair:
        masks = (self.one_mask, self.other_mask)
        return self._replace(one_mask=less_boxes(masks[0], boxes), other_mask=less_boxes(masks[1], boxes))

    def lines(self, which: Any, step: int = 1) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
        """Return some rows of both, each `step`-th pixel, and which pixels are valid in both."""
        one, other, one_mask, other_mask = (field[:, ::step][which] for field in self)
        return one, other, one_mask & other_mask


def still_lines(
    one: NDArray[Any], one_mask: NDArray[np.bool_], other: NDArray[Any], other_mask: NDArray[np.bool_]
) -> frozenset[Box]:
    """Return the rows and columns that hold one value in both images.

    Parameters
    ----------
    one, other : ndarray
        As given.
    one_mask, other_mask : ndarray of bool
        True = valid, of the shapes of the images. What they leave out is not looked at.
    """
    pair = _Pair(one, other, one_mask, other_mask)
    if not pair.comparable:
        return frozenset()
    rows = _rows(pair)
    columns = _columns(pair.without(rows) if rows else pair)
    if columns:  # which cross the rows
        rows = _rows(pair.without(columns))
    height, width = one.shape
    too_many = sum(b.bottom - b.top for b in rows) > LARGEST * height
    too_many |= sum(b.right - b.left for b in columns) > LARGEST * width
    return frozenset() if too_many else rows | columns


@lru_cache
def tell(boxes: frozenset[Box]) -> None:
    """Say that there are such lines, once: a series has several registrars."""
    log.warning(STILL, where(boxes))


def _rows(pair: _Pair) -> frozenset[Box]:
    width = pair.one.shape[1]
    return frozenset(Box(first, end, 0, width) for first, end in _runs(pair))


def _columns(pair: _Pair) -> frozenset[Box]:
    height = pair.one.shape[0]
    return frozenset(Box(0, height, first, end) for first, end in _runs(pair.turned()))


def _runs(pair: _Pair) -> Iterator[tuple[int, int]]:
    """Yield first and end of the rows of one value that lie together, where a scene is beside them."""
    still = _of_one_value(pair)
    for run in np.split(still, np.flatnonzero(np.diff(still) > 1) + 1) if still.size else ():
        first, end = int(run[0]), int(run[-1]) + 1
        beside = [(first, first - 1)] * (first > 0) + [(end - 1, end)] * (end < len(pair.one))
        beside = [two for two in beside if pair.lines(two[1])[2].any()]  # as at a border where all is masked
        if beside and all(_is_edge(pair, *two) for two in beside):
            yield first, end


def _of_one_value(pair: _Pair) -> NDArray[np.intp]:
    """Return the rows whose valid pixels hold one value, the same in both images."""
    width = pair.one.shape[1]
    two = slice(None, None, max(1, width - 1))
    a, valid = pair.one[:, two], pair.one_mask[:, two]
    left = np.flatnonzero((a[:, 0] == a[:, -1]) | ~valid.all(axis=1))
    for look in (FEW, width):
        one, other, valid = pair.lines(left, max(1, width // look))
        value = one[np.arange(left.size), valid.argmax(axis=1)][:, None]
        same = (((one == value) & (other == value)) | ~valid).all(axis=1)
        left, number = left[same], np.count_nonzero(valid[same], axis=1)
    return np.asarray(left[number >= FEWEST])


def _is_edge(pair: _Pair, still: int, beside: int) -> bool:
    """Return whether the scene begins in a row, in much of it, and is not the same in both images."""
    one, _, valid = pair.lines(still)
    value = one[valid][0]
    one, other, valid = pair.lines(beside)
    a, b = one[valid], other[valid]
    scenes = a != value, b != value
    either = scenes[0] | scenes[1]
    begins = all(np.count_nonzero(scene) >= max(1, SCENE * a.size) for scene in scenes)
    return begins and int(np.count_nonzero(either & (a == b))) < ALIKE * int(np.count_nonzero(either))
