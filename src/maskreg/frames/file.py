"""What all readers of one file share: where it is, how many frames it holds, their names."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from maskreg.frames.ahead import ask_for
from maskreg.frames.location import SEPARATOR
from maskreg.frames.source import FrameSource


class FileFrames(FrameSource):
    """The frames of one file.

    A reader opens the file for each frame and closes it again: nothing is shared between
    threads, a folder of a hundred thousand files needs no handles, and a file that shrinks
    while it is read is an error rather than the end of the process (as with a memory map,
    which only workers that are replaced then use: `maskreg.frames.mapped`).

    Parameters
    ----------
    path : Path
        The file.
    root : Path, optional
        The folder that names are relative to; the file's own by default.
    inside : str
        What in the file is meant, as it was written behind ``::``; empty where nothing was.
    """

    names_inside: ClassVar[str] = ""
    """What ``::`` names in files of this format; empty where there is nothing to name."""

    is_one_array: ClassVar[bool] = False
    """Whether a file of this format is one array of numbers, which tells no axis from another."""

    notice: str = ""
    """What to tell a user who opens this file alone; mostly nothing."""

    def __init__(self, path: Path, root: Path | None = None, inside: str = "") -> None:
        if inside and not self.names_inside:
            raise ValueError(f"nothing in such a file has a name of its own; leave '{SEPARATOR}{inside}' out")
        self.path = path
        self._root = path.parent if root is None else root
        self._inside = inside

    @property
    def root(self) -> Path:
        """The folder that the names are relative to."""
        return self._root

    def soon(self, index: int) -> None:
        """Ask the system for the bytes of a frame, if it is known where they are."""
        with suppress(Exception):  # of a plug-in, perhaps; reading says what is wrong
            where = self._where(index)
            if where is not None:
                ask_for(self.path, *where)

    def others(self) -> list[Path]:
        """Return the files beside this one in which it has pixels; mostly none."""
        return []

    def _where(self, index: int) -> tuple[int, int] | None:
        """Return where in the file frame `index` begins and how long it is, bytes.

        None where that is not known without reading. About where is enough, for it is only said ahead of
        reading.
        """
        return None

    def name(self, index: int) -> str:
        """Return ``file`` for a file that holds one frame, ``file[index]`` for a stack.

        Where the user named a part of the file, it stands behind the file: ``file::part[index]``.
        """
        file = relative_name(self.path, self._root)
        # what the user named is part of the name, but for the layout of raw binary
        part = f"{SEPARATOR}{self._inside}" if self._inside and "=" not in self._inside else ""
        return f"{file}{part}" if len(self) == 1 else f"{file}{part}[{index}]"


def relative_name(path: Path, root: Path) -> str:
    """Return `path` relative to `root`, with forward slashes on every system."""
    return path.relative_to(root).as_posix()
