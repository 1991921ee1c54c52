"""The flags that say where metadata columns come from."""

from __future__ import annotations

from argparse import ArgumentParser, _ArgumentGroup


def add_metadata_flags(parser: ArgumentParser) -> None:
    """Add ``--pattern`` and ``--metadata``."""
    group = parser.add_argument_group("metadata (columns of the table; a column 'time' orders the frames)")
    add_pattern_flag(group)
    group.add_argument("--metadata", metavar="FILE", help="a CSV file with a column 'file' and any others")


def add_pattern_flag(group: _ArgumentGroup) -> None:
    """Add ``--pattern`` alone."""
    group.add_argument(
        "--pattern",
        metavar="NAME",
        help="how file names tell them, such as '{scan:d}_{delay:f}.tif' (d: whole number, f: number)",
    )
