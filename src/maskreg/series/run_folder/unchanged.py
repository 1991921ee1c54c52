"""Whether the rows of a record are those of the frames that are there now; what is not is forgotten.

A file is known by its size and the time of its last change, noted before it is read. One frame in a file
that has changed is registered anew. A stack may have grown, and nobody reads hundreds of gigabytes to see
whether that is all: some of its frames are registered again. Where their rows are the same to the last bit,
those of the others are kept, and that is said. So are frames in memory, of which nothing is noted. Frames of
one value are registered again in any case: a stack that is made at full length holds zeros at first.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

import numpy as np

from maskreg.errors import MaskregError, RunError, first_of
from maskreg.frames import FrameSource
from maskreg.frames.file import FileFrames
from maskreg.frames.location import Location
from maskreg.frames.registry import open_file, reader_for
from maskreg.outputs import FileState, Record, read_files
from maskreg.registration import Registration, Status
from maskreg.series.run_folder.named import file_of, location_of
from maskreg.series.run_folder.resume import ensure_same_series
from maskreg.series.run_folder.rows import Rows, sources_of
from maskreg.stream import Workers

log = logging.getLogger(__name__)

LOOKED_AT_AGAIN = 16
"""At most so many frames of a stack are registered again: the first, the last, and some between."""

IN_MEMORY = ""
"""Stands for the file of frames that are in none."""

Files = dict[str, list[int]]
"""The indices of the frames of each file."""


def forget_what_changed(source: FrameSource, rows_of: Rows, record: Record, *, workers: Workers) -> None:
    """Let a record hold no row of a frame that is another one now, and note what the files are like."""
    sources, done = sources_of(source), record.statuses()
    ensure_same_series(sources, done)
    files = _files(source, sources)
    states = _states(source, files)
    suspect = _suspect(files, states, record.files())
    changed = _held(sources, suspect, done)
    alike = _alike(sources, changed, rows_of, record, workers=workers)
    anew = {file: frames for file, frames in changed.items() if file not in alike}
    others = [sources[frame] for frames in anew.values() for frame in frames]
    empty = [sources[frame] for frames in suspect.values() for frame in frames]
    empty = [name for name in empty if _is_empty(name, done)]
    record.renew_files(states, forget=[*others, *empty, *_without_frame(source, sources, files, done)])
    for file in alike:
        log.info("%s", _kept(file, len(changed[file])))
    if anew:
        log.warning("%s", _told_anew(anew))


def ensure_unchanged(source: FrameSource, record: Record) -> None:
    """Raise `RunError` when a file has changed: in the mean of a series each frame has its part."""
    states = _states(source, _files(source, sources_of(source)))
    before = record.files()
    changed = [file for file in states if file in before and before[file] != states[file]]
    if changed:
        raise RunError(
            f"{first_of(changed, ' has', ' have')} changed since the run began, and the mean of the series "
            "with it; --overwrite registers all anew"
        )
    record.renew_files(states)


def files_changed_since(
    record: Path, root: Path, sources: Iterable[str], *, with_times: bool = True
) -> list[str]:
    """Return the files of some frames that are not what they were before they were registered.

    Parameters
    ----------
    record : Path
        Of the run.
    root : Path
        The folder in which the frames are now.
    sources : iterable of str
        The frames, as the table has them.
    with_times : bool
        Whether another time of the last change counts: it does not in a copy of the frames.
    """
    before = read_files(record)
    changed = []
    for file in dict.fromkeys(map(file_of, sources)):
        then = before.get(file)
        now = None if then is None else _state(root / file, then.frames)
        if then is not None and now is not None and (now != then if with_times else now.size != then.size):
            changed.append(file)
    return changed


def _files(source: FrameSource, sources: Sequence[str]) -> Files:
    files: Files = {}
    for frame, name in enumerate(sources):
        files.setdefault(IN_MEMORY if source.root is None else file_of(name), []).append(frame)
    return files


def _states(source: FrameSource, files: Files) -> dict[str, FileState]:
    """Return what the files are like; not of those that are gone, as reading them will say."""
    if source.root is None:
        return {}
    states = {file: _state(source.root / file, len(frames)) for file, frames in files.items()}
    return {file: state for file, state in states.items() if state is not None}


def _state(path: Path, frames: int) -> FileState | None:
    try:
        found = [file.stat() for file in _with_others(location_of(path), frames)]
    except OSError:
        return None
    return FileState(sum(one.st_size for one in found), max(one.st_mtime_ns for one in found), frames)


def _with_others(where: Location, frames: int) -> list[Path]:
    """Return a file with all others in which the pixels of its stack are."""
    file = where.path
    if file.is_dir():  # of a store in many files, such as Zarr, the folder alone tells nothing
        return [file, *file.rglob("*")]
    # nor does a virtual dataset; other formats have no such thing, and may take long to open
    if frames > 1 and getattr(reader_for(where), "kind", "") == "HDF5":
        with suppress(MaskregError), open_file(where, file.parent) as source:
            return [file, *(source.others() if isinstance(source, FileFrames) else ())]
    return [file]


def _suspect(files: Files, states: Mapping[str, FileState], before: Mapping[str, FileState]) -> Files:
    """Return the files that are not what they were, and what is in memory."""
    return {
        file: frames
        for file, frames in files.items()
        if file == IN_MEMORY or (file in states and states[file] != before.get(file))
    }


def _held(sources: Sequence[str], files: Files, done: Mapping[str, Status]) -> Files:
    """Return the frames with a row that tells whether they are the same; those of stacks hold an image."""
    held = {
        file: [
            frame
            for frame in frames
            if done.get(sources[frame], Status.UNREADABLE) is not Status.UNREADABLE
            and not (_is_stack(file, frames) and _is_empty(sources[frame], done))
        ]
        for file, frames in files.items()
    }
    return {file: frames for file, frames in held.items() if frames}


def _is_empty(name: str, done: Mapping[str, Status]) -> bool:
    """Return whether a frame was of one value."""
    return done.get(name) is Status.FLAT


def _without_frame(
    source: FrameSource, sources: Sequence[str], files: Files, done: Mapping[str, Status]
) -> list[str]:
    """Return the rows of frames that their file, which is there, does not hold any more."""
    return [name for name in done.keys() - set(sources) if source.root is None or file_of(name) in files]


def _alike(
    sources: Sequence[str], changed: Files, rows_of: Rows, record: Record, *, workers: Workers
) -> list[str]:
    """Return the stacks of which some frames have the same rows as before."""
    chosen = {file: _spread(frames) for file, frames in changed.items() if _is_stack(file, frames)}
    again = sorted(frame for frames in chosen.values() for frame in frames)
    if not again:
        return []
    wanted = {sources[frame] for frame in again}
    before = {name: answer for _, name, answer, _ in record.entries() if name in wanted}
    with closing(rows_of(again, workers=workers)) as rows:
        same = {row.frame for row in rows if _is_same(row.registration, before[row.source])}
    return [file for file, frames in chosen.items() if same.issuperset(frames)]


def _is_stack(file: str, frames: Sequence[int]) -> bool:
    return file == IN_MEMORY or len(frames) > 1


def _spread(frames: Sequence[int]) -> list[int]:
    """Return the first, the last, and some between."""
    places = np.linspace(0, len(frames) - 1, min(len(frames), LOOKED_AT_AGAIN)).round().astype(int)
    return [frames[place] for place in dict.fromkeys(places.tolist())]


def _is_same(one: Registration, other: Registration) -> bool:
    """Return whether two answers are the same to the last bit."""
    return one.status is other.status and np.array_equal(_numbers(one), _numbers(other), equal_nan=True)


def _numbers(answer: Registration) -> list[float]:
    covariance = np.triu(answer.covariance)  # a record holds half of what is symmetric
    return [*answer.shift, *covariance.flat, answer.score, answer.significance, answer.overlap]


def _kept(file: str, done: int) -> str:
    what = f"{file} has changed since" if file else "the frames are in memory"
    looked = min(done, LOOKED_AT_AGAIN)
    rest = "" if looked == done else "; the others are kept (--overwrite registers all anew)"
    return f"{what}: {looked} of {done} frames that were done are registered again, and are the same{rest}"


def _told_anew(anew: Files) -> str:
    frames = sum(map(len, anew.values()))
    what = "it is registered anew" if frames == 1 else f"{frames} frames are registered anew"
    if IN_MEMORY in anew:
        return f"the frames in memory are others than those of the run: {what}"
    return f"{first_of(list(anew), ' has', ' have')} changed since the run began: {what}"
