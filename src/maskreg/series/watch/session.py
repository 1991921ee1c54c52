"""A sitting of ``watch`` with one reference: what has arrived is registered, what is alarming is told.

All decisions are made elsewhere (`arrivals`, `alarms`) and tested there. What makes the reference, or the
first look, another one ends the sitting with `BeginAnewError`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from maskreg.errors import FlatReferenceError, FrameError, InputError, RunError, interrupts_as_such
from maskreg.frames import FrameSource
from maskreg.frames.corrected import as_corrected
from maskreg.frames.folder import FolderFrames
from maskreg.frames.location import Location
from maskreg.frames.metadata.name_pattern import NamePattern
from maskreg.outputs import FileState, Record
from maskreg.registration import Status
from maskreg.series.alignment import Alignment
from maskreg.series.before.first_look import LOOKED_AT
from maskreg.series.before.prepared import Prepared, look_at
from maskreg.series.before.reference import find_reference
from maskreg.series.pipeline import register_frames
from maskreg.series.run import close_run, open_record
from maskreg.series.run_folder.named import file_of
from maskreg.series.run_folder.origin import Origin
from maskreg.series.run_folder.recording import TABLE
from maskreg.series.watch.alarms import Alarm, Alarms
from maskreg.series.watch.arrivals import Arrivals, Stamp, comes_before, in_order
from maskreg.series.watch.arrived import ArrivedFrames
from maskreg.series.watch.folder import WatchedFolder
from maskreg.shifts import FrameRow, source_text

log = logging.getLogger(__name__)

BATCH = 64
"""Most files taken at once: between batches the folder is looked at and alarms are given."""

TELL_SECONDS = 60.0
"""At most so often a line says how far the watch is, s: a weekend is some thousand lines."""

Prepare = Callable[[FrameSource, NDArray[Any]], Prepared]
"""Makes a series ready to be registered, from its first frames and the image that is the reference."""


class BeginAnewError(Exception):
    """What all frames depend on is another one than before."""

    def __init__(self, change: str, level: int = logging.WARNING) -> None:
        super().__init__(change)
        self.level = level


@dataclass(frozen=True)
class Patience:
    """How long things are waited for.

    Attributes
    ----------
    settle : float
        How long a file must not have changed before it is read, s, unless it is known to be closed.
    until_idle : float or None
        The end comes when nothing has happened for so long, s; None: never.
    """

    settle: float
    until_idle: float | None


class Session:
    """One reference, and the frames that arrive while it is the reference.

    Parameters
    ----------
    folder : WatchedFolder
        Where they arrive.
    run : Path
        The run folder.
    pattern : NamePattern, optional
        How file names tell metadata.
    patience : Patience
    alarms : Alarms
        What is alarming; it lives longer than a reference.
    on_alarm : callable
        Is given each `Alarm`.
    workers : int, optional
        Frames registered at once; all cores unless told.
    """

    def __init__(
        self,
        folder: WatchedFolder,
        run: Path,
        pattern: NamePattern | None,
        patience: Patience,
        alarms: Alarms,
        on_alarm: Callable[[Alarm], None],
        workers: int | None,
    ) -> None:
        self._folder = folder
        self._run = run
        self._pattern = pattern
        self._patience = patience
        self._alarms = alarms
        self._on_alarm = on_alarm
        self._workers = workers
        self._arrivals = Arrivals(patience.settle)
        self._last_work = time.monotonic()
        self._last_told = float("-inf")
        self._first = ""  # the file that the reference comes from, if it is a frame of the series
        self._names: dict[str, list[str]] = {}  # the sources of every file that is in the record
        self._leading: list[str] = []  # files that hold the first frames, as far as they are known
        self._frames = 0  # how many frames were put into the record

    def wait_for_reference(self, reference: NDArray[Any] | None, prepared: Prepare) -> Prepared:
        """Return the series, ready to be registered, once a frame is there that can be the reference."""
        problem: Exception = RunError(f"no frame arrived in {self._folder.path}")
        broken: set[str] = set()  # they will be rows, but not the reference
        while True:
            self._look()
            first = self._arrivals.first()
            if first is not None and first in self._arrivals.ready():
                self._leading = in_order({*broken, *self._arrivals.ready()})[:LOOKED_AT]
                self._arrivals.take(first)
                self._first = first
                try:
                    return self._looked(self._prepared(first, reference, prepared))
                except (FrameError, FlatReferenceError) as error:
                    problem = error
                    broken.add(first)
                    log.warning("%s; it is not the reference unless it is written anew", error)
            if self._is_idle():
                raise problem

    def work(
        self, series: Prepared, *, origin: Origin | None, overwrite: bool, anew: bool, repair: bool
    ) -> Alignment:
        """Register what arrives, until nothing does, and return the table.

        Who wants to `overwrite` wants nothing of what is there; a watch that begins `anew` keeps what the
        user has left out meanwhile.
        """
        how = {"overwrite": overwrite or anew, "keep_excluded": anew}
        with open_record(self._run, series, self._lost, origin=origin, **how) as record:
            self._resume(record)
            (self._run / TABLE).unlink(missing_ok=True)
            registrar = series.registrar()
            try:
                self._follow(series, registrar, record)
            except KeyboardInterrupt:
                if left := len(self._arrivals.ready()) + len(self._arrivals.settling()):
                    log.info("%d files have arrived and are not done", left)
                log.info("%s", self._close(record, series, repair=repair).table().describe())
                raise
            return self._close(record, series, repair=repair)

    @interrupts_as_such()
    def _follow(self, series: Prepared, registrar: Any, record: Record) -> None:
        """Register what arrives, until nothing does."""
        while not self._is_idle():
            while batch := self._batch(series):
                self._register(batch, series, registrar, record)
                self._look_again(batch, series)
                self._look(wait=False)
            self._look()

    def _prepared(self, first: str, reference: NDArray[Any] | None, prepared: Prepare) -> Prepared:
        path, root = self._folder.path / first, self._folder.path
        image = FolderFrames([Location(path)], root).load(0) if reference is None else reference
        return prepared(ArrivedFrames([path], root, image.shape, self._pattern), image)

    def _is_reference(self, file: str, series: Prepared) -> bool:
        """Return whether a file that has arrived makes the reference another one."""
        if not comes_before(file, self._first):
            return file == self._first and file in self._names
        path, root = self._folder.path / file, self._folder.path
        arrived = ArrivedFrames([path], root, series.reference.image.shape)
        try:
            find_reference("first", as_corrected(arrived, series.by), series.mask)
        except InputError:  # a row like any other that cannot be registered
            return False
        return True

    def _looked(self, series: Prepared) -> Prepared:
        """Return the series with the first look at the leading files, as `align` would take it."""
        files = [self._folder.path / name for name in self._leading]
        source = ArrivedFrames(files, self._folder.path, series.reference.image.shape)
        corrected = as_corrected(source, series.by)
        look = look_at(corrected, series.mask, series.reference, series.options, workers=self._workers)
        return replace(series, look=look)

    def _look_again(self, batch: list[str], series: Prepared) -> None:
        """Begin anew if files that were just registered are of the first ones, and tell something else."""
        known = in_order({*self._leading, *batch})
        self._leading = [name for name in known if (self._folder.path / name).exists()][:LOOKED_AT]
        if not set(batch) & set(self._leading):
            return
        found, before = self._looked(series).look.describe(), series.look.describe()
        if found != before:
            level = logging.INFO if before is None else logging.WARNING
            raise BeginAnewError(f"the first {LOOKED_AT} frames tell: {found or 'nothing'}", level)

    def _lost(self, names: Iterable[str]) -> list[str]:
        """Return which of some frames are in no file of the folder any more."""
        return [name for name in names if not (self._folder.path / file_of(name)).exists()]

    def _resume(self, record: Record) -> None:
        """Take note of what is in the record."""
        files, statuses = record.files(), record.statuses()
        if statuses:
            log.info("frames done already: %d", len(statuses))
        done: dict[str, Stamp | None] = {}
        self._names = {}
        for file, state in files.items():
            sources = _sources(file, state.frames)
            # `align` notes what a file is like before its frames are done
            self._names[file] = [source for source in sources if source in statuses]
            if all(statuses.get(source, Status.UNREADABLE) is not Status.UNREADABLE for source in sources):
                done[file] = Stamp(state.size, state.mtime_ns)
        # what could not be read: rows without a file
        for source in statuses.keys() - {source for sources in self._names.values() for source in sources}:
            self._names[source] = [source]
            if statuses[source] is not Status.UNREADABLE:
                done[source] = None
        self._arrivals.resume(done)
        self._frames = len(statuses)

    def _look(self, *, wait: bool = True) -> None:
        """Take note of what has happened in the folder, and tell if too little has."""
        for name, stamp in self._folder.wait(self._pause() if wait else 0.0).items():
            self._arrivals.closed(name, stamp, time.monotonic())
        if (listing := self._folder.list()) is not None:
            self._arrivals.listed(listing, time.monotonic())
        self._tell(self._alarms.tick(time.monotonic()))

    def _pause(self) -> float:
        """Return how long to wait for word of a file, s: a part of what anybody wants to be exact."""
        settle, idle = self._patience.settle, self._patience.until_idle
        return min(0.5, max(settle / 2, 0.01), *([idle / 4] if idle else []))

    def _is_idle(self) -> bool:
        """Return whether nothing has happened for as long as was asked for."""
        idle = self._patience.until_idle
        if idle is None or self._arrivals.ready() or self._arrivals.settling():
            return False
        return time.monotonic() - max(self._last_work, self._arrivals.last_change) >= idle

    def _batch(self, series: Prepared) -> list[str]:
        """Return files to read now; none of them may be a reason to change the reference."""
        names = self._arrivals.ready()[:BATCH]
        if series.reference.frame is not None:
            for name in names:
                if self._is_reference(name, series):
                    raise BeginAnewError(f"{name}: the reference is another one now")
        return names

    def _register(self, batch: list[str], series: Prepared, registrar: Any, record: Record) -> None:
        """Register the frames of some files, and tell what is alarming about them."""
        stamps = {name: self._arrivals.take(name) for name in batch}
        root = self._folder.path
        files = [root / name for name in batch]
        source = ArrivedFrames(files, root, series.reference.image.shape, self._pattern)
        done: list[FrameRow] = []
        with closing(
            register_frames(
                as_corrected(source, series.by),
                range(len(source)),
                registrar,
                mask=series.mask,
                reference_frame=_position(series.reference.source, source),
                workers=self._workers,
            )
        ) as rows:
            for file, frames in source.frames_of_files():
                of_file = list(islice(rows, len(frames)))
                # a name that was only for the time of writing
                if file.exists():
                    self._keep(file.name, of_file, stamps[file.name], record)
                    done += of_file
        record.commit()
        self._last_work = time.monotonic()
        self._tell(self._alarms.rows(done, time.monotonic()))
        self._tell_last(done)

    def _tell_last(self, done: list[FrameRow]) -> None:
        """Say how far the watch is and what became of the last frame, unless it was said a moment ago."""
        if not done or time.monotonic() - self._last_told < TELL_SECONDS:
            return
        self._last_told = time.monotonic()
        answer, frames = done[-1].registration, sum(map(len, self._names.values()))
        shift = f", shift {answer.shift_text} px" if answer.status.keeps_shift else ""
        log.info("frames done: %d; the last: %s, %s%s", frames, done[-1].source, answer.status.label, shift)

    def _keep(self, file: str, rows: list[FrameRow], stamp: Stamp, record: Record) -> None:
        """Put the rows of a file into the record, instead of those it may have had."""
        sources = [row.source for row in rows]
        former = set(self._names.get(file, ())) - set(sources)
        whole = all(row.registration.status is not Status.UNREADABLE for row in rows)
        # numbered by arrival, until all names are known
        entries = [
            (self._frames + place, row.source, row.registration, row.metadata)
            for place, row in enumerate(rows)
        ]
        for source in sources:
            self._names.pop(source, None)  # of a run of `align`, which knows no files
        self._names[file] = sources
        state = FileState(*stamp, len(rows)) if whole else None
        record.write_file(file, state, entries, instead_of=former)
        self._frames += len(rows)

    def _close(self, record: Record, series: Prepared, *, repair: bool) -> Alignment:
        done = record.statuses()  # an interrupt may have come between the two
        names = [source for file in in_order(self._names) for source in self._names[file]]
        record.number([source for source in names if source in done])
        return close_run(record, self._run, self._folder.path, series, repair=repair)

    def _tell(self, alarms: list[Alarm]) -> None:
        for alarm in alarms:
            self._on_alarm(alarm)


def _sources(file: str, frames: int) -> list[str]:
    """Return the sources of all frames of a file, as the table has them."""
    return [source_text(file if frames == 1 else f"{file}[{index}]") for index in range(frames)]


def _position(source: str | None, frames: ArrivedFrames) -> int | None:
    """Return the index of the frame that is called `source`, if it is among these."""
    return next((index for index in range(len(frames)) if source_text(frames.name(index)) == source), None)
