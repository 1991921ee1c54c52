"""Files that arrived together, as a source of frames."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from maskreg.frames.folder import FolderFrames
from maskreg.frames.location import Location
from maskreg.frames.metadata.name_pattern import NamePattern


class ArrivedFrames(FolderFrames):
    """Like `FolderFrames`, but the shape is that of the reference, not of the first frame here.

    Parameters
    ----------
    files, root
        See `FolderFrames`.
    shape : tuple of int
        Rows and columns of a frame of the series, px.
    pattern : NamePattern, optional
        How the names of the files tell metadata. A name that does not fit tells none.
    """

    def __init__(
        self, files: Sequence[Path], root: Path, shape: tuple[int, int], pattern: NamePattern | None = None
    ) -> None:
        super().__init__([Location(file) for file in files], root)
        self._shape = shape
        self._pattern = pattern

    def metadata(self, index: int) -> dict[str, Any]:
        """Return what the file knows of the frame, and what its name tells."""
        known = super().metadata(index)
        if self._pattern is None:
            return known
        return {**known, **self._pattern.columns([re.sub(r"\[\d+\]$", "", self.name(index))])[0]}

    @property
    def told_columns(self) -> tuple[str, ...]:
        """Columns of the metadata that the user has told of."""
        return () if self._pattern is None else tuple(self._pattern.kinds)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a frame, px."""
        return self._shape

    def frames_of_files(self) -> Iterator[tuple[Path, range]]:
        """Yield each file and the indices of its frames."""
        begin = 0
        for file, end in zip(self._files, self._ends, strict=True):
            yield file.path, range(begin, end)
            begin = end
