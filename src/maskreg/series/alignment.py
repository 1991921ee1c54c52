"""What aligning a series gives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.apply.shift_image import shift_image
from maskreg.frames import FrameSource
from maskreg.notebook import table_html
from maskreg.outputs import atomic_write
from maskreg.registration import Status
from maskreg.series.frames import opened
from maskreg.shifts import FrameRow, ShiftTable

FLAGGED_SHOWN = 5
"""Flagged frames that a notebook names."""


class Alignment:
    """The shifts of a series, and the aligned frames on demand.

    Parameters
    ----------
    table : ShiftTable
        A row per frame.
    frames
        The series itself, as `maskreg.align` takes it.
    mask : (rows, cols) array of bool, optional
        True where pixels are valid, the same for all frames.
    """

    def __init__(self, table: ShiftTable, frames: Any, mask: NDArray[np.bool_] | None = None) -> None:
        self._table = table
        self._frames = frames
        self._mask = mask

    def __len__(self) -> int:
        return len(self._table)

    @property
    def shifts(self) -> NDArray[np.float64]:
        """What to apply to each frame so that it lands on the reference, px, (n, 2); NaN: no answer."""
        return np.array([row.registration.shift for row in self._table]).reshape(-1, 2)

    @property
    def uncertainty(self) -> NDArray[np.float64]:
        """1 sigma of `shifts` per axis, px, (n, 2)."""
        return np.array([row.registration.uncertainty for row in self._table]).reshape(-1, 2)

    @property
    def score(self) -> NDArray[np.float64]:
        """Masked NCC of each frame with the reference, (n,)."""
        return np.array([row.registration.score for row in self._table])

    @property
    def status(self) -> list[Status]:
        """What became of each frame."""
        return [row.registration.status for row in self._table]

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Which frames have a shift that may be used without a second look, (n,)."""
        return np.array([row.registration.ok for row in self._table], dtype=bool)

    def table(self) -> ShiftTable:
        """Return the table of shifts, a row per frame."""
        return self._table

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the table of shifts; the file gets its name when it is whole."""
        with atomic_write(path) as stream:
            self._table.to_csv(stream)

    def apply(self) -> Iterator[tuple[NDArray[Any], NDArray[np.bool_]]]:
        """Yield each frame, moved onto the reference, and its mask (True: valid), one at a time.

        A frame that is not ok comes as all NaN and wholly invalid, so that counting on is safe.
        """
        with opened(self._frames) as source:
            for row in self._table:
                yield self._aligned(row, source)

    def _aligned(self, row: FrameRow, source: FrameSource) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        if not row.registration.ok:
            nothing = np.zeros(source.shape, source.dtype)
            return shift_image(nothing, (0, 0), np.zeros(source.shape, dtype=bool))
        return shift_image(source.read(row.frame), row.registration.shift, self._mask)

    def __repr__(self) -> str:
        return f"Alignment({self._table.describe()})"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the counts, how far it drifted, and the first flagged frames."""
        ok = self.ok
        rows = [(status.label, str(count), status.sentence) for status, count in self._table.counts().items()]
        if ok.any():
            farthest = float(np.hypot(*self.shifts[ok].T).max())
            rows.append(("drift", f"{farthest:.2f} px", "the farthest of the frames that are ok"))
        flagged = [row for row in self._table if not row.registration.ok]
        rows += [
            (f"frame {row.frame}", row.registration.status.label, f"{row.source}: {row.registration.reason}")
            for row in flagged[:FLAGGED_SHOWN]
        ]
        if len(flagged) > FLAGGED_SHOWN:
            rows.append(("...", f"{len(flagged) - FLAGGED_SHOWN} more", "see table()"))
        return table_html(f"Alignment of {len(self)} frames", rows)
