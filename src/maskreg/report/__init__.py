"""Drawing results: values and arrays in, pictures and pages out."""

from maskreg.report.data import BeforeAfter, Mean, PeakMap, SeriesData, Story
from maskreg.report.figure import draw_alignment_figure
from maskreg.report.mask_figure import draw_mask_figure
from maskreg.report.page import report_page
from maskreg.report.verdict import verdict

__all__ = [
    "BeforeAfter",
    "Mean",
    "PeakMap",
    "SeriesData",
    "Story",
    "draw_alignment_figure",
    "draw_mask_figure",
    "report_page",
    "verdict",
]
