"""The part of a frame that is on the screen, at the screen's resolution: quick, whatever a frame's size."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.apply.shift_image import shift_image

SCREEN = 720
"""Most pixels sent along an axis."""


@dataclass(frozen=True)
class Window:
    """Rows and columns of a frame, and by how much they are binned.

    Attributes
    ----------
    row, col : int
        The first ones; may lie outside the frame.
    rows, cols : int
        How many, multiples of `step`.
    step : int
        Pixels that are averaged to one, along each axis.
    """

    row: int
    col: int
    rows: int
    cols: int
    step: int

    @classmethod
    def of(cls, top: float, left: float, bottom: float, right: float, shape: tuple[int, int]) -> Window:
        """Return the window for a view in pixel coordinates, cut to the frame."""
        first = [min(max(int(np.floor(edge)), 0), n - 1) for edge, n in zip((top, left), shape, strict=True)]
        last = [
            min(max(int(np.ceil(edge)) + 1, start + 1), n)
            for edge, start, n in zip((bottom, right), first, shape, strict=True)
        ]
        sizes = [stop - start for start, stop in zip(first, last, strict=True)]
        step = max(1, ceil(max(sizes) / SCREEN))
        rows, cols = (ceil(size / step) * step for size in sizes)
        return cls(first[0], first[1], rows, cols, step)

    @property
    def extent(self) -> dict[str, float]:
        """Where it lies: left, top, width and height, in pixels whose centres are whole numbers."""
        return {"x": self.col - 0.5, "y": self.row - 0.5, "dw": self.cols, "dh": self.rows}

    def moved(self, row: int, col: int) -> Window:
        """Return the window elsewhere."""
        return Window(self.row + row, self.col + col, self.rows, self.cols, self.step)

    def of_image(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Return the window's part of an image: means of the finite pixels, NaN where there is none."""
        pixels = np.ma.getdata(image)
        part = self._cut(pixels)
        count = self._inside(pixels.shape)
        bad = self._cut(np.ma.getmaskarray(image)) if np.ma.isMaskedArray(image) else None
        if pixels.dtype.kind == "f":
            infinite = ~np.isfinite(part)
            bad = infinite if bad is None else bad | infinite
        if bad is not None and bad.any():
            part = np.where(bad, 0, part)
            count = count - self._binned(bad)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(count > 0, self._binned(part) / count, np.float32(np.nan))

    def of_mask(self, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Return the window's part of a mask: 1 where anything is ignored, else 0."""
        return np.asarray(self._binned(self._cut(~mask)) > 0, dtype=np.uint8)

    def aligned(self, image: NDArray[Any], shift: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the window's part of an image after a shift, px.

        Whole pixels move the window; only the rest is interpolated, at the screen's resolution.
        """
        whole = np.rint(shift).astype(int)
        part = self.moved(-int(whole[0]), -int(whole[1])).of_image(image)
        rest = (shift - whole) / self.step
        moved, _ = shift_image(part, rest, order=1)
        return np.asarray(moved, dtype=np.float32)

    def _cut(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return the window's part of an array, 0 outside of it."""
        starts, sizes = (self.row, self.col), (self.rows, self.cols)
        here = tuple(
            slice(min(max(start, 0), n), min(max(start + size, 0), n))
            for start, size, n in zip(starts, sizes, image.shape, strict=True)
        )
        if all(s.stop - s.start == size for s, size in zip(here, sizes, strict=True)):
            return image[here]
        part = np.zeros(sizes, image.dtype)
        part[tuple(slice(s.start - start, s.stop - start) for s, start in zip(here, starts, strict=True))] = (
            image[here]
        )
        return part

    def _inside(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return how many pixels of each block lie inside an image."""
        counts = []
        for start, size, n in zip((self.row, self.col), (self.rows, self.cols), shape, strict=True):
            place = np.arange(start, start + size)
            counts.append(((place >= 0) & (place < n)).reshape(-1, self.step).sum(axis=1))
        return np.asarray(np.outer(*counts), dtype=np.float32)

    def _binned(self, part: NDArray[Any]) -> NDArray[np.float32]:
        """Return sums over the blocks of `step` x `step` pixels."""
        # rows first: whole rows are added, which is several times quicker than sums of short pieces
        down = part[:: self.step].astype(np.float32)
        for row in range(1, self.step):
            down += part[row :: self.step]
        across: NDArray[np.float32] = down[:, :: self.step].copy()
        for col in range(1, self.step):
            across += down[:, col :: self.step]
        return across
