"""Text as HTML: everything that comes from files is escaped here, and nowhere is a name put in otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from html import escape
from importlib import resources
from typing import Any

from maskreg.registration import Status
from maskreg.report.data import SeriesData

MOST_ROWS = 2000
"""Flagged frames that the page lists; the plots mark, and ``shifts.csv`` has, all of them."""


def stylesheet() -> str:
    """Return the style of all pages."""
    return resources.files("maskreg.report").joinpath("page.css").read_text(encoding="utf-8")


def heading(title: str, line: str, series: SeriesData) -> str:
    """Return title, verdict, and how many frames have each status."""
    found = Counter(series.status)
    items = "".join(
        f'<li class="{"good" if status.ok else "bad"}" title="{escape(status.sentence)}">'
        f"{found[status.label]} {escape(status.label)}</li>"
        for status in Status
        if status.label in found
    )
    return f'<h1>{escape(title)}</h1><p class="verdict">{escape(line)}</p><ul class="counts">{items}</ul>'


def flagged_table(series: SeriesData) -> str:
    """Return the table of the frames that are not ok, with their reasons; a sentence when there is none."""
    rows = [row for row in range(len(series)) if not series.ok[row]]
    if not rows:
        return "<p>No frame is flagged.</p>"
    lines = "".join(
        f'<tr><td class="number">{series.frame[row]}</td><td>{escape(series.source[row])}</td>'
        f"<td>{escape(series.status[row])}</td><td>{escape(series.reason[row])}</td></tr>"
        for row in rows[:MOST_ROWS]
    )
    more = len(rows) - MOST_ROWS
    rest = f'<p class="soft">And {more} more: see shifts.csv.</p>' if more > 0 else ""
    return (
        '<div class="scroll"><table id="flagged"><thead><tr><th>frame</th><th>source</th><th>status</th>'
        f"<th>reason</th></tr></thead><tbody>{lines}</tbody></table></div>{rest}"
    )


def settings_table(settings: Mapping[str, Any]) -> str:
    """Return names and values as a table."""
    lines = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(_told(value))}</td></tr>" for name, value in settings.items()
    )
    return f'<table id="settings"><tbody>{lines}</tbody></table>'


def _told(value: Any) -> str:
    if value is None:
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
