"""One row of the table: a frame and its registration."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any, NamedTuple

from maskreg.registration import Registration

Metadata = dict[str, str | int | float | bool | None]


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
    """

    frame: int
    source: str
    registration: Registration
    metadata: Metadata

    @classmethod
    def of(cls, frame: int, source: str, registration: Registration, metadata: Mapping[str, Any]) -> FrameRow:
        """Return a row whose texts fit on one line and whose metadata are plain Python values."""
        return cls(frame, one_line(source), registration, plain_metadata(metadata))


def plain_metadata(metadata: Mapping[str, Any]) -> Metadata:
    """Return metadata as a table and its record hold them: plain values, texts on one line."""
    return {one_line(key): _plain(value) for key, value in metadata.items()}


def one_line(text: str) -> str:
    r"""Return `text` with line breaks, control characters and lone surrogates written as escapes.

    So a table has one line a frame, whatever files are called, and can be written as UTF-8.
    """
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
