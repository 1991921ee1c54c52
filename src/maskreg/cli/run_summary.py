"""What is said when a run has ended: counts, the largest shift, jumps, copies, the first flagged frames."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskreg.cli import exits
from maskreg.cli.run_report import REPORT, renew_report

if TYPE_CHECKING:
    from maskreg.series import Alignment
    from maskreg.shifts import FrameRow, ShiftTable

SHOWN = 5
"""Most flagged frames that are named in the summary; the table has them all."""


def told(args: Namespace, alignment: Alignment) -> int:
    """Renew the report of a run that is done, print the summary, and return the exit code."""
    renew_report(Path(args.output), wanted=not args.no_report)
    print(json.dumps(as_dict(alignment, args.output)) if args.json else as_text(alignment, args.output))
    return exits.FLAGGED if alignment.table().flagged else exits.DONE


def as_dict(alignment: Alignment, folder: str) -> dict[str, Any]:
    """Return the summary of a run as JSON has it."""
    table = alignment.table()
    largest = _largest_shift(alignment)
    return {
        "frames": len(table),
        "flagged": table.flagged,
        "counts": {status.label: count for status, count in table.counts().items()},
        "largest_shift": largest and {"frame": largest[0], "px": largest[1]},
        "jumps": [
            {
                "frame": jump.frame,
                "source": table[jump.frame].source,
                "time": _time_of(table[jump.frame]),
                "px": list(jump.size),
            }
            for jump in alignment.jumps
        ],
        "copies": [some._asdict() for some in alignment.copies],
        "run": folder,
    }


def as_text(alignment: Alignment, folder: str) -> str:
    """Return the summary of a run as lines for a person."""
    from maskreg.series.after.copies import about_copies

    table = alignment.table()
    lines = [table.describe()]
    if (largest := _largest_shift(alignment)) is not None:
        lines.append(f"largest shift: {largest[1]:.2f} px (frame {largest[0]}, {table[largest[0]].source})")
    lines += _about_jumps(alignment)
    lines += _shown(about_copies(table), "such frames")
    flagged = [
        f"frame {row.frame} ({row.source}): {row.registration.status.label}: {row.registration.reason}"
        for row in table
        if not row.registration.ok
    ]
    lines += _shown(flagged, "that are not ok: see the columns status and reason")
    lines += _about_the_reference(table)
    lines.append(f"table: {Path(folder) / 'shifts.csv'}")
    if (report := Path(folder) / REPORT).is_file():
        lines.append(f"report: {report}")
    return "\n".join(lines)


def _shown(lines: list[str], what: str) -> list[str]:
    """Return the first of some lines, and one that says how many more there are, and of what."""
    more = len(lines) - SHOWN
    return lines if more <= 0 else [*lines[:SHOWN], f"and {more} more {what}"]


def _about_the_reference(table: ShiftTable) -> list[str]:
    """Return what to try where no frame has found its place: the first of them may be a dark frame."""
    from maskreg.registration import Status

    counts = table.counts()
    lost = sum(
        counts.get(status, 0) for status in (Status.WEAK, Status.NO_OVERLAP, Status.FLAT, Status.STATIC)
    )
    if counts.get(Status.OK) or lost < 2:
        return []
    own = next((row for row in table if row.registration.status is Status.REFERENCE), None)
    which = "" if own is None else f", frame {own.frame} ({own.source})"
    return [f"no frame goes with the reference{which}: is it dark, or another scene? Try another --reference"]


def _about_jumps(alignment: Alignment) -> list[str]:
    jumps, table = alignment.jumps, alignment.table()
    lines = [
        f"jump at frame {jump.frame} ({table[jump.frame].source}{_at_time(table[jump.frame])}): "
        f"{jump.size[0]:+.2f} px down, {jump.size[1]:+.2f} px right"
        for jump in jumps
    ]
    return _shown(lines, "jumps")


def _at_time(row: FrameRow) -> str:
    time = _time_of(row)
    return "" if time is None else f", time {time}"


def _time_of(row: FrameRow) -> Any:
    """Return when a frame was taken, if its metadata tell."""
    from maskreg.frames.metadata.time_order import time_column

    column = time_column([row.metadata])
    return None if column is None else row.metadata[column]


def _largest_shift(alignment: Alignment) -> tuple[int, float] | None:
    """Return the frame, of those registered and ok, that is farthest from the reference, and how far, px."""
    import numpy as np

    from maskreg.registration import Status

    found = np.array([status is Status.OK for status in alignment.status])
    if not found.any():
        return None
    distances = np.where(found, np.hypot(*alignment.shifts.T), -np.inf)
    frame = int(np.argmax(distances))
    return frame, float(distances[frame])
