"""The journey of a frame: read, register, a row of the table."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import FrameError, FrameShapeError, RunError
from maskreg.frames import FrameSource
from maskreg.frames.source import metadata_of
from maskreg.registration import Registration, Status
from maskreg.shifts import FrameRow
from maskreg.stream import available_cores, ordered_map


def register_frames(
    source: FrameSource,
    frames: Iterable[int],
    register: Callable[[NDArray[Any]], Registration],
    *,
    reference_frame: int | None,
    workers: int | None,
) -> Generator[FrameRow, None, None]:
    """Yield the row of every frame, in the order of `frames`, registered by what is in it alone."""

    def registration(frame: int) -> Registration:
        return of_the_reference() if frame == reference_frame else register(source.read(frame))

    return frame_rows(source, frames, registration, workers=workers)


def frame_rows(
    source: FrameSource,
    frames: Iterable[int],
    register: Callable[[int], Registration],
    *,
    workers: int | None,
    also: Mapping[str, str] | None = None,
) -> Generator[FrameRow, None, None]:
    """Yield the row of every frame, in the order of `frames`; a bad frame is a row with its reason.

    `register` is given the frame's index and reads it. Any exception but those of reading is a bug
    and ends the series. `also` is added to the metadata of every row.
    """

    def row(frame: int) -> FrameRow:
        known = {**metadata_of(source, frame), **(also or {})}
        return FrameRow.of(frame, source.name(frame), registration(frame), known)

    def registration(frame: int) -> Registration:
        try:
            return register(frame)
        except FrameShapeError as error:
            return Registration.failed(Status.BAD_SHAPE, 2, _without(source.name(frame), error))
        except FrameError as error:
            _ensure_not_lost(source)
            return Registration.failed(Status.UNREADABLE, 2, _without(source.name(frame), error))

    return ordered_map(row, frames, workers=available_cores() if workers is None else workers)


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
