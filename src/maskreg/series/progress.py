"""A progress bar with rate and time left, where somebody can see it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TypeVar

Row = TypeVar("Row")


def with_progress(rows: Iterable[Row], *, total: int, done: int, wanted: bool) -> Iterable[Row]:
    """Return `rows` with a bar on stderr, or as they are when nobody wants or sees one.

    A bar is worth no failure: without tqdm (``maskreg[app]``) there is none.
    """
    if not wanted or not sys.stderr.isatty():
        return rows
    try:
        from tqdm import tqdm
    except ImportError:
        return rows

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0  # a thread of tqdm's, beside which no process could be forked

    bar: Iterable[Row] = Bar(rows, total=total, initial=done, unit=" frames", dynamic_ncols=True)
    return bar
