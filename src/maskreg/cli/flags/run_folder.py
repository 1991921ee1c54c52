"""The flags of verbs that fill a run folder."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _ArgumentGroup
from pathlib import Path

from maskreg.cli.flags import values


def add_folder_flags(parser: ArgumentParser) -> _ArgumentGroup:
    """Add the flags of every verb that fills a run folder."""
    table = parser.add_argument_group("the table")
    table.add_argument(
        "--repair", action="store_true", help="add columns with shifts interpolated where a frame is not ok"
    )
    how = parser.add_argument_group("how it runs (never changes a result)")
    how.add_argument(
        "--workers", type=values.workers, metavar="N", help="frames registered at once (default: all cores)"
    )
    how.add_argument("--overwrite", action="store_true", help="start anew (default: go on where the run was)")
    how.add_argument("--no-report", action="store_true", help="write no report.html at the end")
    how.add_argument("--json", action="store_true", help="print the summary as JSON")
    return how


def is_begun(args: Namespace) -> bool:
    """Whether there is a run with something to go on with; asked when interrupted, so nothing is imported."""
    return (Path(args.output) / "run.sqlite").is_file()
