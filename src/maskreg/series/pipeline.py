"""The journey of a frame: read, register, a row of the table."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.cores import available_cores
from maskreg.errors import FrameError, FrameShapeError, RunError
from maskreg.frames import FrameSource
from maskreg.frames.seen import sent
from maskreg.frames.source import metadata_of
from maskreg.registration import Registration, Status
from maskreg.shifts import FrameRow
from maskreg.stream import Cluster, Forked, Runner, Workers, can_fork, ordered_map

TASK_SECONDS = 1.0
"""About so much work makes a task of a cluster: long beside what a task costs, soon done again."""

MOST_FRAMES = 256
"""Most frames of a task of a cluster."""

BATCH_SECONDS = 0.5
"""About so much work makes a batch of a process: who is woken by results takes a core from another."""

WORTH_FORKING = 1.0
"""Processes are forked for at least so much work, s: they cost some hundredths of it each."""

Item = tuple[int, Registration | None]
"""The index of a frame, and what is known of it from an earlier pass."""


def register_frames(
    source: FrameSource,
    frames: Sequence[int],
    register: Callable[[NDArray[Any]], Registration],
    *,
    mask: NDArray[np.bool_] | None,
    reference_frame: int | None,
    workers: Workers,
) -> Generator[FrameRow, None, None]:
    """Yield the row of every frame, in the order of `frames`, registered by what is in it alone.

    Where there are several workers, processes register them if they can and are worth it: threads take turns
    with the interpreter.
    """
    items = [(frame, None) for frame in frames]
    runner = _runner(source, mask, len(frames), workers)
    return frame_rows(source, items, _OfImage(source, register, reference_frame), workers=runner)


def frame_rows(
    source: FrameSource,
    items: Sequence[Item],
    register: Callable[[Item], Registration],
    *,
    workers: Runner,
    also: Mapping[str, str] | None = None,
) -> Generator[FrameRow, None, None]:
    """Yield the row of every frame, in the order of `items`; a bad frame is a row with its reason.

    `register` reads the frame. Any exception but those of reading is a bug and ends the series.
    `also` is added to the metadata of every row.
    """
    answer = _Answer(source, register)
    if isinstance(workers, Cluster):
        most = min(MOST_FRAMES, len(items) // (2 * workers.threads))
        batch = _frames_within(TASK_SECONDS, source.shape, most)
        found = ordered_map(sent(answer, source), items, workers=workers, batch=batch)
    elif isinstance(workers, Forked):
        batch = _frames_within(BATCH_SECONDS, source.shape, len(items) // (16 * workers.workers))
        found = ordered_map(answer, items, workers=workers, batch=batch)
    else:
        found = ordered_map(answer, items, workers=workers)
    with closing(found) as answers:
        for (frame, _), registration in zip(items, answers, strict=True):
            known = {**metadata_of(source, frame), **(also or {})}
            yield FrameRow.of(frame, source.name(frame), registration, known)


@dataclass(frozen=True)
class _OfImage:
    """Registers a frame by its image alone."""

    source: FrameSource
    register: Callable[[NDArray[Any]], Registration]
    reference_frame: int | None

    def __call__(self, item: Item) -> Registration:
        frame, _ = item
        return of_the_reference() if frame == self.reference_frame else self.register(self.source.read(frame))


@dataclass(frozen=True)
class _Answer:
    """Registers a frame, whatever becomes of it."""

    source: FrameSource
    register: Callable[[Item], Registration]

    def soon(self, item: Item) -> None:
        self.source.soon(item[0])

    def __call__(self, item: Item) -> Registration:
        source, (frame, _) = self.source, item
        try:
            return self.register(item)
        except FrameShapeError as error:
            return Registration.failed(Status.BAD_SHAPE, 2, _without(source.name(frame), error))
        except FrameError as error:
            _ensure_not_lost(source)
            return Registration.failed(Status.UNREADABLE, 2, _without(source.name(frame), error))


def _runner(source: FrameSource, mask: NDArray[np.bool_] | None, frames: int, workers: Workers) -> Runner:
    """Return who registers so many frames by their images."""
    from maskreg.core.machine.room import share_places
    from maskreg.core.plan import make_plan  # here, for who reads a run needs no transforms

    if isinstance(workers, Cluster):
        return workers
    number = available_cores() if workers is None else workers
    work = frames * make_plan(source.shape, source.shape).seconds_per_frame
    # decoded chunks of many frames are kept for all threads together
    if number < 2 or work < WORTH_FORKING or source.held or not can_fork() or _takes_turns(mask):
        return number
    share_places()
    return Forked(number, begun=_made_all_that_is_shared)


def _takes_turns(mask: NDArray[np.bool_] | None) -> bool:
    """Whether memory is scarce behind a mask: frames in doubt wait for all others (`core.machine.room`)."""
    from maskreg.core.image.pyramid import MaskPyramid
    from maskreg.core.lags.common_pixels import have_pattern

    return mask is not None and (MaskPyramid(mask).scattered or have_pattern(mask, mask))


def _made_all_that_is_shared(registration: Registration) -> bool:
    """Whether a registration went all the way: only then everything of the reference was needed."""
    return registration.status is Status.OK


def _frames_within(seconds: float, shape: tuple[int, int], most: int) -> int:
    """Return how many frames take about so long, s; at most so many, but one."""
    from maskreg.core.plan import make_plan

    return max(1, min(int(seconds / make_plan(shape, shape).seconds_per_frame), most))


def _ensure_not_lost(source: FrameSource) -> None:
    """Raise `RunError` when the whole input is gone: then no frame is to blame, and all would fail."""
    if source.root is not None and not source.root.is_dir():
        raise RunError(
            f"{source.root} is not there any more; is the share lost? "
            "Bring it back and give the same command again"
        )


def _without(name: str, error: FrameError) -> str:
    """Return what `error` says beyond what its row says already: which frame, and that it is unreadable."""
    return str(error).removeprefix(f"{name}: ").removeprefix("cannot be read: ")


def of_the_reference() -> Registration:
    """Return the reference's own row: no shift, without uncertainty, by definition."""
    return Registration(
        shift=np.zeros(2),
        covariance=np.zeros((2, 2)),
        score=1.0,
        significance=float("nan"),
        overlap=1.0,
        rival=None,
        status=Status.REFERENCE,
    )
