"""The frames of another source, some of them or in another order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maskreg.frames.source import FrameSource


class ReorderedFrames(FrameSource):
    """The frames of another source, under their own names, stored as they are there.

    Parameters
    ----------
    source : FrameSource
        Where the frames come from.
    order : sequence of int
        Which frame of `source` each frame is.
    """

    def __init__(self, source: FrameSource, order: Sequence[int]) -> None:
        self._source = source
        self._order = order

    def name(self, index: int) -> str:
        """Return where the frame comes from."""
        return self._source.name(self._order[index])

    @property
    def root(self) -> Path | None:
        """The folder that the names are relative to."""
        return self._source.root

    @property
    def folder(self) -> Path | None:
        """The folder that the files are in."""
        return self._source.folder

    @property
    def told_columns(self) -> tuple[str, ...]:
        """Columns of the metadata that the user has told of."""
        return self._source.told_columns

    def layout(self) -> str:
        """Return how the frames are stored."""
        return self._source.layout()

    @property
    def held(self) -> int:
        """Bytes that reading a frame may leave in memory, at most."""
        return self._source.held

    def soon(self, index: int) -> None:
        """Know that the frame will be read soon."""
        self._source.soon(self._order[index])

    def _fetch(self, index: int) -> Any:
        return self._source.load(self._order[index])
