"""Files that arrived together, as a source of frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from maskreg.frames.folder import FolderFrames
from maskreg.frames.location import Location


class ArrivedFrames(FolderFrames):
    """Like `FolderFrames`, but the shape is that of the reference, not of the first frame here.

    Parameters
    ----------
    files, root
        See `FolderFrames`.
    shape : tuple of int
        Rows and columns of a frame of the series, px.
    """

    def __init__(self, files: Sequence[Path], root: Path, shape: tuple[int, int]) -> None:
        super().__init__([Location(file) for file in files], root)
        self._shape = shape

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
