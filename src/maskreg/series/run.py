"""Align a series into a run folder, so that it can be interrupted at any moment and goes on."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.errors import RunError
from maskreg.options import Options
from maskreg.outputs import Entry, Record, read_record
from maskreg.series.alignment import Alignment
from maskreg.series.closing import closed
from maskreg.series.frames import Described, opened
from maskreg.series.identity import identity
from maskreg.series.prepared import Prepared, prepare
from maskreg.series.progress import with_progress
from maskreg.series.reference import ReferenceLike
from maskreg.series.resume import what_is_missing
from maskreg.shifts import FrameRow, ShiftTable, source_text
from maskreg.stream import available_cores

log = logging.getLogger(__name__)

RECORD = "run.sqlite"
TABLE = "shifts.csv"


def align_run(
    frames: Any,
    run: str | os.PathLike[str],
    mask: ArrayLike | None = None,
    *,
    reference: ReferenceLike = "first",
    options: Options | None = None,
    pattern: str | None = None,
    metadata: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: bool = False,
    overwrite: bool = False,
    repair: bool = False,
) -> Alignment:
    """Register every frame of a series to one reference, keeping what is done in a run folder.

    A run that was interrupted goes on where it was, and ends in the same bytes as if it had not
    been; a run that is complete writes its table again. The table is written from the record
    alone, so it cannot tell how often the run was interrupted. Frames that were added to the input
    since are registered too, and those that could not be read are tried again.

    Parameters
    ----------
    frames, mask, reference, pattern, metadata, workers, progress
        See `maskreg.align`.
    run : path
        The run folder, made when it is not there: ``run.sqlite`` (the record) and, at the end,
        ``shifts.csv``.
    options : Options, optional
        What changes the answers. A run with other options, mask or reference is refused, and one of
        which frames are missing in the input.
    overwrite : bool
        Start anew, whatever the folder holds of a run.
    repair : bool
        See `maskreg.align`; it changes the table, not the record.

    Returns
    -------
    alignment : Alignment
        A shift for every frame, those of earlier sittings too.
    """
    described = Described(frames, pattern, metadata)
    with opened(described) as source:
        series = prepare(source, mask, reference, options or Options())
        folder = made_folder(Path(run))
        with Record(folder / RECORD, identity(series), overwrite=overwrite) as record:
            _register_what_is_missing(series, record, folder, workers=workers, progress=progress)
            return close_run(record, folder, described, series.mask, repair=repair)


def close_run(
    record: Record, folder: Path, frames: Any, mask: NDArray[np.bool_] | None, *, repair: bool
) -> Alignment:
    """Make the table of a run from its record, write it, and return it."""
    record.commit()
    alignment = Alignment(_table(record.entries(), repair=repair), frames, mask)
    alignment.to_csv(folder / TABLE)
    return alignment


def read_run(run: str | os.PathLike[str]) -> tuple[dict[str, Any], ShiftTable]:
    """Return the settings and the table of a run folder as far as it is, also while it is written."""
    settings, entries = read_record(Path(run) / RECORD)
    return settings, _table(entries, repair=False)


def is_run(path: str | os.PathLike[str]) -> bool:
    """Return whether `path` is a run folder."""
    return (Path(path) / RECORD).is_file()


def _register_what_is_missing(
    series: Prepared, record: Record, folder: Path, *, workers: int | None, progress: bool
) -> None:
    total = len(series.source)
    sources = [source_text(series.source.name(frame)) for frame in range(total)]
    done = record.statuses()
    todo = what_is_missing(sources, done)
    record.number(sources)
    if done:
        log.info("%d of %d frames are done already", total - len(todo), total)
    if not todo:
        return
    (folder / TABLE).unlink(missing_ok=True)  # a table is that of the whole series, or it is not there
    log.debug("to do: %d frames, %d at once", len(todo), workers or available_cores())
    begin = time.monotonic()
    with closing(series.rows(todo, workers=workers)) as rows:
        for row in with_progress(rows, total=total, done=total - len(todo), wanted=progress):
            record.write(row.frame, row.source, row.registration, row.metadata)
            if not row.registration.ok:
                log.debug("frame %d (%s) is %s", row.frame, row.source, row.registration.status.label)
    seconds = time.monotonic() - begin
    log.info("%d frames in %.1f s (%.1f a second)", len(todo), seconds, len(todo) / seconds)


def _table(entries: Iterable[Entry], *, repair: bool) -> ShiftTable:
    return closed((FrameRow(*entry) for entry in entries), repair=repair)


def made_folder(folder: Path) -> Path:
    """Return a run folder, which is made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the run folder {folder}: {error.strerror or error}") from error
    return folder
