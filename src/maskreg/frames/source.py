"""The contract that every source of frames keeps.

A new format implements three methods, `__len__`, `name` and `_fetch`; what a user may rely on
(the layout of a frame, one shape a series, the wording of errors) is done once, here.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self, SupportsIndex, overload

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import FrameError, FrameShapeError, InputIndexError, InputTypeError, MaskregError
from maskreg.frames.frame import as_frame
from maskreg.frames.passing import once_more


class FrameSource(ABC):
    """A series of frames of one shape, read one at a time and never changed.

    Many threads may call `read` at once. A frame that cannot be read is the problem of that
    frame alone; `shape` and `dtype` are those of the first one that can.

    It is a sequence: ``frames[3]`` is what ``frames.read(3)`` returns, a negative index counts from the
    end, ``frames[::10]`` is a series again, and ``for frame in frames`` reads one frame at a time.
    """

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of frames, unreadable ones included; at least 1."""

    @abstractmethod
    def name(self, index: int) -> str:
        """Return where frame `index` comes from: ``name`` or ``name[index]``, relative to `root`."""

    @abstractmethod
    def _fetch(self, index: int) -> Any:
        """Return what is stored as frame `index` (0 to len - 1), reading nothing else.

        Safe to be called by many threads at once. May raise any `Exception`: `load` puts its
        text behind the frame's name.
        """

    @overload
    def __getitem__(self, index: SupportsIndex) -> NDArray[Any]: ...

    @overload
    def __getitem__(self, index: slice) -> FrameSource: ...

    def __getitem__(self, index: SupportsIndex | slice) -> NDArray[Any] | FrameSource:
        from maskreg.frames.part import PartOfFrames  # which is a source itself

        if isinstance(index, slice):
            return PartOfFrames(self, range(len(self))[index])
        if not isinstance(index, SupportsIndex):
            raise InputTypeError(f"index is of type {type(index).__name__}; give a whole number or a slice")
        position = operator.index(index)
        return self.read(position + len(self) if -len(self) <= position < 0 else position)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return map(self.read, range(len(self)))

    @property
    def root(self) -> Path | None:
        """The folder that the names are relative to; None when the frames are in memory."""
        return None

    @property
    def folder(self) -> Path | None:
        """The folder that the files are in; None when the frames are in this process alone."""
        return self.root

    def metadata(self, index: int) -> dict[str, Any]:
        """Return what else is known of frame `index`, by column name."""
        return {}

    @property
    def told_columns(self) -> tuple[str, ...]:
        """Columns of the metadata that the user has told of, by a pattern or a table; no file holds them."""
        return ()

    def layout(self) -> str:
        """Return one line for people: how the frames are stored; empty when there is nothing to say."""
        return ""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a frame, px."""
        return self._first[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel of the first readable frame, in native byte order."""
        return self._first[1]

    @property
    def nbytes(self) -> int:
        """Size of all frames in memory, bytes."""
        rows, cols = self.shape
        return len(self) * rows * cols * self.dtype.itemsize

    @property
    def held(self) -> int:
        """Bytes of frames that reading one frame may leave in memory, at most."""
        return 0

    def read(self, index: int) -> NDArray[Any]:
        """Return frame `index`.

        Parameters
        ----------
        index : int
            From 0 to len - 1.

        Returns
        -------
        (rows, cols) ndarray or MaskedArray
            C-contiguous, real, native byte order, in the frame's own type. It may be a view
            of the caller's own array: do not write into it.

        Raises
        ------
        FrameError
            When the frame cannot be read: which one and why.
        FrameShapeError
            When it has another shape than the series.
        InputIndexError
            When there is no such index; it is an `InputError` and an `IndexError`.
        """
        frame = self.load(index)
        if frame.shape != self.shape:
            raise FrameShapeError(
                f"{self.name(index)}: shape {frame.shape}, the reference has {self.shape}; "
                "is this another detector mode?"
            )
        return frame

    def load(self, index: int) -> NDArray[Any]:
        """Return frame `index` whatever its shape is; otherwise like `read`."""
        position = self._checked(index)
        try:
            return as_frame(once_more(lambda: self._fetch(position)))
        except MaskregError:
            raise
        except Exception as error:  # a decoder that is fed broken bytes may raise anything
            raise FrameError(f"{self.name(position)}: cannot be read: {one_line(error)}") from error

    def soon(self, index: int) -> None:  # noqa: B027 (not abstract: most formats have nothing to ask for)
        """Know that frame `index` will be read soon: a system may be asked for its bytes. Never raises."""

    def ensure_readable(self) -> None:
        """Raise `FrameError` unless at least one frame can be read."""
        _ = self._first

    def describe(self) -> str:
        """Return one line for people: how many frames, of what shape and type, how large."""
        rows, cols = self.shape
        frames = "1 frame" if len(self) == 1 else f"{len(self)} frames"
        return f"{frames} of {rows} x {cols} px, {self.dtype}, {_human(self.nbytes)}"

    def close(self) -> None:  # noqa: B027 (not abstract: most sources hold nothing open)
        """Give back what is held open; nothing, unless a format says so."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self)} frames, the first is {self.name(0)}>"

    @cached_property
    def _first(self) -> tuple[tuple[int, int], np.dtype[Any]]:
        """Shape and type of the first readable frame."""
        problems = []
        for index in range(len(self)):
            try:
                frame = self.load(index)
            except FrameError as error:
                problems.append(error)
            else:
                rows, cols = frame.shape
                return (rows, cols), frame.dtype
        if len(self) == 1:
            raise problems[0]
        raise FrameError(f"none of the {len(self)} frames can be read; the first is {problems[0]}")

    def _checked(self, index: int) -> int:
        position = operator.index(index)
        if not 0 <= position < len(self):
            raise InputIndexError(f"index is {position}; the series has the frames 0 to {len(self) - 1}")
        return position


def metadata_of(source: FrameSource, index: int) -> dict[str, Any]:
    """Return what is known of a frame; nothing when the file that holds it is broken, as reading will say."""
    try:
        return dict(source.metadata(index))
    except FrameError:
        return {}


def one_line(error: BaseException) -> str:
    """Return why `error` happened, on one line and without the path of a file.

    Paths are left out because the text ends in tables, which are the same on every machine.
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__} {text}".strip()


def _human(nbytes: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if nbytes < 1000:
            return f"{nbytes:.3g} {unit}"
        nbytes /= 1000
    return f"{nbytes:.4g} TB"
