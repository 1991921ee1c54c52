"""Put measured tables where a page of the documentation has a place for them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path


def fill(page: Path, name: str, header: Sequence[str], rows: Sequence[Sequence[str]], how: str) -> None:
    """Replace what stands between ``<!-- table: NAME -->`` and ``<!-- end -->``.

    Parameters
    ----------
    page : Path
        Markdown.
    name : str
    header, rows
        Cells as text.
    how : str
        How it was measured; stands below the table.

    Raises
    ------
    ValueError
        The page has no such place.
    """
    lines = [_line(header), _line(["---", *["---:"] * (len(header) - 1)]), *map(_line, rows)]
    block = "\n".join([f"<!-- table: {name} -->", "", *lines, "", how, "", "<!-- end -->"])
    place = re.compile(rf"<!-- table: {re.escape(name)} -->.*?<!-- end -->", re.DOTALL)
    text = page.read_text(encoding="utf-8")
    if not place.search(text):
        raise ValueError(f"{page} has no place for a table of the name {name}")
    page.write_text(place.sub(lambda _: block, text, count=1), encoding="utf-8")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
