"""A run that is there, whole or not: its settings, its table, and the alignment that it holds."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.frames.corrected import Calibration
from maskreg.outputs import Entry, atomic_write, read_record
from maskreg.series.after.closing import closed
from maskreg.series.alignment import Alignment
from maskreg.series.run_folder.excluded import excluding, read_excluded
from maskreg.series.run_folder.identity import of_inputs
from maskreg.series.run_folder.inputs import (
    FOLDER,
    RECORD,
    FramesOfRun,
    kept_calibration,
    kept_mask,
    kept_origin,
)
from maskreg.series.run_folder.recording import TABLE
from maskreg.series.run_folder.repeat import how_to_go_on
from maskreg.shifts import FrameRow, ShiftTable
from maskreg.shifts.columns import REPAIRED_NAMES

log = logging.getLogger(__name__)


def read_run(run: str | os.PathLike[str]) -> tuple[dict[str, Any], ShiftTable]:
    """Return the settings and the table of a run folder as far as it is, also while it is written.

    The setting ``frames`` is how many the series has; while a folder is watched nobody knows how many will
    come, and it is how many are done.
    """
    settings, entries = read_record(Path(run) / RECORD)
    table = table_of(entries, Path(run), repair=False)
    return settings | {"frames": max(settings["frames"], len(table))}, table


def unfinished(run: str | os.PathLike[str], settings: dict[str, Any], table: ShiftTable) -> str:
    """Return a line that says how much of a run is done and what goes on with it; empty if it is complete."""
    folder, frames = Path(run), settings["frames"]
    if len(table) == frames and (folder / TABLE).is_file():
        return ""
    done = f"{len(table)} of {frames} frames done" if len(table) < frames else f"frames done so far: {frames}"
    return (
        f"{folder} is not complete ({done}); unless it is being written, {how_to_go_on(kept_origin(folder))}"
    )


def open_run(run: str | os.PathLike[str], frames: Any = None) -> Alignment:
    """Return the alignment that a run folder holds; it can do all that a fresh one can.

    Parameters
    ----------
    run : path
        The run folder; it may still be written, or may have been interrupted: then what is done so far is
        there, and a warning says how much that is.
    frames : optional
        Where the frames are, as `maskreg.align` takes them, if they are not where they were. They are
        found by their names, and only when they are needed.

    Raises
    ------
    RunError
        When there is no run; and, when frames are needed, that they cannot be found.

    Examples
    --------
    After ``maskreg align scan/frames --valid scan/valid_mask.tif -o run``:

    >>> alignment = open_run("run")  # doctest: +SKIP
    >>> (merged,) = alignment.merge()  # doctest: +SKIP
    """
    folder = Path(run)
    settings, table = read_run(folder)
    if line := unfinished(folder, settings, table):
        log.warning("%s", line)
    mask, by = kept_mask(folder), kept_calibration(folder, settings["shape"])
    named = FramesOfRun(folder, table, frames, unusable=_told_of_others(folder, settings, mask, by))
    return Alignment(table, named, mask, by, total=settings["frames"])


def _told_of_others(
    folder: Path, settings: dict[str, Any], mask: NDArray[np.bool_] | None, by: Calibration | None
) -> str:
    """Return why frames cannot be moved as the run says (another mask, dark or flat); '' if they can."""
    for name, fingerprint in of_inputs(mask, by).items():
        if settings[name] != fingerprint:
            return (
                f"{folder / FOLDER} does not hold the {name} that the run was made with "
                f"({settings[name] or 'none'}); give the command of align again, which brings it back"
            )
    return ""


def is_run(path: str | os.PathLike[str]) -> bool:
    """Return whether `path` is a run folder."""
    return os.path.isfile(Path(path) / RECORD)  # noqa: PTH113 (False, too, where it may not be looked for)


def table_of(entries: Iterable[Entry], run: Path, *, repair: bool) -> ShiftTable:
    """Return the closed table; frames that the user left out are no neighbours of the others."""
    return closed(excluding((FrameRow(*entry) for entry in entries), read_excluded(run)), repair=repair)


def write_table(run: str | os.PathLike[str]) -> None:
    """Write the table of a complete run again, after frames were excluded or taken back."""
    path = Path(run) / TABLE
    if not path.is_file():
        return  # the run goes on, and writes it at its end
    with path.open(encoding="utf-8") as stream:
        repair = REPAIRED_NAMES[0] in stream.readline()
    _, entries = read_record(Path(run) / RECORD)
    with atomic_write(path) as stream:
        table_of(entries, Path(run), repair=repair).to_csv(stream)
