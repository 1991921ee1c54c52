"""Drawing results."""

from maskreg.report.figure import draw_alignment_figure

__all__ = ["draw_alignment_figure"]
