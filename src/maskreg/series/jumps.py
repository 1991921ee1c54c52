"""Where the drift of a series jumps: what the report and the live page mark."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from maskreg.shifts import ShiftTable

BESIDE = 3
"""Frames on either side whose median says where the drift was, and where it stays."""
LIMIT = 8.0
"""A step so many times the usual one is a jump."""
LEAST = 0.5
"""Smaller steps, px, are nobody's concern."""


class Jump(NamedTuple):
    """A place where the drift jumps and stays."""

    frame: int
    """The first good frame after it."""
    size: tuple[float, float]
    """By how much the shift changes, px, rows and columns."""


def jumps_of(table: ShiftTable) -> list[Jump]:
    """Return where the shifts of the good frames step far beyond the usual step, and stay."""
    rows = [row for row in table if row.registration.ok]
    if len(rows) < 2 * BESIDE + 1:
        return []
    shifts = np.array([row.registration.shift for row in rows])
    sigma = np.array([row.registration.uncertainty.max() for row in rows])
    steps = np.diff(shifts, axis=0)
    length = np.hypot(*steps.T)
    line = np.maximum(max(LEAST, LIMIT * float(np.median(length))), LIMIT * (sigma[1:] + sigma[:-1]))
    places = np.flatnonzero(length > line) + 1
    found = []
    for place in places[(places >= BESIDE) & (places <= len(rows) - BESIDE)]:
        after, before = shifts[place : place + BESIDE], shifts[place - BESIDE : place]
        step, size = steps[place - 1], np.median(after, axis=0) - np.median(before, axis=0)
        if step @ size > (step @ step) / 2:
            found.append(Jump(rows[place].frame, (float(step[0]), float(step[1]))))
    return found
