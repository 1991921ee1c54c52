"""What is drawn into both images, to the bit: bars of text under a micrograph, frames, scales, logos.

No two exposures are the same: where many pixels of many values are equal to the last bit, a program has
written them. They are sharper than any scene, and hold a match where they are. Looked for are cells, so many
pixels of a row, that are the same in both images. Those next to each other that have enough steps from pixel
to pixel lie in a box, which grows as long as the line beside it is the same. A black surround alone has no
steps: it may be the scene's, as around a fluorescent cell. Images that are the same nearly everywhere, and
frames of so few electrons that pixels are equal by chance, have no boxes.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.detector.drawn_kernels import same_cells_2d, steps_2d

log = logging.getLogger(__name__)

CELL = 16
"""Pixels of a row that are compared at once,"""

EVERY, ROWS = 4, 256
"""of one row of so many at first, or of so many rows in all: text is higher."""

FEWEST_CELLS, FEWEST_STEPS = 8, 16
"""Cells with a step that lie together, and steps of these, or nothing is drawn there."""

SAME = 0.6
"""At least this part of the steps within a box is the same in both images; a clock may tick,"""

ELSEWHERE = 0.25
"""and at most this part of those elsewhere: else the images are copies, or have hardly any noise;"""

LARGEST = 0.5
"""and at most this part of all cells is the same."""

MARGIN = 8
"""A box is larger by so many px: a square that JPEG codes holds some of the scene as well."""

LONGEST = 8
"""Bytes of a whole number."""

DRAWN = (
    "%s: the reference and moving are the same to the bit, as what is drawn into images is; left out. "
    "Mask it, so that it is left out of the aligned images, too"
)


class Box(NamedTuple):
    """Rows from `top` to before `bottom`, columns from `left` to before `right`."""

    top: int
    bottom: int
    left: int
    right: int


def drawn(
    one: NDArray[Any], one_mask: NDArray[np.bool_], other: NDArray[Any], other_mask: NDArray[np.bool_]
) -> frozenset[Box]:
    """Return the boxes that are drawn into both images: none of images that are no pairs of pixels.

    Parameters
    ----------
    one, other : ndarray
        As given.
    one_mask, other_mask : ndarray of bool
        True = valid, of the shapes of the images.
    """
    if not Pair(one, other, one_mask, other_mask).comparable:
        return frozenset()
    pair = Pair(_bits(one), _bits(other), one_mask, other_mask)
    if not (same_cells_2d(*pair, CELL, max(EVERY, len(one) // ROWS)) > 0).any():
        return frozenset()
    cells = same_cells_2d(*pair, CELL, 1)
    if np.count_nonzero(cells >= 0) > LARGEST * cells.size:
        return frozenset()
    boxes = frozenset(_boxes(cells, pair))
    rest = Pair(*pair[:2], *(less_boxes(mask, boxes) for mask in pair[2:]))
    if boxes and _part_same(steps_2d(*rest, 0, one.shape[0], 0, one.shape[1])) > ELSEWHERE:
        return frozenset()
    return frozenset(_grown(pair, box) for box in boxes)


def less_boxes(mask: NDArray[np.bool_], boxes: Collection[Box]) -> NDArray[np.bool_]:
    """Return a mask without what is in boxes."""
    out = mask.copy()
    for box in boxes:
        out[box.top : box.bottom, box.left : box.right] = False
    return out


@lru_cache
def tell(boxes: frozenset[Box]) -> None:
    """Say that something is drawn there, once: a series has several registrars."""
    log.warning(DRAWN, where(boxes))


def where(boxes: Collection[Box]) -> str:
    """Return where boxes are, for people."""
    return "; ".join(f"rows {b.top}:{b.bottom}, columns {b.left}:{b.right}" for b in sorted(boxes))


class Pair(NamedTuple):
    """Two images, or their bits as whole numbers, and where they are valid."""

    one: NDArray[Any]
    other: NDArray[Any]
    one_mask: NDArray[np.bool_]
    other_mask: NDArray[np.bool_]

    @property
    def comparable(self) -> bool:
        """Whether both have two axes, one shape and one type, so that their pixels may be the same."""
        one, other = self.one, self.other
        return one.ndim == 2 and one.shape == other.shape and one.dtype == other.dtype


def _bits(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the bits of pixels as whole numbers; of floats longer than that those of float64."""
    pixels = pixels.astype(np.float64) if pixels.itemsize > LONGEST else pixels
    return pixels.view(f"u{pixels.itemsize}")


def _part_same(steps: tuple[int, int]) -> float:
    of_either, of_both = steps
    return of_both / max(of_either, 1)


def _boxes(cells: NDArray[np.int16], pair: Pair) -> Iterator[Box]:
    """Yield what holds cells that are the same and lie together: all of them, or those with steps.

    All of a bar, be there a clock in its text; not the black around the scene on which a label is written.
    """
    labels = _with_steps(cells)
    for label, part in enumerate(scipy.ndimage.find_objects(labels), 1):
        written = (labels[part] == label) & (cells[part] > 0)
        boxes = (_box_of(part, where) for where in (np.ones_like(written), written))
        box = next((box for box in boxes if _part_same(steps_2d(*pair, *box)) >= SAME), None)
        if box is not None:
            yield box


def _with_steps(cells: NDArray[np.int16]) -> NDArray[np.intp]:
    """Return which cells that are the same lie together and have enough steps: 1, 2 ... each; 0 elsewhere.

    In frames of few electrons thousands that lie together have not: none is looked at by itself.
    """
    labels, count = scipy.ndimage.label(cells >= 0)
    written = cells > 0
    of = labels[written]
    enough = np.bincount(of, minlength=count + 1) >= FEWEST_CELLS
    enough &= np.bincount(of, cells[written], count + 1) >= FEWEST_STEPS
    return np.asarray((np.cumsum(enough) * enough)[labels])


def _box_of(part: tuple[slice, slice], where: NDArray[np.bool_]) -> Box:
    """Return the box, px, of some of the cells of a part of all."""
    rows, columns = np.nonzero(where)
    top, left = part[0].start, part[1].start
    ends = top + rows.min(), top + rows.max() + 1, left + columns.min(), left + columns.max() + 1
    return Box(int(ends[0]), int(ends[1]), CELL * int(ends[2]), CELL * int(ends[3]))


def _grown(pair: Pair, box: Box) -> Box:
    """Return a box that has grown as long as the line beside it is the same in both images, and a margin."""
    top, bottom, left, right = box
    height, width = pair.one.shape

    def same(rows: slice, columns: slice) -> bool:
        return bool(np.array_equal(pair.one[rows, columns], pair.other[rows, columns]))

    while True:
        before = top, bottom, left, right
        top -= top > 0 and same(slice(top - 1, top), slice(left, right))
        bottom += bottom < height and same(slice(bottom, bottom + 1), slice(left, right))
        left -= left > 0 and same(slice(top, bottom), slice(left - 1, left))
        right += right < width and same(slice(top, bottom), slice(right, right + 1))
        if before == (top, bottom, left, right):
            break
    ends = (
        max(0, top - MARGIN),
        min(height, bottom + MARGIN),
        max(0, left - MARGIN),
        min(width, right + MARGIN),
    )
    return Box(*ends)


def plain_same_cells(
    one: NDArray[Any],
    other: NDArray[Any],
    one_mask: NDArray[np.bool_],
    other_mask: NDArray[np.bool_],
    length: int,
    every: int,
) -> NDArray[np.int16]:
    """Return what `same_cells_2d` does."""
    columns = one.shape[1] // length

    def cells(field: NDArray[Any]) -> NDArray[Any]:
        return field[::every, : columns * length].reshape(-(-len(field) // every), columns, length)

    same = cells((one == other) & one_mask & other_mask).all(axis=2)
    steps = (np.diff(cells(one), axis=2) != 0).sum(axis=2)
    return np.where(same, steps, -1).astype(np.int16)


def plain_steps(
    one: NDArray[Any],
    other: NDArray[Any],
    one_mask: NDArray[np.bool_],
    other_mask: NDArray[np.bool_],
    top: int,
    bottom: int,
    left: int,
    right: int,
) -> tuple[int, int]:
    """Return what `steps_2d` does."""
    box = slice(top, bottom), slice(left, right)
    a, b, valid = one[box], other[box], (one_mask & other_mask)[box]
    step = (a[:, 1:] != a[:, :-1]) | (b[:, 1:] != b[:, :-1])
    step &= valid[:, 1:] & valid[:, :-1]
    same = step & (a == b)[:, 1:] & (a == b)[:, :-1]
    return int(np.count_nonzero(step)), int(np.count_nonzero(same))
