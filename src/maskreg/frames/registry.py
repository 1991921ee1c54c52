"""Which reader opens which file. A new format is a file in this folder and a line here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

from maskreg.errors import FrameError
from maskreg.frames.source import FrameSource


@dataclass(frozen=True)
class Reader:
    """A file format that can be read.

    Parameters
    ----------
    suffixes : tuple of str
        How the names of such files end, in lower case, with the dot.
    target : str
        ``module:Class``, imported when a file is opened. The class is called with the file
        and the root of its names (two `pathlib.Path`), and raises `FrameError` when the file
        is not what its name says.
    """

    suffixes: tuple[str, ...]
    target: str

    def accepts(self, path: Path) -> bool:
        """Whether this reader is the one for `path`, by its name."""
        return path.name.lower().endswith(self.suffixes)

    def open(self, path: Path, root: Path) -> FrameSource:
        """Return the frames of `path`; their names are relative to `root`."""
        module, _, name = self.target.partition(":")
        return cast(FrameSource, getattr(import_module(module), name)(path, root))


READERS: list[Reader] = [
    Reader((".tif", ".tiff", ".btf", ".tf8"), "maskreg.frames.tiff:TiffFrames"),
    Reader((".npy",), "maskreg.frames.npy:NpyFrames"),
]
"""Asked in this order; the first that accepts a file reads it."""


def reader_for(path: Path) -> Reader | None:
    """Return the reader that accepts `path`, or None."""
    return next((reader for reader in READERS if reader.accepts(path)), None)


def open_file(path: Path, root: Path) -> FrameSource:
    """Return the frames of one file.

    Raises
    ------
    FrameError
        When there is no reader for such a file, or it cannot make sense of it.
    """
    reader = reader_for(path)
    if reader is None:
        raise FrameError(f"{path}: no reader for '{path.suffix}' files; known are {known_suffixes()}")
    return reader.open(path, root)


def known_suffixes() -> str:
    """Return the suffixes that can be read, for a message."""
    return ", ".join(sorted({suffix for reader in READERS for suffix in reader.suffixes}))
