"""What HDF5 and TIFF share: files with all that is not pixels made first, then pixels at their places.

Every plane has its place from the beginning. So a file is whole, as a file, whenever its writer
is stopped, and has the same bytes in the end whatever came between. The pixels are not compressed.
"""

from __future__ import annotations

import os
import shutil
from abc import abstractmethod
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import RunError
from maskreg.outputs.stack import StackWriter


class Place(NamedTuple):
    """Where the pixels of a layer begin: in which file, and how many bytes in."""

    file: Path
    offset: int


class FlatStack(StackWriter):
    """Writes planes to fixed places; a format says how its files are made and where pixels are."""

    _streams: Mapping[Path, BinaryIO] = {}

    @abstractmethod
    def _make_files(self) -> None:
        """Make the parts, of full length."""

    @abstractmethod
    def _places(self) -> dict[str, Place]:
        """Return where the pixels of every layer begin."""

    def _create(self) -> None:
        need = self._nbytes()
        free = shutil.disk_usage(self.path.absolute().parent).free
        if need > free:
            raise RunError(
                f"cannot write {self.path}: it takes {need / 1e9:.3g} GB, and {free / 1e9:.3g} GB are free; "
                "make room, or write .zarr, which is compressed"
            )
        self._make_files()
        self._reopen(0)

    def _nbytes(self) -> int:
        """Return the size of all pixels, bytes."""
        told = self.description
        return sum(layer.dtype.itemsize for layer in told.layers) * told.planes * prod(told.shape)

    def _reopen(self, done: int) -> None:
        self._at = self._places()
        self._streams = {
            file: file.open("r+b", buffering=0) for file in {at.file for at in self._at.values()}
        }

    def _write(self, begin: int, stacks: Mapping[str, NDArray[Any]]) -> None:
        for name, stack in stacks.items():
            file, offset = self._at[name]
            stream = self._streams[file]
            pixels = np.ascontiguousarray(self._stored(stack)).reshape(-1).view(np.uint8)
            stream.seek(offset + begin * (len(pixels) // len(stack)))
            while len(pixels):  # a write may be short, just before the disk is full
                pixels = pixels[stream.write(pixels.data) :]
        for stream in self._streams.values():
            os.fsync(stream.fileno())

    def _stored(self, stack: NDArray[Any]) -> NDArray[Any]:
        """Return pixels as the format has them."""
        return stack

    def _close(self) -> None:
        for stream in self._streams.values():
            stream.close()
