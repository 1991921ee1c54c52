"""The frames that a user names, opened for as long as they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from maskreg.frames import FrameSource, as_source


@contextmanager
def opened(frames: Any) -> Iterator[FrameSource]:
    """Open `frames` (files by name, arrays, a source) and close what was opened here, nothing else."""
    source = as_source(frames)
    try:
        yield source
    finally:
        if source is not frames:
            source.close()
