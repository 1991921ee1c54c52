"""Some frames of a series, such as every tenth: ``frames[::10]``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from maskreg.errors import InputError
from maskreg.frames.source import FrameSource


class PartOfFrames(FrameSource):
    """Some frames of another source, under their own names; shape and type are those of the whole.

    Parameters
    ----------
    source : FrameSource
        It stays the caller's to close.
    which : range
        Their indices in `source`.

    Raises
    ------
    InputError
        When that is no frame.
    """

    def __init__(self, source: FrameSource, which: range) -> None:
        if not which:
            raise InputError(f"no frame is taken of {len(source)}; a series has at least one")
        self.from_names = source.from_names
        self._source = source
        self._which = which

    def __len__(self) -> int:
        return len(self._which)

    def name(self, index: int) -> str:
        """Return the name that the frame has in the whole series."""
        return self._source.name(self._which[index])

    @property
    def root(self) -> Path | None:
        """The folder that the names are relative to."""
        return self._source.root

    @property
    def folder(self) -> Path | None:
        """The folder that the files are in."""
        return self._source.folder

    def metadata(self, index: int) -> dict[str, Any]:
        """Return what is known of the frame."""
        return self._source.metadata(self._which[index])

    def layout(self) -> str:
        """Return how the frames are stored."""
        return self._source.layout()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a frame, px."""
        return self._source.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel."""
        return self._source.dtype

    @property
    def held(self) -> int:
        """Bytes that reading a frame may leave in memory, at most."""
        return self._source.held

    def soon(self, index: int) -> None:
        """Know that the frame will be read soon."""
        self._source.soon(self._which[index])

    def _fetch(self, index: int) -> Any:
        return self._source.load(self._which[index])
