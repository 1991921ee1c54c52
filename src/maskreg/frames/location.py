"""A file, and what in it is meant: ``scan.h5::/entry/data``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SEPARATOR = "::"
"""Between a file and what in it is meant. No quoting is needed for it in any shell."""


@dataclass(frozen=True)
class Location:
    """Where frames are.

    Attributes
    ----------
    path : Path
        The file, or the folder of a format that is one.
    inside : str
        What in it is meant, as the user wrote it behind ``::``: a dataset, an array, a
        number, the layout of raw binary. Empty where nothing was said.
    """

    path: Path
    inside: str = ""


def split_location(text: str) -> tuple[str, str]:
    """Return the part of `text` that names a file or pattern, and the part behind ``::`` (or '')."""
    name, _, inside = text.partition(SEPARATOR)
    return name, inside
