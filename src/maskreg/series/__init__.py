"""Aligning a series: frames in, a table of shifts out.

What is settled `before` the first row; the `pipeline`, in which a frame is read, registered and becomes a
row; what the rows tell `after` the last one. `align` does this in memory, `run` into a `run_folder`, so that
it can be interrupted at any moment, and `watch` while frames are written. `alignment` is what all three give,
`open_run` brings it back, and `story` is what a report tells of it. `mean` registers a series to its own
mean, `mask` finds the mask of one.
"""

from maskreg.series.align import align
from maskreg.series.alignment import Alignment
from maskreg.series.open_run import is_run, open_run, read_run
from maskreg.series.run import align_run
from maskreg.series.run_folder.origin import Origin

__all__ = ["Alignment", "Origin", "align", "align_run", "is_run", "open_run", "read_run"]
