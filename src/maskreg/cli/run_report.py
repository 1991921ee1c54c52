"""The report of a run, in its folder: written when it is asked for, and anew whenever a run ends."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from maskreg.errors import MaskregError

log = logging.getLogger(__name__)

REPORT = "report.html"


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
