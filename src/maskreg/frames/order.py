"""Natural order: f2 before f10."""

from __future__ import annotations

import re
from pathlib import PurePath

NaturalKey = tuple[tuple[tuple[str | int, ...], ...], str]


def natural_key(path: PurePath) -> NaturalKey:
    """Return what to sort `path` by: its parts, numbers as numbers, without regard to case.

    The text itself comes last, so that "F1" and "f1", or "f01" and "f1", have one order too.
    """
    return tuple(_part_key(part) for part in path.parts), path.as_posix()


def _part_key(part: str) -> tuple[str | int, ...]:
    # text and number alternate and text comes first, so like is only ever compared with like
    pieces = re.split(r"([0-9]+)", part.casefold())
    return tuple(int(piece) if place % 2 else piece for place, piece in enumerate(pieces))
