"""One array in a file that may be stored in chunks: what HDF5 and Zarr have in common."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from maskreg.frames.file import FileFrames
from maskreg.frames.formats.slabs import Slabs
from maskreg.frames.metadata.coordinates import row_of
from maskreg.frames.navigation import Stack


class ChunkedFrames(FileFrames):
    """The frames of one array, decoded by slabs; a format says which array, and what lies beside it."""

    is_one_array = True

    _stack: Stack
    _slabs: Slabs
    _columns: dict[str, NDArray[Any]]
    """The coordinates of all frames."""

    def __len__(self) -> int:
        return len(self._stack)

    def metadata(self, index: int) -> dict[str, Any]:
        """Return the coordinates of the frame."""
        return row_of(self._columns, index)

    @property
    def held(self) -> int:
        """Bytes of decoded chunks that are kept, at most."""
        return self._slabs.held

    def _fetch(self, index: int) -> NDArray[Any]:
        return self._slabs.frame(index)
