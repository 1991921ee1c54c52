"""A file, and what in it is meant: ``scan.h5::/entry/data``."""

from __future__ import annotations

import re
from collections.abc import Sequence
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


def files_of(names: Sequence[str], root: Path | None) -> list[str]:
    """Return the file that each frame is in, by its name: ``scan.h5`` of ``scan.h5::/data[3]``.

    What is a file below `root` by its whole name is meant by it, whatever it is called.
    """
    known: dict[str, str] = {}
    for name in names:
        if name not in known:
            known[name] = _file_of(name, root, known)
    return [known[name] for name in names]


def _file_of(name: str, root: Path | None, known: dict[str, str]) -> str:
    stack = re.sub(r"\[\d+\]$", "", name)
    if SEPARATOR not in stack:
        return stack
    if stack not in known:
        is_file = root is not None and (root / stack).exists()
        known[stack] = stack if is_file else split_location(stack)[0]
    return known[stack]
