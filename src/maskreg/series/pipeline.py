"""The journey of a frame: read, register, a row of the table."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import FrameError, FrameShapeError
from maskreg.frames import FrameSource
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
        return FrameRow.of(
            frame, source.name(frame), registration(frame), {**metadata(frame), **(also or {})}
        )

    def registration(frame: int) -> Registration:
        try:
            return register(frame)
        except FrameShapeError as error:
            return Registration.failed(Status.BAD_SHAPE, 2, _without(source.name(frame), error))
        except FrameError as error:
            return Registration.failed(Status.UNREADABLE, 2, _without(source.name(frame), error))

    def metadata(frame: int) -> dict[str, Any]:
        try:
            return source.metadata(frame)
        except FrameError:  # the file that holds them is broken: the row says so already
            return {}

    return ordered_map(row, frames, workers=available_cores() if workers is None else workers)


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
