"""One row of the table: a frame and its registration."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from maskreg.registration import Registration

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Metadata = dict[str, str | int | float | bool | None]


class Repaired(NamedTuple):
    """A shift to use whatever became of the frame: its own, or one between its neighbours'."""

    shift: NDArray[np.float64]
    """(2,) px; NaN where no frame of the series is ok."""
    sigma: NDArray[np.float64]
    """(2,) 1 sigma, px."""


class FrameRow(NamedTuple):
    """A frame of a series and what became of it.

    Attributes
    ----------
    frame : int
        Index in the series.
    source : str
        Where it came from, relative to the input's root: ``name`` or ``name[index]``.
    registration : Registration
        Its shift relative to the reference, and how sure that is.
    metadata : dict
        Plain values from the file or its name, one column each.
    repaired : Repaired or None
        Where it was asked for.
    """

    frame: int
    source: str
    registration: Registration
    metadata: Metadata
    repaired: Repaired | None = None

    @classmethod
    def of(cls, frame: int, source: str, registration: Registration, metadata: Mapping[str, Any]) -> FrameRow:
        """Return a row whose texts fit on one line and whose metadata are plain Python values."""
        tame = replace(registration, detail=one_line(registration.detail))
        return cls(frame, source_text(source), tame, plain_metadata(metadata))


def plain_metadata(metadata: Mapping[str, Any]) -> Metadata:
    """Return metadata as a table and its record hold them: plain values, texts on one line."""
    return {one_line(key): _plain(value) for key, value in metadata.items()}


def source_text(name: str) -> str:
    r"""Return a source's name as it stands in the table: on one line, another name another text.

    A backslash is doubled: a line break in one name and the letters ``\n`` in another stay apart.
    """
    return one_line(name.replace("\\", "\\\\"))


def name_of(source: str) -> str:
    """Return the name that `source_text` wrote down."""
    if "\\" not in source:
        return source
    return re.sub(_ESCAPE, lambda found: str(ast.literal_eval(f'"{found[0]}"')), source)


_ESCAPE = r"\\(?:[\\nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})"


def one_line(text: str) -> str:
    r"""Return `text` with line breaks, control characters and lone surrogates written as escapes.

    So a table has one line a frame, whatever files are called, and can be written as UTF-8.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        ascii(char)[1:-1] if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in text
    )


def _plain(value: Any) -> str | int | float | bool | None:
    """Return a NumPy scalar as its Python value, and what is no plain value as text."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if value is None or isinstance(value, bool | int | float):
        return value
    return one_line(str(value))
