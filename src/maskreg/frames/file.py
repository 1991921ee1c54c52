"""What all readers of one file share: where it is, how many frames it holds, their names."""

from __future__ import annotations

from pathlib import Path

from maskreg.frames.source import FrameSource


class FileFrames(FrameSource):
    """The frames of one file.

    A reader opens the file for each frame and closes it again: nothing is shared between
    threads, a folder of a hundred thousand files needs no handles, and a file that shrinks
    while it is read is an error rather than the end of the process (as with a memory map).

    Parameters
    ----------
    path : Path
        The file.
    root : Path, optional
        The folder that names are relative to; the file's own by default.
    """

    def __init__(self, path: Path, root: Path | None = None) -> None:
        self.path = path
        self._root = path.parent if root is None else root

    @property
    def root(self) -> Path:
        """The folder that the names are relative to."""
        return self._root

    def name(self, index: int) -> str:
        """Return ``file`` for a file that holds one frame, ``file[index]`` for a stack."""
        name = relative_name(self.path, self._root)
        return name if len(self) == 1 else f"{name}[{index}]"


def relative_name(path: Path, root: Path) -> str:
    """Return `path` relative to `root`, with forward slashes on every system."""
    return path.relative_to(root).as_posix()
