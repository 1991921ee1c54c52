"""The table of shifts: a row per frame, in the order of the series."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TextIO

from maskreg.registration import Status
from maskreg.shifts.columns import Column, columns_of, metadata_column
from maskreg.shifts.csv_text import read_rows, write_rows
from maskreg.shifts.row import FrameRow


class ShiftTable:
    """The shifts of a series, a `FrameRow` per frame.

    It knows no file: texts go to and come from open streams.

    Parameters
    ----------
    rows : iterable of FrameRow
        In the order of the series.
    """

    def __init__(self, rows: Iterable[FrameRow]) -> None:
        self.rows: tuple[FrameRow, ...] = tuple(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[FrameRow]:
        return iter(self.rows)

    def __getitem__(self, position: int) -> FrameRow:
        return self.rows[position]

    def counts(self) -> dict[Status, int]:
        """Return how many frames have each status that occurs, in the order of `Status`."""
        found = Counter(row.registration.status for row in self.rows)
        return {status: found[status] for status in Status if status in found}

    @property
    def flagged(self) -> int:
        """How many frames are not ok."""
        return sum(not row.registration.ok for row in self.rows)

    def describe(self) -> str:
        """Return one line for people: how many frames, and what became of them."""
        if not self.rows:
            return "no frames"
        counts = ", ".join(f"{count} {status.label}" for status, count in self.counts().items())
        return f"{len(self)} {'frame' if len(self) == 1 else 'frames'}: {counts}"

    def to_dicts(self) -> list[dict[str, str | int | float | bool | None]]:
        """Return the rows as dictionaries by column, in full precision, for JSON: NaN and inf as None."""
        columns = columns_of(self.rows)
        return [_as_dict(row, columns) for row in self.rows]

    def to_csv(self, stream: TextIO) -> None:
        """Write the table as CSV; the same rows give the same bytes."""
        write_rows(self.rows, stream)

    @classmethod
    def read_csv(cls, stream: TextIO) -> ShiftTable:
        """Read a table that `to_csv` wrote (rivals are not in it, metadata come back as text)."""
        return cls(read_rows(stream))

    def __repr__(self) -> str:
        return f"ShiftTable({self.describe()})"


def _as_dict(row: FrameRow, columns: Iterable[Column]) -> dict[str, str | int | float | bool | None]:
    values: dict[str, str | int | float | bool | None] = {c.name: c.value(row) for c in columns}
    values.update({metadata_column(key): value for key, value in row.metadata.items()})
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in values.items()
    }
