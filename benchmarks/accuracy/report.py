"""Tables for the eye and for other programs, and what exceeds its limit."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.accuracy.page import fill
from benchmarks.machine import print_table


class Report:
    """Prints tables, writes them as CSV, and remembers what has exceeded a limit.

    Parameters
    ----------
    folder : Path, optional
        For the CSV files; made when first needed. None: nothing is written.
    page : Path, optional
        Of the documentation, whose tables of the same names are replaced.
    how : str
        How it is measured; stands below the tables of the page.
    """

    def __init__(self, folder: Path | None = None, page: Path | None = None, how: str = "") -> None:
        self.folder = folder
        self.page = page
        self.how = how
        self.exceeded: list[str] = []

    def title(self, text: str) -> None:
        """Print what the next table holds."""
        print(f"\n{text}\n", flush=True)

    def doing(self, what: str) -> None:
        """Say on stderr what is being measured: a table is printed when whole."""
        print(f"  {what}", file=sys.stderr, flush=True)

    def table(self, name: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table, write it to NAME.csv, and put it in its place on the page."""
        print_table(header, rows)
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / f"{name}.csv").open("w", newline="") as stream:
                csv.writer(stream, lineterminator="\n").writerows([header, *rows])

        if self.page is not None:
            fill(self.page, name, header, rows, self.how)

    def limit(self, what: str, value: float, most: float, least: float = 0.0) -> str:
        """Return a mark for the table: '' where `value` lies within its limits, else '!'."""
        if least <= value <= most:  # NaN does not
            return ""
        self.exceeded.append(f"{what} is {value:.4g}; its limits are {least:g} and {most:g}")
        return "!"
