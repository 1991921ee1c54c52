"""What is looked at: a run folder, finished or being written, or frames without a run.

It reads, and writes two things into a run folder: the list of excluded frames, and masks.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import InputError, RunError, first_of
from maskreg.frames import FrameSource, open_frames
from maskreg.frames.corrected import CorrectedFrames, as_corrected
from maskreg.frames.locate import means
from maskreg.masks import save_mask
from maskreg.masks.editing import mask_name
from maskreg.options import Options
from maskreg.registration import Registration, Status
from maskreg.report import SeriesData
from maskreg.series import is_run, read_run
from maskreg.series.after.closing import jumps_of
from maskreg.series.after.drift import Jump
from maskreg.series.open_run import write_table
from maskreg.series.run_folder.excluded import EXCLUDED, read_excluded, write_excluded
from maskreg.series.run_folder.inputs import (
    RECORD,
    FramesOfRun,
    kept_calibration,
    kept_mask,
    kept_origin,
    kept_reference,
)
from maskreg.series.run_folder.origin import Origin
from maskreg.series.run_folder.repeat import command_to_repeat
from maskreg.series.story import run_name
from maskreg.shifts import ShiftTable
from maskreg.shifts.row import one_line


@dataclass(frozen=True)
class State:
    """What a run holds so far.

    Attributes
    ----------
    settings : dict
    table : ShiftTable
    series : SeriesData
    jumps : list of Jump
    stamp : object
        Another one when something was written since.
    """

    settings: dict[str, Any]
    table: ShiftTable
    series: SeriesData
    jumps: list[Jump]
    stamp: object = None

    @classmethod
    def of(cls, run: Path) -> State:
        """Read a run folder; it touches nothing else, so any thread may."""
        stamp = _stamp_of(run)
        settings, table = read_run(run)
        return cls(settings, table, SeriesData.of(table), jumps_of(table), stamp)


class Subject:
    """Frames, and what is known about their shifts so far.

    Parameters
    ----------
    title : str
        What to call it.
    source : FrameSource
        The frames; of a run, by the numbers in its table.
    origin : Origin, optional
        What the user typed.
    run : Path, optional
        Its folder; None when there are only frames.
    """

    def __init__(
        self, title: str, source: FrameSource, *, origin: Origin | None = None, run: Path | None = None
    ) -> None:
        self.title = title
        self.source = source
        self.origin = origin
        self.run = run
        self.version = 0
        self._replaceable: set[Path] = set()
        self.take(State({}, ShiftTable(()), SeriesData.of(()), []) if run is None else State.of(run))
        self.mask = None if run is None else kept_mask(run)
        self.reference = source.read(0) if run is None else kept_reference(run)

    def is_stale(self) -> bool:
        """Whether something was written into the run folder since it was read."""
        return self.run is not None and _stamp_of(self.run) != self._state.stamp

    def refresh(self) -> None:
        """Read the run again if anything was written since."""
        if self.run is not None and self.is_stale():
            self.take(State.of(self.run))

    def take(self, state: State) -> None:
        """Know what was read of the run; `version` is another one then."""
        self._state = state
        self.series, self.jumps = state.series, state.jumps
        raw = self.source.raw if isinstance(self.source, CorrectedFrames) else self.source
        if isinstance(raw, FramesOfRun):
            raw.renew(state.table)
        self.total = max(state.settings.get("frames", 0), len(self.source))
        self._places = {row.frame: place for place, row in enumerate(state.table)}
        self.version += 1

    def answer(self, frame: int) -> Registration | None:
        """Return the registration of a frame, if it is done."""
        place = self._places.get(frame)
        return None if place is None else self._state.table[place].registration

    def is_reference(self, frame: int) -> bool:
        """Whether a frame is what the others are registered to; of frames without a run the first one is."""
        answer = self.answer(frame)
        return frame == 0 if self.run is None else answer is not None and answer.status is Status.REFERENCE

    def along(self, frame: int) -> float | None:
        """Return where a frame is in the plots along the series, if it is done."""
        place = self._places.get(frame)
        return None if place is None else float(self.series.x[place])

    def is_excluded(self, frame: int) -> bool:
        """Whether the user left a frame out."""
        return self.run is not None and self.source.name(frame) in read_excluded(self.run)

    def exclude(self, frame: int, *, out: bool) -> None:
        """Leave a frame out, or take it back; a finished table is written again."""
        if self.run is None:
            raise RunError("frames are left out of a run; align them first")
        excluded, name = set(read_excluded(self.run)), self.source.name(frame)
        write_excluded(self.run, excluded | {name} if out else excluded - {name})
        write_table(self.run)
        self.refresh()

    def mask_files(self) -> list[Path]:
        """Return the mask files that lie where `save` writes them."""
        return sorted((self.run or Path.cwd()).glob("*_valid.tif"))

    def save(self, name: str, mask: NDArray[np.bool_]) -> Path:
        """Write a mask beside the record, or in the present folder when there is no run.

        A file that this page has not written is replaced only when it is asked for twice.
        """
        path = (self.run or Path.cwd()) / mask_name(name)
        if self.origin is not None and any(means(text, path) for text in self.origin.paths):
            raise InputError(f"{path} would be among the frames; start the page from another folder")
        if path.exists() and path not in self._replaceable:
            self._replaceable.add(path)
            raise InputError(f"{path} exists; take another name, or save once more to replace it")
        save_mask(path, mask)
        self._replaceable.add(path)
        return path

    def command_with(self, mask: Path) -> str:
        """Return the command that aligns with a mask file."""
        return command_to_repeat(self.origin, mask=mask) or _first_command(self.origin, "--valid", str(mask))

    def command_with_reference(self, frame: int) -> str:
        """Return the command that aligns to another frame."""
        return command_to_repeat(self.origin, reference=frame) or _first_command(
            self.origin, "--reference", str(frame)
        )

    def options(self) -> Options:
        """Return the options of the run, else those by default."""
        told = self._state.settings
        known = {name: told[name] for name in Options.__dataclass_fields__ if name in told}
        if isinstance(known.get("max_shift"), list):
            known["max_shift"] = tuple(known["max_shift"])
        return Options(**known)


def open_subject(paths: list[str], frames: list[str] | None = None) -> Subject:
    """Open what the user named: a run folder (whose frames may be elsewhere now), or frames."""
    if len(paths) == 1 and is_run(paths[0]):
        run = Path(paths[0])
        reference = kept_reference(run)
        by = None if reference is None else kept_calibration(run, reference.shape)
        source = as_corrected(FramesOfRun(run, ShiftTable(()), frames), by)
        subject = Subject(run_name(run), source, origin=kept_origin(run), run=run)
        if not len(subject.series):
            raise RunError(f"no frame of {run} is registered yet; try again in a moment")
        source.ensure_readable()
        return subject
    if frames is not None:
        raise InputError(
            f"--input says where the frames of a run are, and {first_of(paths)} is no run folder"
        )
    source = open_frames(paths)
    return Subject(one_line(first_of(paths)), source, origin=Origin.here(paths))


def _first_command(origin: Origin | None, *flags: str) -> str:
    """Return a command for frames that were not aligned on the command line yet."""
    paths = ["INPUT"] if origin is None else origin.input
    return shlex.join(["maskreg", "align", *paths, *flags, "-o", "my-run"])


def _stamp_of(run: Path) -> object:
    """Return what changes when something is written: sizes and times of the files of the record."""
    states: list[tuple[int, int] | None] = []
    for name in (RECORD, f"{RECORD}-wal", EXCLUDED):
        try:
            found = (run / name).stat()
        except FileNotFoundError:
            states.append(None)
        else:
            states.append((found.st_mtime_ns, found.st_size))
    return states
