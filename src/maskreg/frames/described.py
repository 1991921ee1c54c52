"""A series with what is said of its frames: columns from outside, and the order of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from maskreg.frames.reordered import ReorderedFrames
from maskreg.frames.source import FrameSource


class DescribedFrames(ReorderedFrames):
    """The frames of another source, in another order or with more metadata.

    Parameters
    ----------
    source : FrameSource
        Where the frames come from; closed together with this.
    rows : sequence of dict
        What is known of each frame of `source`, in the order of `source`.
    order : sequence of int, optional
        Which frame of `source` each frame is; as they are unless told.
    told : sequence of str
        The columns of `rows` that the user has told of.
    """

    def __init__(
        self,
        source: FrameSource,
        rows: Sequence[Mapping[str, Any]],
        order: Sequence[int] | None = None,
        told: Sequence[str] = (),
    ) -> None:
        super().__init__(source, range(len(source)) if order is None else order)
        self._rows = rows
        self._told = tuple(told)

    @property
    def told_columns(self) -> tuple[str, ...]:
        """Columns of the metadata that the user has told of."""
        return (*self._source.told_columns, *self._told)

    def __len__(self) -> int:
        return len(self._source)

    def metadata(self, index: int) -> dict[str, Any]:
        """Return all that is known of the frame."""
        return dict(self._rows[self._order[index]])

    def close(self) -> None:
        """Close the source of the frames."""
        self._source.close()
