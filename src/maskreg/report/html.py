"""Text as HTML: everything that comes from files is escaped here, and nowhere is a name put in otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """Return title, verdict, how many frames are ok, and which are not and what that means."""
    frames = {status: _frames_with(status, series) for status in Status}
    good = "".join(
        f'<li title="{escape(status.sentence)}">{len(found)} {escape(status.label)}</li>'
        for status, found in frames.items()
        if found and status.ok
    )
    bad = "".join(
        f"<li><b>{len(found)} {escape(status.label)}</b>, {ranges(found)}: "
        f'<span class="soft">{escape(status.sentence)}</span></li>'
        for status, found in frames.items()
        if found and not status.ok
    )
    return (
        f'<h1>{escape(title)}</h1><p class="verdict">{escape(line)}</p>'
        f'<ul class="counts">{good}</ul><ul class="wrong">{bad}</ul>'
    )


def _frames_with(status: Status, series: SeriesData) -> list[int]:
    pairs = zip(series.frame, series.status, strict=True)
    return [int(frame) for frame, label in pairs if label == status.label]


def ranges(frames: Sequence[int], most: int = 8) -> str:
    """Return ascending numbers as "frames 3, 7-9 and 12 more"."""
    runs: list[list[int]] = []
    for frame in frames:
        if runs and frame == runs[-1][-1] + 1:
            runs[-1][1:] = [frame]
        else:
            runs.append([frame])
    shown = runs[:most]
    told = ", ".join("-".join(map(str, run)) for run in shown)
    left = sum(frame > shown[-1][-1] for frame in frames)
    return f"{'frame' if len(frames) == 1 else 'frames'} {told}{f' and {left} more' if left else ''}"


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
