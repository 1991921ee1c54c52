"""The series, drawn: drift along it, path in the plane, and quality. For reports and for the live page.

Each function takes the sources that `SeriesSources` holds, so a page that replaces their data
is drawn anew, and what is selected in one plot is selected in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from maskreg.report.columns import flagged_columns, good_columns, jump_columns
from maskreg.report.data import Jump, SeriesData
from maskreg.report.style import COLUMN, FLAGGED, INK, JUMP, ROW, plain

_LINES = (("row", ROW, "solid", "circle", "rows"), ("col", COLUMN, [6, 3], "square", "columns"))

_TIPS = [
    ("frame", "@frame"),
    ("", "@source"),
    ("drift", "@drift_row{0.000}, @drift_col{0.000} px"),
    ("status", "@status"),
    ("", "@reason"),
]
"""Bokeh writes what stands for a name as text, never as markup."""


class SeriesSources:
    """The data of the plots of a series: frames that are ok, frames that are not, jumps."""

    def __init__(self, series: SeriesData, jumps: Sequence[Jump] = ()) -> None:
        from bokeh.models import ColumnDataSource

        self.good = ColumnDataSource(good_columns(series, jumps), name="good")
        self.flagged = ColumnDataSource(flagged_columns(series), name="flagged")
        self.jumps = ColumnDataSource(jump_columns(series, jumps), name="jumps")
        self._in_legend: list[tuple[Any, Any]] = []

    def replace(self, series: SeriesData, jumps: Sequence[Jump] = ()) -> None:
        """Draw another state of the series."""
        self.good.data = good_columns(series, jumps)
        self.flagged.data = flagged_columns(series)
        self.jumps.data = jump_columns(series, jumps)
        self._update_legend()

    def watch_legend(self, legend: Any) -> None:
        """Keep out of a legend what there is none of."""
        self._in_legend = [(item, item.renderers[0].data_source) for item in legend.items]
        self._update_legend()

    def _update_legend(self) -> None:
        for item, source in self._in_legend:
            item.visible = len(source.data["x"]) > 0


def drift_plot(sources: SeriesSources, x_label: str) -> Any:
    """Return the drift of both axes along the series, with bands of 1 sigma, flags and jumps."""
    figure = _figure("Drift of the content (minus the shift)", 300, x_label, "px")
    dots = []
    for name, colour, dash, marker, label in _LINES:
        figure.varea(
            x="x",
            y1=f"{name}_low",
            y2=f"{name}_high",
            source=sources.good,
            fill_color=colour,
            fill_alpha=0.25,
            legend_label=label,
        )
        figure.line(
            x="x",
            y=f"drift_{name}",
            source=sources.good,
            line_color=colour,
            line_dash=dash,
            line_width=1.5,
            legend_label=label,
        )
        dots.append(
            figure.scatter(
                x="x",
                y=f"drift_{name}",
                source=sources.good,
                marker=marker,
                size=4,
                color=colour,
                nonselection_alpha=0.5,
                legend_label=label,
            )
        )
    dots += [_crosses(figure, sources, f"mark_{name}") for name, *_ in _LINES]
    figure.vspan(
        x="x", source=sources.jumps, line_color=JUMP, line_dash="2 3", line_width=1.5, legend_label="jump"
    )
    sources.watch_legend(figure.legend[0])
    return _finished(figure, dots)


def path_plot(sources: SeriesSources) -> Any:
    """Return the path of the drift in the plane, rows downwards as in the images."""
    from bokeh.models import LinearColorMapper
    from bokeh.palettes import Cividis256

    figure = _figure("Path of the drift", 300, "columns, px", "rows, px", match_aspect=True)
    figure.y_range.flipped = True
    figure.line(x="drift_col", y="drift_row", source=sources.good, line_color=INK, line_alpha=0.5)
    dots = figure.scatter(
        x="drift_col",
        y="drift_row",
        source=sources.good,
        size=6,
        color={"field": "frame", "transform": LinearColorMapper(palette=Cividis256)},
        line_color=INK,
        line_width=0.5,
    )
    figure.scatter([0], [0], marker="circle_cross", size=14, fill_alpha=0, line_color=INK, line_width=1.5)
    crosses = figure.scatter(
        x="drift_col", y="drift_row", source=sources.flagged, marker="x", size=9, color=FLAGGED, line_width=2
    )
    return _finished(figure, [dots, crosses], legend=False)


def quality_plots(sources: SeriesSources, x_label: str, x_range: Any = None) -> list[Any]:
    """Return score, overlap and uncertainty along the series, moving together."""
    wanted = (
        ("Score: masked NCC at the place found", "score"),
        ("Overlap, of the greatest possible", "overlap"),
        ("Uncertainty (1 sigma, larger axis)", "sigma"),
    )
    plots = []
    for title, column in wanted:
        unit = "px" if column == "sigma" else ""
        figure = _figure(title, 190, x_label, unit)
        if x_range is not None:
            figure.x_range = x_range
        figure.line(x="x", y=column, source=sources.good, line_color=ROW, line_alpha=0.6)
        dots = [
            figure.scatter(x="x", y=column, source=sources.good, size=4, color=ROW, nonselection_alpha=0.5)
        ]
        if column != "sigma":
            dots.append(_crosses(figure, sources, column))
        plots.append(_finished(figure, dots, legend=False))
    return plots


def _crosses(figure: Any, sources: SeriesSources, column: str) -> Any:
    return figure.scatter(
        x="x",
        y=column,
        source=sources.flagged,
        marker="x",
        size=9,
        color=FLAGGED,
        line_width=2,
        nonselection_alpha=0.6,
        legend_label="flagged",
    )


def _figure(title: str, height: int, x_label: str, y_label: str, **more: Any) -> Any:
    from bokeh.plotting import figure

    return figure(
        title=title,
        height=height,
        sizing_mode="stretch_width",
        x_axis_label=x_label,
        y_axis_label=y_label,
        tools="pan,wheel_zoom,box_zoom,tap,reset",
        min_border_left=50,
        **more,
    )


def _finished(figure: Any, dots: list[Any], *, legend: bool = True) -> Any:
    from bokeh.models import HoverTool

    figure.add_tools(HoverTool(renderers=dots, tooltips=_TIPS, mode="mouse"))
    if legend:
        figure.add_layout(figure.legend[0], "above")
        figure.legend.orientation = "horizontal"
    elif figure.legend:
        figure.legend.visible = False
    return plain(figure)
