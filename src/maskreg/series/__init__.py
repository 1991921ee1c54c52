"""Aligning a series: frames in, a table of shifts out."""

from maskreg.series.align import align
from maskreg.series.alignment import Alignment
from maskreg.series.origin import Origin
from maskreg.series.run import align_run, is_run, open_run, read_run

__all__ = ["Alignment", "Origin", "align", "align_run", "is_run", "open_run", "read_run"]
