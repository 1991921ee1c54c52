"""Colours and lines that read on white and on black, for all eyes, and on paper.

Blue and orange are told apart by every kind of colour vision (Okabe and Ito's set, lightened until
both have contrast on either ground); a second sign (dash, marker) goes with every colour.
"""

from __future__ import annotations

from typing import Any

from maskreg.errors import MissingExtraError
from maskreg.report.colour import difference_scale, palette

ROW = "#2b86c5"
COLUMN = "#d97706"
FLAGGED = "#c4519b"
JUMP = "#7a7a7a"
INK = "#767676"
"""Of axes and their labels: enough contrast on white and on the dark page."""
GRID = "#8884"


WIDGETS = """
.bk-input, .bk-btn-default { background: var(--card); color: var(--ink); border-color: var(--line); }
.bk-btn-default:hover, .bk-btn-default.bk-active { background: var(--line); color: var(--ink); }
.bk-btn-default[disabled] { background: var(--card); color: var(--soft); opacity: 0.6; }
.bk-btn-group > .bk-btn { min-width: 0; white-space: normal; }
@media (max-width: 760px) { .bk-btn-group > .bk-btn { padding-inline: 4px; } }
.noUi-target { background: var(--line); }
.bk-spin-btn::before { border-color: var(--soft) transparent; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
"""
"""Style of bokeh's widgets: they know the page's colours, but use none of them by themselves."""


def hexes(colours: Any) -> list[str]:
    """Return (n, 3) uint8 sRGB as ``#rrggbb``."""
    return ["#{:02x}{:02x}{:02x}".format(*map(int, colour)) for colour in colours]


def picture_colours() -> list[str]:
    """Return the 256 colours that `maskreg.report.panel` indexes."""
    return hexes(palette())


def difference_colours() -> list[str]:
    """Return blue - white - red."""
    return hexes(difference_scale())


def require_bokeh() -> None:
    """Say how to get bokeh where it is missing."""
    try:
        import bokeh  # noqa: F401
    except ImportError:
        raise MissingExtraError(
            'this needs bokeh, which is not installed: python -m pip install "maskreg[app]"'
        ) from None


def plain(figure: Any) -> Any:
    """Give a figure the look of all of them: no ground of its own, quiet axes, no logo."""
    figure.background_fill_alpha = 0
    figure.border_fill_alpha = 0
    figure.outline_line_color = INK
    figure.outline_line_alpha = 0.4
    figure.toolbar.logo = None
    figure.toolbar.autohide = True
    figure.title.text_color = INK
    figure.title.text_font_size = "13px"
    figure.axis.axis_label_text_color = INK
    figure.axis.axis_label_text_font_style = "normal"
    figure.axis.axis_label_text_font_size = "12px"
    figure.axis.major_label_text_color = INK
    figure.axis.major_label_text_font_size = "11px"
    for line in ("axis_line_color", "major_tick_line_color", "minor_tick_line_color"):
        setattr(figure.axis, line, INK)
    figure.grid.grid_line_color = GRID
    for legend in figure.legend:
        legend.background_fill_alpha = 0
        legend.border_line_alpha = 0
        legend.label_text_color = INK
        legend.label_text_font_size = "12px"
        legend.padding = legend.margin = 2
        legend.spacing = 10
    return figure
