"""A series with what is said of its frames: columns from outside, and the order of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from maskreg.frames.source import FrameSource


class DescribedFrames(FrameSource):
    """The frames of another source, in another order or with more metadata.

    Parameters
    ----------
    source : FrameSource
        Where the frames come from; closed together with this.
    rows : sequence of dict
        What is known of each frame of `source`, in the order of `source`.
    order : sequence of int, optional
        Which frame of `source` each frame is; as they are unless told.
    from_names : bool
        Whether the names alone say all of `rows`: then it cannot change, and more frames may come.
    """

    def __init__(
        self,
        source: FrameSource,
        rows: Sequence[Mapping[str, Any]],
        order: Sequence[int] | None = None,
        *,
        from_names: bool = False,
    ) -> None:
        self.from_names = from_names
        self._source = source
        self._rows = rows
        self._order = range(len(source)) if order is None else order

    def __len__(self) -> int:
        return len(self._source)

    def name(self, index: int) -> str:
        """Return where the frame comes from."""
        return self._source.name(self._order[index])

    @property
    def root(self) -> Path | None:
        """The folder that the names are relative to."""
        return self._source.root

    @property
    def folder(self) -> Path | None:
        """The folder that the files are in."""
        return self._source.folder

    def metadata(self, index: int) -> dict[str, Any]:
        """Return all that is known of the frame."""
        return dict(self._rows[self._order[index]])

    def layout(self) -> str:
        """Return how the frames are stored."""
        return self._source.layout()

    @property
    def held(self) -> int:
        """Bytes that reading a frame may leave in memory, at most."""
        return self._source.held

    def soon(self, index: int) -> None:
        """Know that the frame will be read soon."""
        self._source.soon(self._order[index])

    def close(self) -> None:
        """Close the source of the frames."""
        self._source.close()

    def _fetch(self, index: int) -> Any:
        return self._source.load(self._order[index])
