"""``maskreg report RUN``: what became of a run, as one HTML file."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from maskreg.cli import exits
from maskreg.cli.flags.moving import add_input_flag
from maskreg.cli.output_file import suffix_of
from maskreg.cli.run_report import REPORT, write_report


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``report``."""
    parser.add_argument("folder", metavar="RUN", help="a run folder, finished or not")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help=f"where to, FILE.html (default: RUN/{REPORT}); a report that is there is replaced",
    )
    parser.add_argument(
        "--frame", type=int, metavar="N", help="show this frame before and after (default: the farthest off)"
    )
    parser.add_argument(
        "--merged",
        metavar="OUT",
        help="show mean and count of this output of merge (default: of a sample of the frames)",
    )
    add_input_flag(parser)


def run(args: Namespace) -> int:
    """Write the report."""
    if args.output is not None:
        from maskreg.outputs import ensure_file_writable

        suffix_of(args.output, "a report", ".html", ".htm")
        ensure_file_writable(args.output)
    path = write_report(
        Path(args.folder), args.output, frame=args.frame, frames=args.input, merged=args.merged
    )
    print(f"report: {path}")
    return exits.DONE
