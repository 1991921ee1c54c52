"""What somebody must be told at once: a decision over rows and times, which touches no file.

An alarm is given when something begins, and again only after it was over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import PurePath
from typing import NamedTuple

import numpy as np

from maskreg.frames.order import natural_key
from maskreg.series.after.closing import closed, jumps_of
from maskreg.series.after.copies import are_copies
from maskreg.series.after.drift import NEAR
from maskreg.shifts import FrameRow

RECENT = 10
"""How many frames together tell that the score has fallen: one bad frame is a row, no alarm."""

FALLEN = 0.6
"""The score has fallen when its median is below this part of what it was at the beginning."""


class Alarm(NamedTuple):
    """Something that somebody must be told at once."""

    kind: str
    """``jump``, ``score``, ``copy`` or ``silence``."""
    text: str
    """One line."""


class Alarms:
    """Watches the rows of a series as they come.

    Parameters
    ----------
    silence : float, optional
        After how many seconds without a new frame to give alarm.
    now : float
        The time from which silence is counted, s.
    """

    def __init__(self, silence: float | None, now: float) -> None:
        self._silence = silence
        self._last_row = now
        self._silent = False
        self._rows: deque[FrameRow] = deque(maxlen=2 * NEAR)
        self._told: set[str] = set()
        self._first_scores: list[float] = []
        self._scores: deque[float] = deque(maxlen=RECENT)
        self._low = False
        self._before: FrameRow | None = None
        self._sticks = False

    def rows(self, rows: Iterable[FrameRow], now: float) -> list[Alarm]:
        """Return what is alarming about new rows, which come in the order of their arrival."""
        alarms = []
        for some in _batched(rows, NEAR):
            self._last_row, self._silent = now, False
            self._rows.extend(some)
            for row in some:
                alarms += self._score(row)
                alarms += self._copy(row)
            alarms += self._jumps()
        return alarms

    def tick(self, now: float) -> list[Alarm]:
        """Return what is alarming about the time that has gone by."""
        if self._silence is None or self._silent or now - self._last_row < self._silence:
            return []
        self._silent = True
        return [Alarm("silence", f"no new frame for {self._silence / 60:.3g} minutes")]

    def _score(self, row: FrameRow) -> list[Alarm]:
        answer = row.registration
        # a frame without an answer has no likeness to the reference at all
        score = answer.score if np.isfinite(answer.score) else 0.0
        if len(self._first_scores) < RECENT:
            self._first_scores.append(score)
            return []
        self._scores.append(score)
        if len(self._scores) < RECENT:
            return []
        usual, now = float(np.median(self._first_scores)), float(np.median(self._scores))
        fell, self._low = now < FALLEN * usual and not self._low, now < FALLEN * usual
        text = f"the score has fallen from {usual:.2f} to {now:.2f} (last frame: {row.source})"
        return [Alarm("score", text)] if fell else []

    def _copy(self, row: FrameRow) -> list[Alarm]:
        before, self._before = self._before, row
        if before is None or before.source == row.source:
            return []
        stuck, self._sticks = self._sticks, are_copies(before.registration, row.registration)
        text = f"{row.source} is the same as {before.source}, noise and all: does the detector stick?"
        return [Alarm("copy", text)] if self._sticks and not stuck else []

    def _jumps(self) -> list[Alarm]:
        # by name, as in the table: frames that arrived out of order are no jump
        table = closed(sorted(self._rows, key=lambda row: natural_key(PurePath(row.source))))
        alarms, jumps = [], jumps_of(table)
        for jump in jumps:
            source = table[jump.frame].source
            if source not in self._told:
                row, col = jump.size
                text = f"the shift jumps by {row:+.2f}, {col:+.2f} px (rows, columns) at {source}"
                alarms.append(Alarm("jump", text))
        # of what has left the window nothing can be told again
        self._told = {row.source for row in self._rows if row.source in self._told}
        self._told |= {table[jump.frame].source for jump in jumps}
        return alarms


def _batched(rows: Iterable[FrameRow], size: int) -> Iterator[list[FrameRow]]:
    """Yield the rows, so many at a time: never more than the window of recent rows holds twice."""
    remaining = iter(rows)
    while some := list(islice(remaining, size)):
        yield some
