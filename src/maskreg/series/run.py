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
from maskreg.outputs import Entry, Record, read_record
from maskreg.series.alignment import Alignment
from maskreg.series.frames import opened
from maskreg.series.identity import identity
from maskreg.series.inputs import FramesOfRun, keep_inputs, kept_calibration, kept_mask
from maskreg.series.prepared import Prepared, prepare
from maskreg.series.progress import with_progress
from maskreg.series.reference import ImageLike, ReferenceLike
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
    dark: ImageLike | None = None,
    flat: ImageLike | None = None,
    workers: int | None = None,
    progress: bool = False,
    overwrite: bool = False,
) -> Alignment:
    """Register every frame of a series to one reference, keeping what is done in a run folder.

    A run that was interrupted goes on where it was, and ends in the same bytes as if it had not
    been; a run that is complete writes its table again. The table is written from the record
    alone, so it cannot tell how often the run was interrupted.

    Parameters
    ----------
    frames, mask, reference, dark, flat, workers, progress
        See `maskreg.align`.
    run : path
        The run folder, made when it is not there: ``run.sqlite`` (the record) and, at the end,
        ``shifts.csv``.
    options : Options, optional
        What changes the answers. A run with other options, input, mask or reference is refused.
    overwrite : bool
        Start anew, whatever the folder holds of a run.

    Returns
    -------
    alignment : Alignment
        A shift for every frame, those of earlier sittings too.
    """
    with opened(frames) as source:
        series = prepare(source, mask, reference, options or Options(), dark, flat)
        folder = _made(Path(run))
        with Record(folder / RECORD, identity(series), overwrite=overwrite) as record:
            if overwrite:
                (folder / TABLE).unlink(missing_ok=True)
            keep_inputs(folder, source, series.mask, series.by)
            _register_what_is_missing(series, record, workers=workers, progress=progress)
            alignment = Alignment(_table(record.entries()), frames, series.mask, series.by)
            alignment.to_csv(folder / TABLE)
    return alignment


def read_run(run: str | os.PathLike[str]) -> tuple[dict[str, Any], ShiftTable]:
    """Return the settings and the rows of a run folder, also while it is written."""
    settings, entries = read_record(Path(run) / RECORD)
    return settings, _table(entries)


def open_run(run: str | os.PathLike[str], frames: Any = None) -> Alignment:
    """Return the alignment that a run folder holds; it can do all that a fresh one can.

    Parameters
    ----------
    run : path
        The run folder; it may still be written, then what is done so far is there.
    frames : optional
        Where the frames are, as `maskreg.align` takes them, if they are not where they were. They are
        found by their names, and only when they are needed.

    Raises
    ------
    RunError
        When there is no run; and, when frames are needed, that they cannot be found.
    """
    folder = Path(run)
    settings, table = read_run(folder)
    rows, cols = settings["shape"]
    by = kept_calibration(folder, (rows, cols))
    return Alignment(table, FramesOfRun(folder, table, frames), kept_mask(folder), by)


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


def _table(entries: Iterable[Entry]) -> ShiftTable:
    return ShiftTable(FrameRow(*entry) for entry in entries)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the run folder {folder}: {error.strerror or error}") from error
    return folder
