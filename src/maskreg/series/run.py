"""Align a series into a run folder, so that it can be interrupted at any moment and goes on."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from maskreg.errors import RunError
from maskreg.options import Options
from maskreg.outputs import Entry, Record, atomic_write, read_record
from maskreg.series.alignment import Alignment
from maskreg.series.excluded import EXCLUDED, excluding, read_excluded
from maskreg.series.frames import opened
from maskreg.series.identity import identity
from maskreg.series.origin import Origin, write_origin
from maskreg.series.prepared import Prepared, prepare
from maskreg.series.progress import with_progress
from maskreg.series.reference import ReferenceLike
from maskreg.shifts import FrameRow, ShiftTable
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
    workers: int | None = None,
    progress: bool = False,
    overwrite: bool = False,
    origin: Origin | None = None,
) -> Alignment:
    """Register every frame of a series to one reference, keeping what is done in a run folder.

    A run that was interrupted goes on where it was, and ends in the same bytes as if it had not
    been; a run that is complete writes its table again. The table is written from the record
    alone, so it cannot tell how often the run was interrupted.

    Parameters
    ----------
    frames, mask, reference, workers, progress
        See `maskreg.align`.
    run : path
        The run folder, made when it is not there: ``run.sqlite`` (the record) and, at the end,
        ``shifts.csv``.
    options : Options, optional
        What changes the answers. A run with other options, input, mask or reference is refused.
    overwrite : bool
        Start anew, whatever the folder holds of a run, the list of excluded frames too.
    origin : Origin, optional
        Where the frames come from, so that ``report`` and ``view`` can show them.

    Returns
    -------
    alignment : Alignment
        A shift for every frame, those of earlier sittings too.
    """
    with opened(frames) as source:
        series = prepare(source, mask, reference, options or Options())
        folder = _made(Path(run))
        with Record(folder / RECORD, identity(series), overwrite=overwrite) as record:
            if overwrite:
                for name in (TABLE, EXCLUDED):
                    (folder / name).unlink(missing_ok=True)
            write_origin(folder, series, origin)
            _register_what_is_missing(series, record, workers=workers, progress=progress)
            alignment = Alignment(_table(record.entries(), folder), frames, series.mask)
            alignment.to_csv(folder / TABLE)
    return alignment


def read_run(run: str | os.PathLike[str]) -> tuple[dict[str, Any], ShiftTable]:
    """Return the settings and the rows of a run folder, also while it is written."""
    settings, entries = read_record(Path(run) / RECORD)
    return settings, _table(entries, Path(run))


def is_run(path: str | os.PathLike[str]) -> bool:
    """Return whether `path` is a run folder."""
    return (Path(path) / RECORD).is_file()


def _register_what_is_missing(
    series: Prepared, record: Record, *, workers: int | None, progress: bool
) -> None:
    done = record.frames()
    total = len(series.source)
    todo = [frame for frame in range(total) if frame not in done]
    if done:
        log.info("%d of %d frames are done already", len(done), total)
    if not todo:
        return
    log.debug("to do: %d frames, %d at once", len(todo), workers or available_cores())
    begin = time.monotonic()
    with closing(series.rows(todo, workers=workers)) as rows:
        for row in with_progress(rows, total=total, done=len(done), wanted=progress):
            record.write(*row)
            if not row.registration.ok:
                log.debug("frame %d (%s) is %s", row.frame, row.source, row.registration.status.label)
    seconds = time.monotonic() - begin
    log.info("%d frames in %.1f s (%.1f a second)", len(todo), seconds, len(todo) / seconds)


def write_table(run: str | os.PathLike[str]) -> None:
    """Write the table of a complete run again, after frames were excluded or taken back."""
    path = Path(run) / TABLE
    if path.is_file():  # else the run goes on, and writes it at its end
        with atomic_write(path) as stream:
            read_run(run)[1].to_csv(stream)


def _table(entries: Iterable[Entry], run: Path) -> ShiftTable:
    return ShiftTable(excluding((FrameRow(*entry) for entry in entries), read_excluded(run)))


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the run folder {folder}: {error.strerror or error}") from error
    return folder
