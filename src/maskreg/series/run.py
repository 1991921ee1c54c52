"""Align a series into a run folder, so that it can be interrupted at any moment and goes on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from maskreg.errors import RunError
from maskreg.options import Options
from maskreg.outputs import Record, read_record
from maskreg.series.alignment import Alignment
from maskreg.series.frames import opened
from maskreg.series.identity import identity
from maskreg.series.prepared import prepare
from maskreg.series.recording import register_what_is_missing, table_of
from maskreg.series.reference import ReferenceLike
from maskreg.series.rounds import Rounds
from maskreg.shifts import ShiftTable

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
        Start anew, whatever the folder holds of a run.

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
                (folder / TABLE).unlink(missing_ok=True)
            if series.mean:
                rounds = Rounds(series, folder, workers=workers, progress=progress, overwrite=overwrite)
                rounds.finish(record)
            else:
                register_what_is_missing(
                    series.source, series.rows, record, workers=workers, progress=progress
                )
            alignment = Alignment(table_of(record.entries()), frames, series.mask)
            alignment.to_csv(folder / TABLE)
    return alignment


def read_run(run: str | os.PathLike[str]) -> tuple[dict[str, Any], ShiftTable]:
    """Return the settings and the rows of a run folder, also while it is written."""
    settings, entries = read_record(Path(run) / RECORD)
    return settings, table_of(entries)


def is_run(path: str | os.PathLike[str]) -> bool:
    """Return whether `path` is a run folder."""
    return (Path(path) / RECORD).is_file()


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the run folder {folder}: {error.strerror or error}") from error
    return folder
