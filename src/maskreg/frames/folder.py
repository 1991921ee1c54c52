"""Many files as one series: each gives the frames it holds, in the order of the files."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from maskreg.errors import FrameError
from maskreg.frames.ahead import ask_for
from maskreg.frames.file import relative_name
from maskreg.frames.location import Location
from maskreg.frames.registry import open_file
from maskreg.frames.source import FrameSource


class FolderFrames(FrameSource):
    """The frames of many files, one after the other.

    Each file is opened once to count its frames. Stacks are kept (a list of positions, no
    handle), single frames are opened again when they are read. A file that cannot be opened
    counts as one frame, which raises that error when it is read.

    Parameters
    ----------
    files : sequence of Location
        In the order of the series; at least one.
    root : Path
        The folder that names are relative to; all files lie below it.
    """

    def __init__(self, files: Sequence[Location], root: Path) -> None:
        self._files = files
        self._root = root
        self._stacks: dict[int, FrameSource] = {}
        self._known: dict[int, dict[str, Any]] = {}
        counts = [self._count(number) for number in range(len(files))]
        self._ends = list(accumulate(counts))

    def __len__(self) -> int:
        return self._ends[-1]

    @property
    def root(self) -> Path:
        """The folder that the names are relative to."""
        return self._root

    def name(self, index: int) -> str:
        """Return ``file`` for a file that holds one frame, ``file[index in it]`` for a stack."""
        number, inner = self._place(index)
        if number in self._stacks:
            return self._stacks[number].name(inner)
        return relative_name(self._files[number].path, self._root)

    def metadata(self, index: int) -> dict[str, Any]:
        """Return what the file knew of the frame when it was opened: nothing when it could not be."""
        number, inner = self._place(index)
        if number in self._stacks:
            return self._stacks[number].metadata(inner)
        return self._known.get(number, {})

    def layout(self) -> str:
        """Return how many files there are, and how the first that can be opened is stored."""
        files = f"{len(self._files)} files"
        for number in range(len(self._files)):
            try:
                return f"{files}, the first: {self._source(number).layout()}"
            except FrameError:
                continue
        return files

    @property
    def held(self) -> int:
        """Bytes that reading from one of the files may leave in memory, at most."""
        return max((stack.held for stack in self._stacks.values()), default=0)

    def soon(self, index: int) -> None:
        """Ask the system for the bytes of a frame: the whole file where that holds one frame."""
        number, inner = self._place(index)
        if number in self._stacks:
            self._stacks[number].soon(inner)
        else:
            ask_for(self._files[number].path)

    def _fetch(self, index: int) -> Any:
        number, inner = self._place(index)
        return self._source(number).load(inner)

    def _count(self, number: int) -> int:
        try:
            source = self._source(number)
        except FrameError:
            return 1
        if len(source) > 1:
            self._stacks[number] = source
        elif known := source.metadata(0):
            self._known[number] = known
        return len(source)

    def _source(self, number: int) -> FrameSource:
        return self._stacks.get(number) or open_file(self._files[number], self._root)

    def _place(self, index: int) -> tuple[int, int]:
        """Return in which file frame `index` is, and at which place."""
        number = bisect_right(self._ends, index)
        return number, index - (self._ends[number - 1] if number else 0)
