"""Work over files, sent to another process: it sees the same files there, or says which it does not see."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import ClusterError, FrameError, InputError
from maskreg.frames.source import FrameSource
from maskreg.stream.foreseen import told_soon

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Sent(Generic[Item, Result]):
    """A function over the frames of a source, which another process can check before it begins.

    Attributes
    ----------
    function : callable
        Reads the frames itself.
    source : FrameSource
    frame : int
        The first frame that can be read here.
    digest : str
        Of its pixels.
    """

    function: Callable[[Item], Result]
    source: FrameSource
    frame: int
    digest: str

    def __call__(self, item: Item) -> Result:
        """Do the work for an item."""
        return self.function(item)

    def soon(self, item: Item) -> None:
        """Tell the function of an item before its turn, if it wants to know."""
        soon = told_soon(self.function)
        if soon is not None:
            soon(item)

    def check(self) -> None:
        """Raise `ClusterError` when this process does not see the same files."""
        folder, name = self.source.folder, self.source.name(self.frame)
        if folder is not None and not folder.is_dir():
            raise ClusterError(
                f"it does not see the folder {folder}; all workers need it under the same path"
            )
        try:
            digest = _digest(self.source.load(self.frame))
        except FrameError as error:
            raise ClusterError(f"it cannot read the frames in {folder}: {error}") from error
        if digest != self.digest:
            raise ClusterError(f"it sees another image as {name} in {folder}; is another disk mounted there?")


def ensure_files(source: FrameSource) -> None:
    """Refuse frames that are in the memory of this process: workers open files themselves."""
    if source.folder is None:
        raise InputError(
            "client is given, but the frames are arrays in this process, and workers open files themselves; "
            "save the frames where all workers see them and give their path, or leave client out"
        )


def sent(function: Callable[[Item], Result], source: FrameSource) -> Sent[Item, Result]:
    """Return a function over the frames of files, as it can be sent to the workers of a cluster.

    Raises
    ------
    InputError
        When the frames are in the memory of this process.
    """
    ensure_files(source)
    for frame in range(len(source)):
        try:
            return Sent(function, source, frame, _digest(source.load(frame)))
        except FrameError:
            continue
    raise FrameError(f"none of the {len(source)} frames can be read")


def _digest(image: NDArray[Any]) -> str:
    pixels = np.ascontiguousarray(np.ma.getdata(image))
    return hashlib.sha256(f"{pixels.dtype} {pixels.shape}".encode() + pixels.tobytes()).hexdigest()
