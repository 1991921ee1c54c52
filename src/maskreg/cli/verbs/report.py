"""``maskreg report RUN``: what became of a run, as one HTML file."""

from __future__ import annotations

import gc
import logging
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from maskreg.cli import exits
from maskreg.cli.flags.moving import add_input_flag
from maskreg.cli.output_file import suffix_of
from maskreg.errors import MaskregError

log = logging.getLogger(__name__)

REPORT = "report.html"


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


def renew_report(folder: Path, *, wanted: bool) -> None:
    """Replace a report that tells of an earlier state; the work before it is done whatever becomes of it."""
    try:
        (folder / REPORT).unlink(missing_ok=True)
        if wanted:
            write_report(folder)
    except (MaskregError, OSError) as error:
        log.warning("no report: %s", error)
    except Exception as error:  # days of work are not called failed for a picture
        kind = type(error).__name__
        log.warning("no report: %s: %s (a bug in maskreg; maskreg report --debug shows where)", kind, error)


@contextmanager
def _keeping_all() -> Iterator[None]:
    """Look for no garbage meanwhile: a page is made of very many objects, nearly all of which stay."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def write_report(
    folder: Path,
    output: str | None = None,
    *,
    frame: int | None = None,
    frames: Sequence[str] | None = None,
    merged: str | None = None,
) -> Path:
    """Write the report of a run folder and return where it is."""
    from maskreg.outputs import atomic_write
    from maskreg.report import report_page
    from maskreg.series.story import story_of

    with _keeping_all():
        page = report_page(story_of(folder, frame=frame, frames=frames, merged=merged))
    path = folder / REPORT if output is None else Path(output)
    with atomic_write(path) as stream:
        stream.write(page)
    return path
