"""The report: one HTML file that works from the file system and asks nothing of any network."""

from __future__ import annotations

import re
from html import escape
from typing import Any

import numpy as np

from maskreg.report.data import Story
from maskreg.report.html import flagged_table, heading, settings_table, stylesheet
from maskreg.report.picture_plots import before_after_plots, mask_plot, mean_plots, peak_plot
from maskreg.report.series_plots import SeriesSources, drift_plot, path_plot, quality_plots
from maskreg.report.style import require_bokeh
from maskreg.report.verdict import verdict

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'unsafe-inline'; img-src data: blob:"
)
"""The browser itself refuses every request (bokeh makes functions from text, hence 'unsafe-eval')."""


_RANDOM = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b")


def report_page(story: Story) -> str:
    """Return the report as the text of an HTML file.

    Parameters
    ----------
    story : Story
        What to tell. Names in it are shown as text, whatever they contain.

    Returns
    -------
    str
        Styles, scripts, and data are all in it. What UTF-8 cannot hold, as bytes in the name of a folder,
        is escaped.

    Raises
    ------
    MissingExtraError
        If bokeh is not installed.
    """
    require_bokeh()
    from bokeh.resources import Resources

    plots = _plots(story)
    script, parts = _numbered(*_embedded(plots)) if plots else ("", {})
    code = Resources(mode="inline", components=["bokeh", "bokeh-widgets"]).render() if plots else ""
    line = verdict(story.series, len(story.jumps), story.total)
    notes = "".join(f'<p class="soft">{escape(note)}</p>' for note in story.notes)
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(story.title)}</title>
<style>{stylesheet()}</style>
{code}
</head>
<body><main>
<header>{heading(story.title, line, story.series)}{notes}</header>
{_sections(story, parts)}
</main>
{script}
</body>
</html>
"""
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def _embedded(plots: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the script that draws the plots, and the element of each."""
    from bokeh.document import Document
    from bokeh.embed import components

    together = Document()
    with together.models.freeze():  # else all that is in the plots is gone through again for each of them
        for plot in plots.values():
            together.add_root(plot)
    script, parts = components(plots)
    return script, parts


def _numbered(script: str, parts: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Return the same with numbers for bokeh's random names: the same run gives the same bytes."""
    names: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        return names.setdefault(found[0], f"drawn-{len(names)}")

    return _RANDOM.sub(number, script), {name: _RANDOM.sub(number, part) for name, part in parts.items()}


def _plots(story: Story) -> dict[str, Any]:
    """Return the plots by name; `_sections` says where they go."""
    plots = _series_plots(story)
    if story.before_after is not None:
        drawn = before_after_plots(story.before_after)
        plots |= dict(zip(("blink", "buttons", "before", "after"), drawn, strict=True))
    if story.peak is not None:
        plots["peak"] = peak_plot(story.peak)
    if story.masked is not None and story.unmasked is not None:
        plots["mask"] = mask_plot(story.unmasked, story.masked, story.mask_text)
    if story.mean is not None:
        plots |= dict(zip(("mean", "count"), mean_plots(story.mean), strict=True))
    return plots


def _series_plots(story: Story) -> dict[str, Any]:
    """Return the plots along the series that show something: the reference alone is no series."""
    series = story.series
    if series.reference.all():
        return {}
    sources = SeriesSources(series, story.jumps)
    drift = drift_plot(sources, series.x_label)
    quality = quality_plots(sources, series.x_label, drift.x_range)
    shown = {
        "score": series.score[~series.reference],
        "overlap": series.overlap[~series.reference],
        "sigma": series.sigma[series.ok & ~series.reference],
    }
    measured = {
        name: plot
        for (name, values), plot in zip(shown.items(), quality, strict=True)
        if np.isfinite(values).any()
    }
    return {"drift": drift, "path": path_plot(sources), **measured}


def _sections(story: Story, parts: dict[str, str]) -> str:
    def grid(*names: str, kind: str = "grid") -> str:
        cells = "".join(f"<div>{parts[name]}</div>" for name in names if name in parts)
        return f'<div class="{kind}">{cells}</div>' if cells else ""

    sections = [("", grid("drift", "path", kind="wide") + grid("score", "overlap", "sigma"))]
    if story.before_after is not None:
        pair = (
            f"<p>{escape(story.before_after.title)}</p>"
            f'<div class="grid"><div>{parts["blink"]}<div class="controls">{parts["buttons"]}</div></div>'
            f"<div>{parts['before']}</div><div>{parts['after']}</div></div>"
        )
        sections.append(("Before and after", pair))
    sections += [
        ("Place, mask, and all frames together", grid("peak", "mask", "mean", "count", kind="grid four")),
        ("Flagged frames", flagged_table(story.series)),
        ("Settings", _command(story.command) + settings_table(story.settings)),
    ]
    return "\n".join(
        f"<section>{f'<h2>{title}</h2>' if title else ''}{body}</section>" for title, body in sections if body
    )


def _command(command: str) -> str:
    return f'<p>To repeat it:</p><pre id="command">{escape(command)}</pre>' if command else ""
