"""MIB, as the Merlin detector writes it: every frame behind a header of its own, as text.

The header of the first frame says how long headers are and what the pixels are. Pixels of the
kinds U01 to U64 are big-endian numbers. Of the kind R64 (raw) they come as the chip delivers
them: 64-bit words, big-endian, that hold 64, 8 or 4 pixels from the lowest bits up.
Frames come as they are stored: the first row of the file is row 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.frames.file import FileFrames
from maskreg.frames.plain import read_plain

_START = b"MQ1,"
_LONGEST_HEADER = 2**16
_FIELDS = 8
"""Fields of a header that are used: MQ1, number, length, chips, cols, rows, kind, chip layout."""

_DTYPES = {"U01": "u1", "U08": "u1", "U16": ">u2", "U32": ">u4", "U64": ">u8"}
_RAW_BITS = {1: 1, 6: 8, 12: 16}
"""Depth of the counter to the bits that a pixel takes in a raw word."""


class MibFrames(FileFrames):
    """The frames of one MIB file; of a file that was cut short, those that are in it."""

    def __init__(self, path: Path, root: Path | None = None, inside: str = "") -> None:
        super().__init__(path, root, inside)
        with path.open("rb") as file:
            fields = _fields(file.read(_LONGEST_HEADER))
        self._header = int(fields[2])
        self._frame = int(fields[5]), int(fields[4])
        self._kind = fields[6]
        if not 0 < self._header <= _LONGEST_HEADER or min(self._frame) < 1:
            raise ValueError(f"its header says {self._frame} px behind {self._header} bytes")
        rows, cols = self._frame
        self._bits = self._raw_bits(fields) if self._kind == "R64" else 0
        pixel_bits = self._bits or 8 * _dtype(self._kind).itemsize
        self._stride = self._header + -(-rows * cols * pixel_bits // 8)
        size = path.stat().st_size
        if self._stride > size:
            raise ValueError(
                f"it has {size} bytes; one frame of {rows} x {cols} px, {self._kind}, takes {self._stride}"
            )
        self._count = -(-size // self._stride)

    def __len__(self) -> int:
        return self._count

    def layout(self) -> str:
        """Return what the pixels are, and the lengths of headers and frames."""
        raw = f", raw, {self._bits} bits a pixel" if self._bits else ""
        return f"MIB, {self._kind}{raw}, {self._stride} bytes a frame with its header of {self._header}"

    def _raw_bits(self, fields: list[str]) -> int:
        if int(fields[3]) != 1:
            raise ValueError(
                f"it is raw (R64) from {int(fields[3])} chips, whose pixels are scattered; save it as U16"
            )
        # in the second part of the header: MQ1A, date, exposure, depth of the counter
        second = fields[fields.index("MQ1A") :] if "MQ1A" in fields else []
        depth = second[3] if len(second) > 3 else ""
        if not depth.isdecimal() or int(depth) not in _RAW_BITS:
            raise ValueError(
                f"it is raw (R64) with counters of {depth or 'unknown'} bits; known are {list(_RAW_BITS)}"
            )
        return _RAW_BITS[int(depth)]

    def _where(self, index: int) -> tuple[int, int]:
        return index * self._stride, self._stride

    def _fetch(self, index: int) -> NDArray[Any]:
        start, _ = self._where(index)
        pixels = self._pixels(start + self._header)
        if read_plain(self.path, start, (len(_START),), np.dtype("u1")).tobytes() != _START:
            raise ValueError(
                "there is no header where this frame should begin; did the detector's settings change?"
            )
        return pixels.reshape(self._frame)

    def _pixels(self, offset: int) -> NDArray[Any]:
        if not self._bits:
            return read_plain(self.path, offset, self._frame, _dtype(self._kind))
        words = read_plain(self.path, offset, ((self._stride - self._header) // 8,), np.dtype(">u8"))
        return _from_words(words, self._bits)


def _fields(start: bytes) -> list[str]:
    """Return the fields of the first header, of all its parts."""
    if not start.startswith(_START):
        raise ValueError("it does not begin with a Merlin header (MQ1)")
    fields = start.split(b",", 3)
    if len(fields) < 4 or not fields[2].strip().isdigit():
        raise ValueError("its header is cut short")
    length = int(fields[2])
    names = [name.strip("\0 \r\n") for name in start[:length].decode("latin-1").split(",")]
    if len(start) < length or len(names) < _FIELDS:
        raise ValueError("its header is cut short")
    return names


def _dtype(kind: str) -> np.dtype[Any]:
    if kind not in _DTYPES:
        raise ValueError(f"its pixels are of the kind {kind!r}; known are R64, {', '.join(_DTYPES)}")
    return np.dtype(_DTYPES[kind])


def _from_words(words: NDArray[np.uint64], bits: int) -> NDArray[Any]:
    """Return the pixels of 64-bit words that hold them from the lowest bits up."""
    lowest_first = words.astype("<u8", copy=False).view("u1")
    if bits == 1:
        return np.unpackbits(lowest_first, bitorder="little")
    return lowest_first.view("<u2") if bits == 16 else lowest_first
