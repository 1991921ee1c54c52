"""``maskreg align INPUT... -o RUN``: a series into a run folder."""

from __future__ import annotations

import fnmatch
import json
import logging
import os
from argparse import ArgumentParser, Namespace, _ArgumentGroup
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskreg.cli import exits
from maskreg.cli.flags import values
from maskreg.cli.flags.calibration import add_calibration_flags
from maskreg.cli.flags.dask import add_dask_flags, cluster_of
from maskreg.cli.flags.mask import add_mask_flags, ensure_grown, mask_from
from maskreg.cli.flags.metadata import add_metadata_flags
from maskreg.cli.flags.options import add_option_flags, options_from
from maskreg.cli.output_file import ensure_apart
from maskreg.cli.verbs.report import REPORT, renew_report
from maskreg.errors import MaskregError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from maskreg.frames import FrameSource
    from maskreg.series import Alignment
    from maskreg.shifts import FrameRow, ShiftTable

log = logging.getLogger(__name__)

SHOWN = 5
"""Most flagged frames that are named in the summary; the table has them all."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``align``."""
    parser.add_argument(
        "input",
        nargs="+",
        metavar="INPUT",
        help="files, a folder, a pattern in quotes, or FILE.h5::/DATASET",
    )
    parser.add_argument("-o", "--output", required=True, metavar="RUN", help="the run folder")
    parser.add_argument(
        "--reference",
        type=values.reference,
        default="first",
        metavar="WHICH",
        help="first (default), mean (of the aligned frames; reads them five times), the index of a frame "
        "(-1: the last), an image file, or a condition on metadata such as 'delay<0': the mean of those "
        "frames",
    )
    add_metadata_flags(parser)
    add_option_flags(parser)
    add_calibration_flags(parser)
    add_mask_flags(parser)
    how = add_run_flags(parser)
    add_dask_flags(how)
    how.add_argument(
        "--memory",
        type=values.megabytes,
        metavar="MB",
        default=1000.0,
        help="for registering frames, at most (default: 1000)",
    )
    how.add_argument("--no-progress", action="store_true", help="no progress bar")
    parser.set_defaults(when_interrupted="what is done is kept, the same command goes on", is_begun=is_begun)


def add_run_flags(parser: ArgumentParser) -> _ArgumentGroup:
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


def run(args: Namespace) -> int:
    """Align a series, or go on with it, and print a summary."""
    options = options_from(args)
    ensure_grown(args)

    from maskreg.frames import open_frames
    from maskreg.series import Origin, align_run
    from maskreg.series.before.reference import image_for_mask
    from maskreg.series.run import ensure_run_writable
    from maskreg.series.run_folder.inputs import FOLDER, MASK, REFERENCE

    _refuse_a_run(args.input)
    ensure_apart(args.output, args.input, f"{FOLDER}/{MASK}", f"{FOLDER}/{REFERENCE}")
    ensure_run_writable(args.output)  # `align_run` asks when the frames are open and a cluster was waited for
    with (
        open_frames(args.input, pattern=args.pattern, metadata=args.metadata) as source,
        cluster_of(args) as client,
    ):
        _warn_of_a_mask(args.input)
        _warn_of_no_frames(source, [*args.valid, *args.ignore, args.dark, args.flat])
        mask = mask_from(args, source.shape, lambda: image_for_mask(args.reference, source))
        alignment = align_run(
            source,
            args.output,
            mask,
            reference=args.reference,
            options=options,
            dark=args.dark,
            flat=args.flat,
            workers=args.workers,
            client=client,
            memory=args.memory,
            progress=not args.no_progress and args.verbosity == 0,
            overwrite=args.overwrite,
            repair=args.repair,
            origin=Origin.here(args.input, args.command),
        )
    return told(args, alignment)


def told(args: Namespace, alignment: Alignment) -> int:
    """Renew the report of a run that is done, print the summary, and return the exit code."""
    renew_report(Path(args.output), wanted=not args.no_report)
    print(json.dumps(as_dict(alignment, args.output)) if args.json else as_text(alignment, args.output))
    return exits.FLAGGED if alignment.table().flagged else exits.DONE


def _refuse_a_run(inputs: Sequence[str]) -> None:
    """Refuse a run folder as the frames: what lies in it was made of them."""
    from maskreg.series import is_run

    for text in filter(is_run, inputs):
        raise UsageError(
            f"{text} is a run folder; name the frames it was made of, and -o {text} to go on with it"
        )


def _warn_of_a_mask(inputs: Sequence[str]) -> None:
    """Say so if what stands behind the frames looks like a mask: in Python that is its place."""
    if len(inputs) < 2:
        return
    try:
        (first, _), (last, is_alone) = _first_image(inputs[0]), _first_image(inputs[-1])
    except MaskregError:
        return  # what is wrong with it is told where it is used
    if is_alone and _has_two_values(last) and not _has_two_values(first):
        log.warning(
            "%s holds two values and no other: is it a mask? Then name it by --valid or --ignore", inputs[-1]
        )


def _warn_of_no_frames(source: FrameSource, files: Sequence[str | None]) -> None:
    """Say so where a mask, a dark or a flat lies among the frames: the first of these is the reference."""
    names = [source.name(frame) for frame in range(len(source))]
    for file in filter(None, files):
        if source.root is not None and fnmatch.filter(names, os.path.relpath(file, source.root)):
            log.warning(
                "%s is among the frames, too; keep it elsewhere, or name the frames by a pattern", file
            )


def _first_image(text: str) -> tuple[NDArray[Any], bool]:
    """Return the first image of what an argument means, and whether it is the only one.

    No other file is opened: a folder may hold many.
    """
    from maskreg.frames.locate import find_files
    from maskreg.frames.registry import open_file

    files, root = find_files(text)
    with open_file(files[0], root) as source:
        return source.read(0), len(files) == len(source) == 1


def _has_two_values(image: NDArray[Any]) -> bool:
    least, greatest = image.min(), image.max()
    return bool(least < greatest and ((image == least) | (image == greatest)).all())


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
