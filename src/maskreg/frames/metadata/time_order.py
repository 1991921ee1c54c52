"""The order of time: of the frames whose metadata tell it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from maskreg.errors import InputError

TIME_COLUMNS = ("time", "timestamp")
"""Columns that order a series, in any mixture of capitals; the first that is there."""

_IN_A_NAME = re.compile(r"(?<=[T_ ]\d\d)-(\d\d)-(\d\d)")
"""A time of day as file names have it, which take no colons everywhere: ``2026-05-18T16-51-49``."""


def order_of_time(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[int] | None:
    """Return which frame comes first, second, ... in time, or None where no column tells it.

    Frames of the same time keep their order; those without a time come last.

    Parameters
    ----------
    rows : sequence of dict
        The metadata of each frame.
    names : sequence of str
        What to call each frame in a message.

    Raises
    ------
    InputError
        When a time is neither a number nor an ISO 8601 text, or both occur.
    """
    column = time_column(rows)
    if column is None:
        return None
    times = [_time(row.get(column), column, name) for row, name in zip(rows, names, strict=True)]
    if len({isinstance(time, datetime) for time in times if time is not None}) > 1:
        raise InputError(
            f"the column '{column}' mixes numbers and dates; frames cannot be put in order by it"
        )
    known = [place for place, time in enumerate(times) if time is not None]
    try:
        in_order = sorted(known, key=lambda place: times[place])  # type: ignore[arg-type,return-value]
    except TypeError:
        raise InputError(f"the column '{column}' has dates with and without a time zone") from None
    return in_order + [place for place, time in enumerate(times) if time is None]


def time_column(rows: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the column that tells the time, None where there is none; see `TIME_COLUMNS`."""
    there = {name.lower(): name for row in rows for name in row}
    return next((there[name] for name in TIME_COLUMNS if name in there), None)


def _time(value: Any, column: str, name: str) -> float | datetime | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, int | float):
        return float(value)
    try:
        return datetime.fromisoformat(_IN_A_NAME.sub(r":\1:\2", str(value)))
    except ValueError:
        raise InputError(
            f"{name}: its {column} is {value!r}; a time is a number, or a date such as 2026-05-18T16:51:49: "
            f"call the column otherwise, or tell another {column} by --metadata"
        ) from None
