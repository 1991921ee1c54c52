"""Align a series into a run folder, so that it can be interrupted at any moment and goes on."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from maskreg.errors import FrameError, InputError, OtherSettingsError, RunError, first_of, interrupts_as_such
from maskreg.frames.seen import ensure_files
from maskreg.labelled import warn_of_a_mask
from maskreg.options import Options
from maskreg.outputs import Record, ensure_folder_writable, ensure_unused, read_record
from maskreg.series.alignment import Alignment
from maskreg.series.before.first_look import LOOKED_AT
from maskreg.series.before.memory import MEMORY_MB, workers_within
from maskreg.series.before.prepared import Prepared, prepare
from maskreg.series.before.reference import ImageLike, ReferenceLike, is_mean
from maskreg.series.frames import Described, opened
from maskreg.series.open_run import is_run, table_of
from maskreg.series.run_folder.excluded import EXCLUDED, read_excluded, unknown
from maskreg.series.run_folder.identity import identity
from maskreg.series.run_folder.inputs import FOLDER, RECORD, FramesOfRun, keep_inputs
from maskreg.series.run_folder.mean_rounds import Rounds, forget_rounds
from maskreg.series.run_folder.origin import Origin
from maskreg.series.run_folder.recording import TABLE, register_what_is_missing, renew_metadata
from maskreg.series.run_folder.rows import sources_of
from maskreg.series.run_folder.unchanged import forget_what_changed
from maskreg.stream import Cluster, workers_of

log = logging.getLogger(__name__)

Lost = Callable[[Iterable[str]], list[str]]
"""Returns which of some frames are not in the input any more."""


@interrupts_as_such()
def align_run(
    frames: Any,
    run: str | os.PathLike[str],
    mask: ArrayLike | None = None,
    *,
    reference: ReferenceLike = "first",
    options: Options | None = None,
    dark: ImageLike | None = None,
    flat: ImageLike | None = None,
    pattern: str | None = None,
    metadata: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    client: Any = None,
    memory: float = MEMORY_MB,
    progress: bool = False,
    overwrite: bool = False,
    repair: bool = False,
    origin: Origin | None = None,
) -> Alignment:
    """Register every frame of a series to one reference, keeping what is done in a run folder.

    A run that was interrupted goes on where it was, and ends in the same bytes as if it had not
    been; a run that is complete writes its table again. The table is written from the record
    alone, so it cannot tell how often the run was interrupted. Frames that were added to the input
    since are registered too, those that could not be read are tried again, and files that have
    changed are registered anew. Frames that are gone keep their rows, with a warning.

    Parameters
    ----------
    frames, mask, reference, dark, flat, pattern, metadata, workers, client, memory, progress
        See `maskreg.align`.
    run : path
        The run folder, made when it is not there: ``run.sqlite`` (the record) and, at the end,
        ``shifts.csv``.
    options : Options, optional
        What changes the answers. A run with other options, mask or reference is refused, and one of
        which no frame is in the input.
    overwrite : bool
        Start anew, whatever the folder holds of a run, the list of excluded frames too.
    repair : bool
        See `maskreg.align`; it changes the table, not the record.
    origin : Origin, optional
        What the user typed, so that ``report`` and ``view`` can tell it.

    Returns
    -------
    alignment : Alignment
        A shift for every frame, those of earlier sittings too.
    """
    described = Described(frames, pattern, metadata)
    who = workers_of(workers, client)
    ensure_run_writable(run, overwrite=overwrite)
    warn_of_a_mask(mask, frames, whose="frames")
    with opened(described) as source:
        if isinstance(who, Cluster):
            ensure_files(source)
        else:
            exact = options is not None and options.exact
            who = workers_within(memory, who, source, exact=exact, mean=is_mean(reference))
        try:
            series = prepare(source, mask, reference, options or Options(), dark, flat, workers=who)
        except InputError as error:
            if not overwrite and (about := _about_unreadable(Path(run), error.__cause__)):
                raise RunError(about) from error
            raise
        folder = made_folder(Path(run))

        def lost(names: Iterable[str]) -> list[str]:
            there = set(sources_of(series.source))
            return [name for name in names if name not in there]

        with open_record(folder, series, lost, overwrite=overwrite, origin=origin) as record:
            if series.mean:
                rounds = Rounds(series, folder, workers=who, progress=progress)
                rounds.finish(record)
            else:
                forget_what_changed(series.source, series.rows, record, workers=who)
                renew_metadata(series.source, record)
                register_what_is_missing(series.source, series.rows, record, workers=who, progress=progress)
            return close_run(record, folder, described, series, repair=repair)


@contextmanager
def open_record(
    folder: Path,
    series: Prepared,
    lost: Lost,
    *,
    overwrite: bool,
    origin: Origin | None,
    keep_excluded: bool = False,
) -> Iterator[Record]:
    """Open the record of a run, for writing, and keep beside it what the run is made of.

    When it is overwritten the list of excluded frames goes, too, unless it is to be kept.

    A run that was begun before there were frames enough for the first look starts anew when that
    tells something: all are then registered in the same way, however the series grew.
    """
    path, provisional = folder / RECORD, ("first_look", LOOKED_AT)
    try:
        opened = Record(path, identity(series), overwrite=overwrite, provisional=provisional)
    except OtherSettingsError as error:
        if about := _about_lost(folder, lost):
            raise RunError(about) from error
        raise
    with opened as record:
        if overwrite:
            forget_rounds(folder)
            if not keep_excluded:
                (folder / EXCLUDED).unlink(missing_ok=True)
        keep_inputs(folder, series, origin)
        yield record


def _about_lost(folder: Path, lost: Lost) -> str:
    """Return which frames are gone from which the settings of a run came, and what to do; '' if none are."""
    settings, entries = read_record(folder / RECORD)
    reference, names = settings["reference"], [name for _, name, *_ in entries]
    why = "each frame has its part in the mean"
    if not is_mean(reference):
        names = list(dict.fromkeys([name for name in names if name == reference] + names[:LOOKED_AT]))
        why = f"the reference and the first {LOOKED_AT} frames are read again each time"
    if not (gone := lost(names)):
        return ""
    first = f"its reference {reference}" if gone[0] == reference else gone[0]
    which = first_of([first, *gone[1:]], ", which is", ", which are")
    return (
        f"the run in {folder} cannot go on without {which} not in the input any more: {why}; bring back what "
        "is gone, or take another folder or --overwrite (what is done can still be applied, merged and "
        "exported)"
    )


def _about_unreadable(folder: Path, error: BaseException | None) -> str:
    """Return what to do where the reference of a run cannot be read any more; '' where it is not that."""
    if not (isinstance(error, FrameError) and is_run(folder)):
        return ""
    reference = read_record(folder / RECORD)[0]["reference"]
    if not str(error).startswith(f"{reference}: "):
        return ""
    return (
        f"the run in {folder} cannot go on without its reference, and {error}; bring that back whole, or "
        "take another folder or --overwrite"
    )


def close_run(record: Record, folder: Path, frames: Any, series: Prepared, *, repair: bool) -> Alignment:
    """Make the table of a run from its record, write it, and return it."""
    record.commit()
    table = table_of(record.entries(), folder, repair=repair)
    for name in unknown(read_excluded(folder), table):
        log.warning("%s names %r, which is no frame of the run", folder / EXCLUDED, name)
    if [row.source for row in table] != sources_of(series.source):
        frames = FramesOfRun(folder, table, frames)  # numbers of the table are none of theirs
    alignment = Alignment(table, frames, series.mask, series.by)
    alignment.to_csv(folder / TABLE)
    return alignment


def ensure_run_writable(run: str | os.PathLike[str], *, overwrite: bool, more: Iterable[str] = ()) -> None:
    """Raise `RunError` unless a run can be written: now, not after all that is read before its first row.

    What is called as the table is, or as one of `more`, and is no run's is replaced only with `overwrite`.
    """
    ensure_folder_writable(run, files=(RECORD, TABLE), folders=(FOLDER,))
    ensure_unused(Path(run) / RECORD)
    if overwrite or is_run(run):
        return
    for name in (TABLE, *more):
        if (Path(run) / name).is_file():  # a folder is not removed, and told where it is in the way
            raise RunError(f"{Path(run) / name} exists, and is no run's; take another folder, or --overwrite")


def made_folder(folder: Path) -> Path:
    """Return a run folder, which is made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the run folder {folder}: {error.strerror or error}") from error
    return folder
