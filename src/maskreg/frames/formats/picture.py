"""PNG, JPEG, BMP and PGM files: one grey frame each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from maskreg.frames.file import FileFrames
from maskreg.grey import open_picture, read_grey


class PictureFrames(FileFrames):
    """The one frame of a picture file."""

    def __init__(self, path: Path, root: Path | None = None, inside: str = "") -> None:
        super().__init__(path, root, inside)
        with open_picture(path) as picture:
            self._kind, self._mode = picture.format, picture.mode

    def __len__(self) -> int:
        return 1

    def layout(self) -> str:
        """Return the kind of file and of its pixels."""
        return f"{self._kind}, mode {self._mode}, by Pillow"

    def _fetch(self, index: int) -> NDArray[Any]:
        return read_grey(self.path)
