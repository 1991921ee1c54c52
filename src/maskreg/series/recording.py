"""What is missing from a record is registered and put into it, a row at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterable
from contextlib import closing
from typing import Protocol

from maskreg.frames import FrameSource
from maskreg.outputs import Entry, Record
from maskreg.series.progress import with_progress
from maskreg.shifts import FrameRow, ShiftTable
from maskreg.stream import available_cores

log = logging.getLogger(__name__)


class Rows(Protocol):
    """Registers frames given by their indices, and yields their rows."""

    def __call__(self, frames: Iterable[int], *, workers: int | None) -> Generator[FrameRow, None, None]:
        """Yield the rows in the order of `frames`."""


def register_what_is_missing(
    source: FrameSource, rows_of: Rows, record: Record, *, workers: int | None, progress: bool
) -> None:
    """Register the frames that a record does not hold yet, each safe when it is done."""
    done = record.frames()
    total = len(source)
    todo = [frame for frame in range(total) if frame not in done]
    if done:
        log.info("%d of %d frames are done already", len(done), total)
    if not todo:
        return
    log.debug("to do: %d frames, %d at once", len(todo), workers or available_cores())
    begin = time.monotonic()
    with closing(rows_of(todo, workers=workers)) as rows:
        for row in with_progress(rows, total=total, done=len(done), wanted=progress):
            record.write(*row)
            if not row.registration.ok:
                log.debug("frame %d (%s) is %s", row.frame, row.source, row.registration.status.label)
    seconds = time.monotonic() - begin
    log.info("%d frames in %.1f s (%.1f a second)", len(todo), seconds, len(todo) / seconds)


def table_of(entries: Iterable[Entry]) -> ShiftTable:
    """Return the rows of a record as a table."""
    return ShiftTable(FrameRow(*entry) for entry in entries)
