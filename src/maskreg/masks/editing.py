"""A mask that is drawn step by step, with a way back: what is behind the page's tools.

It knows no page and no file. A step that covers no pixel changes nothing, and is no step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.errors import InputError
from maskreg.mask_doubt import ensure_truth_values
from maskreg.masks.growing import grow
from maskreg.masks.shapes import ignore_above, ignore_below, ignore_disk, ignore_polygon

MOST_STEPS = 100
"""Steps that can be taken back; a mask of 2048 x 2048 px is kept in half a megabyte."""


class MaskEditor:
    """A mask under work (True = valid), and the masks that it was before.

    Every step takes ``ignore=True`` (what it covers becomes ignored) or False (valid again), and
    returns whether the mask changed. Coordinates are px, row first; whole numbers are the centres
    of pixels, and what lies outside the image is cut off.

    Parameters
    ----------
    shape : (rows, cols)
        Of the frames.
    mask : (rows, cols) array_like of bool, optional
        What to start from, True = valid; all valid unless told.
    """

    def __init__(self, shape: tuple[int, int], mask: ArrayLike | None = None) -> None:
        self.shape = (int(shape[0]), int(shape[1]))
        self._mask = np.ones(self.shape, bool) if mask is None else self._fitting(mask)
        self._before: list[NDArray[np.uint8]] = []
        self._undone: list[NDArray[np.uint8]] = []

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The mask as it is, True = valid; a copy."""
        return self._mask.copy()

    @property
    def ignored(self) -> float:
        """The fraction of pixels that are ignored."""
        return 1.0 - float(self._mask.mean())

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to take again."""
        return bool(self._undone)

    def rectangle(self, row0: float, col0: float, row1: float, col1: float, *, ignore: bool = True) -> bool:
        """Cover the pixels whose centres lie between two opposite corners, in any order."""
        rows, cols = np.arange(self.shape[0]), np.arange(self.shape[1])
        (top, bottom), (left, right) = sorted((row0, row1)), sorted((col0, col1))
        area = np.outer((rows >= top) & (rows <= bottom), (cols >= left) & (cols <= right))
        return self._cover(area, ignore)

    def disk(self, row: float, col: float, radius: float, *, ignore: bool = True) -> bool:
        """Cover the pixels whose centres are at most `radius` away."""
        return self._cover(_drawn(ignore_disk, self.shape, (row, col, radius)), ignore)

    def polygon(self, corners: Sequence[tuple[float, float]], *, ignore: bool = True) -> bool:
        """Cover a polygon, given by its corners (row, column), three or more."""
        if len(corners) < 3:
            raise InputError(f"corners holds {len(corners)} of them; a polygon has three or more")
        return self._cover(_drawn(ignore_polygon, self.shape, tuple(corners)), ignore)

    def brush(self, path: Sequence[tuple[float, float]], radius: float, *, ignore: bool = True) -> bool:
        """Cover what a round brush touches on its path, a line through points (row, column)."""
        if not radius > 0:
            raise InputError(f"radius is {radius}; a brush has a radius above zero, px")
        area = np.zeros(self.shape, bool)
        starts = list(path[:-1]) or list(path)
        for start, end in zip(starts, path[1:] or path, strict=True):
            _stroke(area, np.array(start, float), np.array(end, float), radius)
        return self._cover(area, ignore)

    def threshold(
        self,
        image: ArrayLike,
        *,
        above: float | None = None,
        below: float | None = None,
        ignore: bool = True,
    ) -> bool:
        """Cover the pixels of an image that are greater than `above`, or less than `below`."""
        pixels = np.asarray(image)
        if pixels.shape != self.shape:
            raise InputError(f"image has shape {pixels.shape}, the mask has {self.shape}; they must agree")
        area = np.zeros(self.shape, bool)
        if above is not None:
            area |= ignore_above(pixels, above)
        if below is not None:
            area |= ignore_below(pixels, below)
        return self._cover(area, ignore)

    def grow(self, pixels: float) -> bool:
        """Grow what is ignored by a radius, px."""
        return self._become(grow(self._mask, pixels))

    def shrink(self, pixels: float) -> bool:
        """Shrink what is ignored by a radius, px; what is thinner than twice that vanishes."""
        return self._become(~grow(~self._mask, pixels))

    def start_from(self, mask: ArrayLike) -> bool:
        """Take another mask, True = valid."""
        return self._become(self._fitting(mask))

    def clear(self) -> bool:
        """Make every pixel valid."""
        return self._become(np.ones(self.shape, bool))

    def undo(self) -> bool:
        """Take the last step back."""
        return self._step_to(self._before, self._undone)

    def redo(self) -> bool:
        """Take the step that was taken back again."""
        return self._step_to(self._undone, self._before)

    def _cover(self, area: NDArray[np.bool_], ignore: bool) -> bool:
        return self._become(self._mask & ~area if ignore else self._mask | area)

    def _become(self, mask: NDArray[np.bool_]) -> bool:
        if np.array_equal(mask, self._mask):
            return False
        self._before = [*self._before, np.packbits(self._mask)][-MOST_STEPS:]
        self._undone.clear()
        self._mask = mask
        return True

    def _step_to(self, source: list[NDArray[np.uint8]], target: list[NDArray[np.uint8]]) -> bool:
        if not source:
            return False
        target.append(np.packbits(self._mask))
        size = self.shape[0] * self.shape[1]
        self._mask = np.unpackbits(source.pop(), count=size).astype(bool).reshape(self.shape)
        return True

    def _fitting(self, mask: ArrayLike) -> NDArray[np.bool_]:
        given = np.asarray(mask)
        if given.shape != self.shape:
            raise InputError(f"mask has shape {given.shape}, the frames have {self.shape}; they must agree")
        ensure_truth_values("mask", given)
        return given.astype(bool)


def _drawn(draw: Any, shape: tuple[int, int], what: Any) -> NDArray[np.bool_]:
    """Return the area of a shape; a slip of the mouse beside the image covers nothing, and is no error."""
    try:
        return np.asarray(draw(shape, what), dtype=bool)
    except InputError:
        return np.zeros(shape, bool)


def _stroke(
    area: NDArray[np.bool_], start: NDArray[np.float64], end: NDArray[np.float64], radius: float
) -> None:
    """Mark in `area` the pixels that are at most `radius` from a line between two points."""
    low = np.floor(np.minimum(start, end) - radius).astype(int)
    high = np.ceil(np.maximum(start, end) + radius).astype(int) + 1
    window = tuple(_inside(*ends) for ends in zip(low, high, area.shape, strict=True))
    rows, cols = np.ogrid[window]
    along = end - start
    length = float(along @ along)
    part = ((rows - start[0]) * along[0] + (cols - start[1]) * along[1]) / (length or 1.0)
    part = np.clip(part, 0.0, 1.0)
    distance = (rows - start[0] - part * along[0]) ** 2 + (cols - start[1] - part * along[1]) ** 2
    area[window] |= distance <= radius**2


def _inside(low: int, high: int, length: int) -> slice:
    return slice(min(max(low, 0), length), min(max(high, 0), length))


def mask_name(text: str) -> str:
    """Return the name of a mask file as asked for, with its polarity: ``..._valid.tif``.

    Raises
    ------
    InputError
        When the name leads into another folder.
    """
    name = text.strip()
    if not name or name in (".", "..") or any(char in name for char in "/\\\0"):
        raise InputError(f"the name of the mask is {text!r}; give a plain name, such as block_valid.tif")
    stem = name.removesuffix(".tif").removesuffix(".tiff")
    return f"{stem.removesuffix('_valid')}_valid.tif"
