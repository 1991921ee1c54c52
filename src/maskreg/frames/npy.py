"""NPY files: one frame (2-D) or a stack (frames, rows, cols), of any byte order and layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from maskreg.errors import FrameError
from maskreg.frames.file import FileFrames, relative_name
from maskreg.frames.plain import check_credible, read_plain
from maskreg.frames.source import one_line


class NpyFrames(FileFrames):
    """The frames of one NPY file; of a file that was cut short, those that are in it."""

    def __init__(self, path: Path, root: Path | None = None) -> None:
        super().__init__(path, root)
        try:
            self._read_header()
        except Exception as error:  # broken headers make numpy's parser raise anything
            name = relative_name(path, self.root)
            raise FrameError(f"{name}: is no readable NPY file: {one_line(error)}") from error

    def __len__(self) -> int:
        return self._stack[0]

    def _read_header(self) -> None:
        with self.path.open("rb") as file:
            shape, self._fortran, self._dtype = _header(file)
            self._offset = file.tell()
        if self._dtype.hasobject:
            raise ValueError("it holds Python objects; a frame holds real numbers")
        if len(shape) not in (2, 3) or 0 in shape:
            raise ValueError(f"its shape is {shape}; it takes (rows, cols) or (frames, rows, cols)")
        count, rows, cols = shape if len(shape) == 3 else (1, *shape)
        check_credible(count * rows * cols * self._dtype.itemsize, self.path.stat().st_size)
        self._stack = count, rows, cols

    def _fetch(self, index: int) -> NDArray[Any]:
        if self._fortran:
            return self._fetch_scattered(index)
        _, rows, cols = self._stack
        offset = self._offset + index * rows * cols * self._dtype.itemsize
        return read_plain(self.path, offset, (rows, cols), self._dtype)

    def _fetch_scattered(self, index: int) -> NDArray[Any]:
        """Gather a frame of a stack in Fortran order, in which neighbours are whole stacks apart."""
        count, rows, cols = self._stack
        stored = (self.path.stat().st_size - self._offset) // self._dtype.itemsize
        if index + (rows * cols - 1) * count >= stored:
            raise ValueError("the file is cut short: the last pixels of this frame are missing")
        flat = np.memmap(self.path, self._dtype, "r", self._offset, shape=(stored,))
        return np.array(flat[index::count][: rows * cols]).reshape(cols, rows).T


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether in Fortran order, and dtype."""
    version = npy_format.read_magic(file)
    if version == (1, 0):
        return npy_format.read_array_header_1_0(file)
    if version == (2, 0):
        return npy_format.read_array_header_2_0(file)
    # version 3 exists for the field names of structured arrays alone
    raise ValueError(f"its format version is {version}; plain arrays are version (1, 0) or (2, 0)")
