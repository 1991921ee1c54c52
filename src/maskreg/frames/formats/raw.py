"""Raw binary: frames of numbers and nothing else, whose layout the user tells.

``frames.raw::shape=2048x2048,dtype=uint16,offset=1024,gap=0``: no character of it needs
quoting in a shell.
"""

from __future__ import annotations

import re
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.frames.file import FileFrames
from maskreg.frames.frame import REAL_KINDS
from maskreg.frames.plain import read_plain

_EXAMPLE = "shape=2048x2048,dtype=uint16,offset=1024,gap=0"
_KEYS = ("shape", "dtype", "offset", "gap", "frames")


class RawFrames(FileFrames):
    """The frames of a file without a header that could be trusted.

    The layout, behind ``::``, is a list of ``key=value`` with commas between them:

    - ``shape``: rows and columns, px (``2048x1024``); needed.
    - ``dtype``: a NumPy type, little-endian unless told (``uint16``, ``>u2``); needed.
    - ``offset``: bytes before the first frame (0).
    - ``gap``: bytes between frames (0).
    - ``frames``: how many there are; else as many as the file holds, which must come out whole.
    """

    names_inside = "a layout"

    def __init__(self, path: Path, root: Path | None = None, inside: str = "") -> None:
        super().__init__(path, root, inside)
        layout = _parsed(inside)
        self._frame = _shape(layout["shape"])
        self._dtype = _dtype(layout["dtype"])
        self._offset = _whole(layout, "offset", 0)
        gap = _whole(layout, "gap", 0)
        nbytes = prod(self._frame) * self._dtype.itemsize
        self._stride = nbytes + gap
        available = path.stat().st_size - self._offset + gap
        self._count = _whole(layout, "frames", available // self._stride)
        if "frames" not in layout and (self._count < 1 or available % self._stride):
            raise ValueError(
                f"behind its offset are {max(0, available - gap)} bytes, or {available / self._stride:.3f} "
                f"frames of {nbytes} bytes and gaps; look at the layout '{inside}', or say frames=N"
            )
        if not 1 <= self._count <= max(1, available):
            raise ValueError(
                f"the layout says frames={self._count}; the file has {available - gap} bytes for them"
            )

    def __len__(self) -> int:
        return self._count

    def layout(self) -> str:
        """Return the layout in full."""
        return f"raw binary, {self._dtype.str}, a frame every {self._stride} bytes from byte {self._offset}"

    def _where(self, index: int) -> tuple[int, int]:
        return self._offset + index * self._stride, prod(self._frame) * self._dtype.itemsize

    def _fetch(self, index: int) -> NDArray[Any]:
        return read_plain(self.path, self._where(index)[0], self._frame, self._dtype)


def _parsed(text: str) -> dict[str, str]:
    """Return the keys and values of a layout."""
    layout: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or key not in _KEYS or key in layout:
            raise ValueError(
                f"'{part}' is no part of a layout; it looks like '{_EXAMPLE}', with {', '.join(_KEYS)}"
            )
        layout[key] = value
    for key in ("shape", "dtype"):
        if key not in layout:
            raise ValueError(f"its layout has no {key}; it looks like '{_EXAMPLE}'")
    return layout


def _shape(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None or "0" in match.groups():
        raise ValueError(f"shape={text} is not ROWSxCOLS, such as shape=2048x1024")
    return int(match[1]), int(match[2])


def _dtype(text: str) -> np.dtype[Any]:
    try:
        dtype = np.dtype(text)
    except (TypeError, ValueError):
        dtype = np.dtype(object)
    if dtype.kind not in REAL_KINDS:
        raise ValueError(f"dtype={text} is no type of real numbers; such are uint8, uint16, >u2, float32")
    return dtype if text.startswith((">", "<", "=")) else dtype.newbyteorder("<")


def _whole(layout: dict[str, str], key: str, otherwise: int) -> int:
    text = layout.get(key, str(otherwise))
    if key in layout and not text.isdecimal():
        raise ValueError(f"{key}={text} is not a whole number")
    return int(text)
