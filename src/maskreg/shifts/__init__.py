"""The table of shifts: what `series` fills and `apply` reads."""

from maskreg.shifts.columns import COLUMNS
from maskreg.shifts.row import FrameRow, Metadata
from maskreg.shifts.table import ShiftTable

__all__ = ["COLUMNS", "FrameRow", "Metadata", "ShiftTable"]
