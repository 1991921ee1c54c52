"""The table of shifts: what `series` fills and `apply` reads."""

from maskreg.shifts.columns import COLUMNS
from maskreg.shifts.row import FrameRow, Metadata, Repaired, source_text
from maskreg.shifts.table import ShiftTable

__all__ = ["COLUMNS", "FrameRow", "Metadata", "Repaired", "ShiftTable", "source_text"]
