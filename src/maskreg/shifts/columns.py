"""The columns of the table: their names, order and formats, stated here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from maskreg.shifts.row import FrameRow


class Column(NamedTuple):
    """How one property of a row is named, found and printed.

    ``z`` in a format turns a negative zero (also one that rounding makes) into zero.
    """

    name: str
    value: Callable[[FrameRow], str | int | float]
    format: str


COLUMNS = (
    Column("frame", lambda row: row.frame, "d"),
    Column("source", lambda row: row.source, ""),
    Column("shift_row_px", lambda row: float(row.registration.shift[0]), "z.6f"),
    Column("shift_col_px", lambda row: float(row.registration.shift[1]), "z.6f"),
    Column("sigma_row_px", lambda row: float(row.registration.uncertainty[0]), "z.6f"),
    Column("sigma_col_px", lambda row: float(row.registration.uncertainty[1]), "z.6f"),
    Column("score", lambda row: row.registration.score, "z.6f"),
    Column("overlap", lambda row: row.registration.overlap, "z.6f"),
    Column("status", lambda row: row.registration.status.label, ""),
    Column("reason", lambda row: row.registration.reason, ""),
    Column("significance", lambda row: row.registration.significance, "z.3f"),
    # variances reach down to 1e-8 px²: significant digits, not decimals
    Column("cov_row_col_px2", lambda row: float(row.registration.covariance[0, 1]), "z.6e"),
)

REPAIRED_COLUMNS = (
    Column("repaired_row_px", lambda row: _repaired(row, 0, 0), "z.6f"),
    Column("repaired_col_px", lambda row: _repaired(row, 0, 1), "z.6f"),
    Column("repaired_sigma_row_px", lambda row: _repaired(row, 1, 0), "z.6f"),
    Column("repaired_sigma_col_px", lambda row: _repaired(row, 1, 1), "z.6f"),
)
"""The columns of a table with repaired shifts, behind the others."""

NAMES = tuple(column.name for column in COLUMNS)
REPAIRED_NAMES = tuple(column.name for column in REPAIRED_COLUMNS)


def columns_of(rows: Iterable[FrameRow]) -> tuple[Column, ...]:
    """Return the columns that a table of `rows` has, without metadata."""
    repaired = any(row.repaired is not None for row in rows)
    return COLUMNS + REPAIRED_COLUMNS if repaired else COLUMNS


def _repaired(row: FrameRow, part: int, axis: int) -> float:
    return float("nan") if row.repaired is None else float(row.repaired[part][axis])


def metadata_column(key: str) -> str:
    """Return the column's name for a metadata key; a key named like a column of ours is prefixed."""
    return f"metadata_{key}" if key in (*NAMES, *REPAIRED_NAMES) else key
