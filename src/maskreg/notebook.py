"""Small tables as HTML, for notebooks: everything is escaped, nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table_html(caption: str, rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the first cell of a row is its name."""
    lines = "".join(
        "<tr>"
        + "".join(
            f'<{tag} style="text-align:left">{escape(cell)}</{tag}>'
            for tag, cell in zip(["th", *["td"] * (len(row) - 1)], row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<table><caption style="text-align:left"><b>{escape(caption)}</b></caption>'
        f"<tbody>{lines}</tbody></table>"
    )
