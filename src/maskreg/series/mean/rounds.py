"""Register a series to the mean of its own aligned frames: ``reference='mean'``.

After a first pass, in which every frame is registered to the first one, there are `ROUNDS` rounds
of two passes. The first pass of a round adds up the frames that are ok where the last table has
them; the second registers every frame to that sum less its own part, whose noise would otherwise
be on both sides and hold the frame where it is. The sum lives on the first frame's grid and is
never interpolated.

A round follows from the table before it and from the frames, and from nothing else. So a run that
was interrupted adds up again and goes on with the same bits. Memory does not depend on the number
of frames: some thirty images in single precision, a few more for each frame at once. What places
frames near where they were, and what looks for the others at all places, take that much each. So it
is done some frames after the other: these are placed, then those that were not are looked for, then
those that were found are placed; what one step needs is let go of before the next.

Sums are made in blocks of frames (`maskreg.stream.sums`): the same bits whoever makes them.

The first frame keeps the shift zero: after each round its own shift is taken off all others. What
is left is relative to it as well as it is known itself, and to the mean as well as the column
sigma says.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from contextlib import closing
from functools import partial

from maskreg.errors import InputError
from maskreg.frames.seen import sent
from maskreg.series.before.prepared import Prepared
from maskreg.series.mean.mean_sum import Contribution, MeanSum
from maskreg.series.mean.register import FOUND, NOT_PLACED, RegisterToMean
from maskreg.series.pipeline import Item, frame_rows
from maskreg.shifts import FrameRow
from maskreg.stream import Cluster, Workers
from maskreg.stream.sums import summed

log = logging.getLogger(__name__)

ROUNDS = 2
"""From the table of the first pass one round comes to within a few per cent of the bound, and two
to where further ones change less than a tenth of the uncertainty."""

PASSES = 1 + 2 * ROUNDS
"""How often each frame is read."""

PLAN = f"reference 'mean': {ROUNDS} rounds, each frame is read {PASSES} times"

FEWEST = 4
"""A mean of two halves, of which a frame is taken off, needs this many frames that are ok."""

TOGETHER = 64
"""So many frames for each thread of a cluster, or in all, are placed before others are looked for."""

RELATIVE_TO = {"sigma_relative_to": "mean"}
"""A column of the table: what its uncertainties refer to."""


class MeanRound:
    """One round: the mean of the frames where earlier rows have them, and rows registered to it.

    Parameters
    ----------
    series : Prepared
        With the first frame as its reference.
    before : sequence of FrameRow
        Of the round before, one for every frame.
    workers : int or Cluster, optional
        Who adds up the frames; it never changes a result.

    Raises
    ------
    InputError
        Fewer than `FEWEST` frames are ok.
    """

    def __init__(self, series: Prepared, before: Sequence[FrameRow], *, workers: Workers) -> None:
        from maskreg.core.machine.memory import give_back_free_memory

        self._series = series
        self._before = before
        give_back_free_memory()  # that of the pass before
        ok = [(row.frame, row.registration.shift) for row in before if row.registration.ok]
        if len(ok) < FEWEST:
            raise InputError(
                f"reference='mean': only {len(ok)} of {len(before)} frames are ok, a mean needs {FEWEST}; "
                "try reference='first', or look at the mask"
            )
        add = Contribution(series)
        empty = partial(MeanSum, series.source.shape)
        with closing(
            summed(add, [ok], empty, workers=workers, send=partial(sent, source=series.source))
        ) as sums:
            total = next(sums)
        register = RegisterToMean(series, total, None, sent=isinstance(workers, Cluster))
        del total
        if register.known.fields is None:
            raise InputError("reference='mean': no pixel is valid in enough aligned frames; look at the mask")
        first = series.reference.frame or 0
        gauge = register.placed(first, before[first].registration.shift)
        if gauge is None:
            raise InputError(
                f"reference='mean': {series.reference.name} does not match the mean of the others; "
                "try reference='first', or leave it out"
            )
        register.gauge = gauge
        self._register = register

    def rows(self, frames: Sequence[int], *, workers: Workers) -> Generator[FrameRow, None, None]:
        """Yield the rows of `frames`, in their order."""
        items = [(frame, self._before[frame].registration) for frame in frames]
        size = TOGETHER * (workers.threads if isinstance(workers, Cluster) else 1)
        for first in range(0, len(items), size):
            yield from self._block(items[first : first + size], workers)

    def _block(self, items: Sequence[Item], workers: Workers) -> Generator[FrameRow, None, None]:
        """Yield the rows of some frames: step by step those that the first step does not place."""
        held: list[FrameRow] = []
        with closing(self._step(items, workers)) as rows:
            for row in rows:
                if held or row.registration.detail == NOT_PLACED:
                    held.append(row)
                else:
                    yield row
        for left in (NOT_PLACED, FOUND):
            again = [(row.frame, row.registration) for row in held if row.registration.detail == left]
            with closing(self._step(again, workers)) as rows:
                answers = {row.frame: row for row in rows}
            held = [answers.get(row.frame, row) for row in held]
        yield from held

    def _step(self, items: Sequence[Item], workers: Workers) -> Generator[FrameRow, None, None]:
        return frame_rows(self._series.source, items, self._register, workers=workers, also=RELATIVE_TO)


def mean_rows(series: Prepared, rows: Sequence[FrameRow], *, workers: Workers) -> Sequence[FrameRow]:
    """Return the rows of a series registered to its own mean, from those of the first pass."""
    log.info(PLAN)
    every = range(len(series.source))
    for _ in range(ROUNDS):
        with closing(MeanRound(series, rows, workers=workers).rows(every, workers=workers)) as found:
            rows = list(found)
    return rows
