"""MRC: a header of 1024 bytes, an extended header, then the frames one after the other.

As `the standard <https://www.ccpem.ac.uk/mrc-format/mrc2014/>`_ of 2014 says, with the sign of
bytes that IMOD writes. Frames come as they are stored: the first row of the file is row 0.
"""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskreg.frames.file import FileFrames
from maskreg.frames.navigation import as_stack
from maskreg.frames.plain import check_credible, read_plain

_HEADER = 1024
_DTYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
_OTHER_MODES = {3: "complex 16-bit integers", 4: "complex numbers", 101: "4-bit integers"}
_IMOD_STAMP = 1146047817
_IMOD_SIGNED_BYTES = 1


class MrcFrames(FileFrames):
    """The frames of one MRC file; of a file that was cut short, those that are in it."""

    def __init__(self, path: Path, root: Path | None = None, inside: str = "") -> None:
        super().__init__(path, root, inside)
        if path.suffix.lower() != ".gz" and path.suffix.lower() != ".bz2":
            self._read_header()
        else:
            tool = "gunzip" if path.suffix.lower() == ".gz" else "bunzip2"
            raise ValueError(
                f"it is compressed as a whole, so no frame can be read alone; unpack it: {tool} {path.name}"
            )

    def __len__(self) -> int:
        return len(self._stack)

    def layout(self) -> str:
        """Return shape, type and where the frames start."""
        return f"MRC, shape {self._stack.shape}, {self._dtype.str}, frames from byte {self._offset}"

    def _read_header(self) -> None:
        with self.path.open("rb") as file:
            header = file.read(_HEADER)
        if len(header) < _HEADER:
            raise ValueError(f"it has {len(header)} bytes; the header alone has {_HEADER}")
        order = _byte_order(header)
        cols, rows, count, mode = struct.unpack_from(f"{order}4i", header)
        (extended,) = struct.unpack_from(f"{order}i", header, 92)
        if mode not in _DTYPES:
            what = f" ({_OTHER_MODES[mode]})" if mode in _OTHER_MODES else ""
            raise ValueError(
                f"its mode is {mode}{what}; modes with real numbers of whole bytes are {list(_DTYPES)}"
            )
        if min(cols, rows, count) < 1 or extended < 0:
            raise ValueError(f"its header says {count} frames of {rows} x {cols} px behind {extended} bytes")
        kind = "u1" if mode == 0 and _bytes_are_unsigned(header, order) else _DTYPES[mode]
        self._dtype = np.dtype(kind).newbyteorder(order)
        self._stack = as_stack((rows, cols) if count == 1 else (count, rows, cols), self._dtype)
        self._offset = _HEADER + extended
        check_credible(prod(self._stack.shape) * self._dtype.itemsize, self.path.stat().st_size)

    def _where(self, index: int) -> tuple[int, int]:
        size = prod(self._stack.frame) * self._dtype.itemsize
        return self._offset + index * size, size

    def _fetch(self, index: int) -> NDArray[Any]:
        return read_plain(self.path, self._where(index)[0], self._stack.frame, self._dtype)


def _byte_order(header: bytes) -> Literal["<", ">"]:
    """Return ``<`` or ``>``: by the machine stamp, or where there is none by which mode is a small number."""
    stamp = header[212]
    if stamp in (0x44, 0x11):
        return "<" if stamp == 0x44 else ">"
    orders: tuple[Literal["<", ">"], ...] = ("<", ">")
    for order in orders:
        if struct.unpack_from(f"{order}i", header, 12)[0] in {**_DTYPES, **_OTHER_MODES}:
            return order
    raise ValueError("neither byte order makes sense of its header")


def _bytes_are_unsigned(header: bytes, order: str) -> bool:
    """Whether IMOD wrote this and says that its bytes run from 0 to 255."""
    stamp, flags = struct.unpack_from(f"{order}2i", header, 152)
    return stamp == _IMOD_STAMP and not flags & _IMOD_SIGNED_BYTES
