"""What registers the frames of a series, and how these are called in the table."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol

from maskreg.frames import FrameSource
from maskreg.shifts import FrameRow, source_text
from maskreg.stream import Workers


class Rows(Protocol):
    """Registers frames given by their indices, and yields their rows."""

    def __call__(self, frames: Sequence[int], *, workers: Workers) -> Generator[FrameRow, None, None]:
        """Yield the rows in the order of `frames`."""


def sources_of(source: FrameSource) -> list[str]:
    """Return the names of all frames, as the table has them."""
    return [source_text(source.name(frame)) for frame in range(len(source))]
