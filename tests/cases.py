"""How many cases a test takes: few in `.ci/run`, all in `.ci/full`."""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")

ALL_CASES = os.environ.get("MASKREG_ALL_CASES") == "1"


def cases(few: T, all_of_them: T) -> T:
    """Return the one or the other."""
    return all_of_them if ALL_CASES else few
