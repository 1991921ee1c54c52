"""What is missing from a record is registered and put into it, a row at a time."""

from __future__ import annotations

import logging
import time
from contextlib import closing

from maskreg.cores import available_cores
from maskreg.errors import first_of
from maskreg.frames import FrameSource
from maskreg.frames.source import metadata_of
from maskreg.outputs import Record
from maskreg.series.progress import with_progress
from maskreg.series.run_folder.resume import what_is_missing, with_lost
from maskreg.series.run_folder.rows import Rows, sources_of
from maskreg.shifts.row import plain_metadata
from maskreg.stream import Cluster, Workers

log = logging.getLogger(__name__)

TABLE = "shifts.csv"
"""The table, in the folder of the record."""


def renew_metadata(source: FrameSource, record: Record) -> None:
    """Give rows that are done the metadata that their frames have now: a table grows with its series."""
    now = (plain_metadata(metadata_of(source, frame)) for frame in range(len(source)))
    if renewed := record.renew_metadata(dict(zip(sources_of(source), now, strict=True))):
        log.info("frames that were done and have other metadata now: %d", renewed)


def register_what_is_missing(
    source: FrameSource, rows_of: Rows, record: Record, *, workers: Workers, progress: bool
) -> None:
    """Register the frames that a record does not hold yet, each safe when it is done."""
    sources = sources_of(source)
    done = record.statuses()
    todo = what_is_missing(sources, done)
    names = with_lost(sources, done)
    total, place = len(names), {name: number for number, name in enumerate(names)}
    record.number(names)
    if lost := sorted(done.keys() - set(sources)):
        log.warning("%s", _told_lost(lost))
    if done:
        log.info("frames done already: %d of %d", total - len(todo), total)
    if not todo:
        return
    # a table is that of the whole series, or it is not there
    record.path.with_name(TABLE).unlink(missing_ok=True)
    log.debug("to do: %d frames, %s", len(todo), _described(workers))
    begin = time.monotonic()
    with closing(rows_of(todo, workers=workers)) as rows:
        for row in with_progress(rows, total=total, done=total - len(todo), wanted=progress):
            record.write(place[row.source], row.source, row.registration, row.metadata)
            if not row.registration.ok:
                log.debug("frame %d (%s) is %s", row.frame, row.source, row.registration.status.label)
    seconds = time.monotonic() - begin
    what = "frame" if len(todo) == 1 else "frames"
    log.info("%d %s in %.1f s (%.1f a second)", len(todo), what, seconds, len(todo) / seconds)


def _told_lost(lost: list[str]) -> str:
    who = first_of(lost, " is", " of the run are")
    they = "its row stays" if len(lost) == 1 else "their rows stay"
    return f"{who} not in the input any more: {they}, from what was done before (--overwrite leaves them out)"


def _described(workers: Workers) -> str:
    if isinstance(workers, Cluster):
        return f"{workers.threads} at once on the workers of {workers.address}"
    return f"{workers or available_cores()} at once"
