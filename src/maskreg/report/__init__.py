"""Drawing results."""

from maskreg.report.figure import draw_alignment_figure
from maskreg.report.mask_figure import draw_mask_figure

__all__ = ["draw_alignment_figure", "draw_mask_figure"]
