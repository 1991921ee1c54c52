"""The rounds of ``reference='mean'`` in a run folder: a record for each, so that a run can go on.

``round-0.sqlite`` holds the first pass, registered to the first frame, ``round-1.sqlite`` and so on
what the rounds before the last one found; ``run.sqlite`` holds the last round and is the run. To go
on inside a round its mean is added up again, one pass over the frames.
"""

from __future__ import annotations

import logging
from pathlib import Path

from maskreg.outputs import Record, remove_record
from maskreg.series.before.prepared import Prepared
from maskreg.series.mean.rounds import PLAN, ROUNDS, MeanRound
from maskreg.series.run_folder.identity import identity
from maskreg.series.run_folder.recording import register_what_is_missing
from maskreg.series.run_folder.rows import sources_of
from maskreg.series.run_folder.unchanged import ensure_unchanged
from maskreg.shifts import FrameRow
from maskreg.stream import Workers

log = logging.getLogger(__name__)


def forget_rounds(folder: Path) -> None:
    """Remove the rounds of an earlier run, all before the first is begun anew: none may be gone on with."""
    for path in folder.glob("round-*.sqlite"):
        remove_record(path)


class Rounds:
    """The rounds of one run.

    Parameters
    ----------
    series : Prepared
    folder : Path
        The run folder.
    workers, progress
        See `maskreg.series.align_run`.
    """

    def __init__(self, series: Prepared, folder: Path, *, workers: Workers, progress: bool) -> None:
        self._series = series
        self._folder = folder
        self._workers = workers
        self._progress = progress

    def finish(self, record: Record) -> None:
        """Do what is missing of the last round, into the record of the run, and of those before it."""
        ensure_unchanged(self._series.source, record)
        if len(record.statuses()) == len(self._series.source):
            return
        log.info(PLAN)
        record.number(sources_of(self._series.source))  # so that the run tells how many frames it has to do
        self._do(ROUNDS, self._rows(ROUNDS - 1), record)

    def _rows(self, number: int) -> list[FrameRow]:
        """Return the rows of an earlier round, done as far as it is missing."""
        before = self._rows(number - 1) if number else None
        path = self._folder / f"round-{number}.sqlite"
        settings = {**identity(self._series), "round": number}
        with Record(path, settings) as record:
            self._do(number, before, record)
            return [FrameRow(*entry) for entry in record.entries()]

    def _do(self, number: int, before: list[FrameRow] | None, record: Record) -> None:
        if len(record.statuses()) == len(self._series.source):
            return
        log.info("round %d of %d", number, ROUNDS)
        rows = (
            self._series.rows
            if before is None
            else MeanRound(self._series, before, workers=self._workers).rows
        )
        register_what_is_missing(
            self._series.source, rows, record, workers=self._workers, progress=self._progress
        )
