"""NPY files: one frame (2-D) or a stack (leading axes, rows, cols), of any byte order and layout."""

from __future__ import annotations

from itertools import accumulate
from math import prod
from operator import mul
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from maskreg.frames.file import FileFrames
from maskreg.frames.navigation import as_stack
from maskreg.frames.plain import check_credible, read_plain


class NpyFrames(FileFrames):
    """The frames of one NPY file; of a file that was cut short, those that are in it."""

    is_one_array = True

    def __init__(self, path: Path, root: Path | None = None, inside: str = "") -> None:
        super().__init__(path, root, inside)
        self._read_header()

    def __len__(self) -> int:
        return len(self._stack)

    def layout(self) -> str:
        """Return how the frames are stored."""
        order = "Fortran" if self._fortran else "C"
        return f"NPY, shape {self._stack.shape}, {self._dtype.str}, {order} order"

    def _read_header(self) -> None:
        with self.path.open("rb") as file:
            shape, self._fortran, self._dtype = _header(file)
            self._offset = file.tell()
        if self._dtype.hasobject:
            raise ValueError("it holds Python objects; a frame holds real numbers")
        self._stack = as_stack(shape, self._dtype)
        check_credible(prod(shape) * self._dtype.itemsize, self.path.stat().st_size)

    def _fetch(self, index: int) -> NDArray[Any]:
        if self._fortran:
            return self._fetch_scattered(index)
        offset, _ = self._lies(index)
        return read_plain(self.path, offset, self._stack.frame, self._dtype)

    def _where(self, index: int) -> tuple[int, int] | None:
        return None if self._fortran else self._lies(index)

    def _lies(self, index: int) -> tuple[int, int]:
        """Return where a frame of a stack in C order begins and how long it is, bytes."""
        size = prod(self._stack.frame) * self._dtype.itemsize
        return self._offset + index * size, size

    def _fetch_scattered(self, index: int) -> NDArray[Any]:
        """Gather a frame of a stack in Fortran order, in which neighbours are whole stacks apart."""
        (rows, cols), count = self._stack.frame, len(self._stack)
        # in Fortran order the first of the leading axes runs fastest
        places, steps = self._stack.position(index), accumulate((1, *self._stack.navigation), mul)
        start = sum(place * step for place, step in zip(places, steps, strict=False))
        stored = (self.path.stat().st_size - self._offset) // self._dtype.itemsize
        if start + (rows * cols - 1) * count >= stored:
            raise ValueError("the file is cut short: the last pixels of this frame are missing")
        flat = np.memmap(self.path, self._dtype, "r", self._offset, shape=(stored,))
        return np.array(flat[start::count][: rows * cols]).reshape(cols, rows).T


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether in Fortran order, and dtype."""
    version = npy_format.read_magic(file)
    if version == (1, 0):
        return npy_format.read_array_header_1_0(file)
    if version == (2, 0):
        return npy_format.read_array_header_2_0(file)
    # version 3 exists for the field names of structured arrays alone
    raise ValueError(f"its format version is {version}; plain arrays are version (1, 0) or (2, 0)")
