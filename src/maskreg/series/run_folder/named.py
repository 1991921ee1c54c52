"""Which file a frame of the table is in, by its name."""

from __future__ import annotations

import re
from pathlib import Path

from maskreg.frames.location import Location, split_location
from maskreg.shifts.row import name_of


def location_of(path: Path) -> Location:
    """Return the file that a name means, and what in it: ``scan.h5::/entry/data``."""
    if path.exists():
        return Location(path)
    name, inside = split_location(str(path))
    return Location(Path(name), inside)


def file_of(name: str) -> str:
    """Return the file that a frame is in, by its name in the table: ``stack.tif[3]`` is in ``stack.tif``."""
    return re.sub(r"\[\d+\]$", "", name_of(name))
