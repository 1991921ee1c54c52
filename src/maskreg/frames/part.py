"""Some frames of a series, such as every tenth: ``frames[::10]``."""

from __future__ import annotations

from typing import Any

import numpy as np

from maskreg.errors import InputError
from maskreg.frames.reordered import ReorderedFrames
from maskreg.frames.source import FrameSource


class PartOfFrames(ReorderedFrames):
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
        super().__init__(source, which)

    def __len__(self) -> int:
        return len(self._order)

    def metadata(self, index: int) -> dict[str, Any]:
        """Return what is known of the frame."""
        return self._source.metadata(self._order[index])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a frame, px."""
        return self._source.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel."""
        return self._source.dtype
