"""Compiled: the choice among the peaks of one level.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`choose_2d`                   `search.peak.plain_choose`
`greatest_near_2d`            `numpy.fmax`, reduced over a window
============================  ==========================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.machine.compiled import inlined, kernel


@inlined
def _greatest_near(score, row, column, reach):  # type: ignore[no-untyped-def]
    """Return the greatest value of a window, -inf if all are NaN."""
    greatest = -np.inf
    for i in range(max(0, row - reach), min(score.shape[0], row + reach + 1)):
        for j in range(max(0, column - reach), min(score.shape[1], column + reach + 1)):
            if score[i, j] > greatest:
                greatest = np.float64(score[i, j])
    return greatest


@kernel
def greatest_near_2d(score, row, column, reach):  # type: ignore[no-untyped-def]
    """Return the greatest value of a map to so many places to each side of one; -inf if all are NaN."""
    return _greatest_near(score, row, column, reach)


@inlined
def _separate(score, y, x, row, column, valley):  # type: ignore[no-untyped-def]
    """Whether the map falls into a valley on the straight line between two places."""
    steps = max(abs(row - y), abs(column - x))
    least = min(score[y, x], score[row, column]) - valley
    for k in range(steps + 1):
        part = k / max(1, steps)
        here = score[int(np.rint(y + (row - y) * part)), int(np.rint(x + (column - x) * part))]
        # a forbidden lag on the way is a valley: NaN is not above anything
        if not here >= least:
            return True
    return False


@kernel
def choose_2d(score, places, origin, reach, again, part, valley):  # type: ignore[no-untyped-def]
    """Return the peaks in order, their evidence, the winner's height, and which peak is the rival or alike.

    `places` are rows and columns, (peaks, 2), `origin` the first lag of each axis. The height of the rival
    is the last number; its place in the order is -1 if there is none.
    """
    count = len(places)
    order, evidence, shifts = np.zeros(count, np.int64), np.zeros(count), np.zeros((count, 3), np.int64)
    for k in range(count):
        row, column = places[k, 0], places[k, 1]
        y, x = origin[0] + row, origin[1] + column
        value = max(0.0, np.float64(score[row, column])) ** 2 / 2
        place = k
        while place > 0:
            before = order[place - 1]
            first, second, third = shifts[before, 0], shifts[before, 1], shifts[before, 2]
            length = y * y + x * x
            later = length < first or (length == first and (y < second or (y == second and x < third)))
            if not (value > evidence[before] or (value == evidence[before] and later)):
                break
            order[place] = before
            place -= 1
        order[place], evidence[k] = k, value
        shifts[k, 0], shifts[k, 1], shifts[k, 2] = y * y + x * x, y, x
    row, column = places[order[0], 0], places[order[0], 1]
    best = _greatest_near(score, row, column, reach)
    bar = max(part * best, again)
    alike = np.zeros(count, np.bool_)
    rival, height = -1, 0.0
    for k in range(1, count):
        i, j = places[order[k], 0], places[order[k], 1]
        here = max(0.0, _greatest_near(score, i, j, reach))
        # of the first only, and of those that are alike, it matters whether they are separate
        if (rival < 0 or here > bar) and _separate(score, row, column, i, j, valley):
            if rival < 0:
                rival, height = k, here
            alike[k] = here > bar
    return order, evidence, best, alike, rival, height
