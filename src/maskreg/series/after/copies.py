"""Frames that a detector, or a copy of files, has delivered again: noise never comes twice.

What is computed of the same pixels is the same to the last digit, so the table tells it: no frame is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from maskreg.registration import Registration, Status
from maskreg.shifts import FrameRow, ShiftTable

WHOLE = 1 - 1e-9
"""The score of a frame that is the reference's image again,"""

NOWHERE = 0.01
"""which has moved by less, px."""


class Copies(NamedTuple):
    """Frames that follow each other and are all the same as one before."""

    first: int
    last: int
    of: int


def copies_in(rows: Iterable[FrameRow]) -> list[Copies]:
    """Return which rows, in the order of the series, repeat the row before them or the reference."""
    rows, found, before = list(rows), list[Copies](), None
    reference = next((row.frame for row in rows if row.registration.status is Status.REFERENCE), None)
    for row in rows:
        if before is not None and are_copies(before.registration, row.registration):
            if found and found[-1].last == before.frame:
                found[-1] = found[-1]._replace(last=row.frame)
            else:
                found.append(Copies(row.frame, row.frame, before.frame))
        elif reference is not None and is_again(row.registration):
            found.append(Copies(row.frame, row.frame, reference))
        before = row
    return found


def about_copies(table: ShiftTable) -> list[str]:
    """Return a line for a person about each of these."""
    lines, sources = [], {row.frame: row.source for row in table}
    for some in copies_in(table):
        one = some.first == some.last
        who = f"frame {some.first} is" if one else f"frames {some.first} to {some.last} are"
        where = f"frame {some.of} ({sources[some.of]})"
        lines.append(f"{who} the same as {where}, noise and all: did the detector stick?")
    return lines


def are_copies(one: Registration, other: Registration) -> bool:
    """Whether two registrations are those of the same pixels: frames without an answer do not tell."""
    if not np.isfinite(one.significance):  # of the reference as well
        return False
    told = [
        (*answer.shift, *answer.covariance.flat, answer.score, answer.significance) for answer in (one, other)
    ]
    return told[0] == told[1]


def is_again(answer: Registration) -> bool:
    """Whether a registration is that of the reference's own pixels."""
    at_once = answer.score >= WHOLE and bool(np.abs(answer.shift).max() < NOWHERE)
    return at_once and answer.status is not Status.REFERENCE
