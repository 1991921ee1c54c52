"""The frames that a user names, opened for as long as they are needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from maskreg.frames import FrameSource, as_source


@dataclass(frozen=True)
class Described:
    """Frames, and where their metadata come from: to be opened again with the same columns and order.

    Attributes
    ----------
    frames
        As `maskreg.align` takes them.
    pattern, metadata
        See `maskreg.open_frames`.
    """

    frames: Any
    pattern: str | None = None
    metadata: str | os.PathLike[str] | None = None


@contextmanager
def opened(frames: Any) -> Iterator[FrameSource]:
    """Open frames (as `maskreg.align` takes them, or `Described`); close what was opened here alone."""
    source = open_described(frames)
    try:
        yield source
    finally:
        if source is not (frames.frames if isinstance(frames, Described) else frames):
            source.close()


def open_described(frames: Any) -> FrameSource:
    """Open frames (as `maskreg.align` takes them, or `Described`), which stay open."""
    described = frames if isinstance(frames, Described) else Described(frames)
    return as_source(described.frames, pattern=described.pattern, metadata=described.metadata)
