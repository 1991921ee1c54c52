"""``maskreg align INPUT... -o RUN``: a series into a run folder."""

from __future__ import annotations

import fnmatch
import logging
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from maskreg.cli.flags import values
from maskreg.cli.flags.calibration import add_calibration_flags
from maskreg.cli.flags.dask import add_dask_flags, cluster_of
from maskreg.cli.flags.mask import add_mask_flags, ensure_grown, mask_from
from maskreg.cli.flags.metadata import add_metadata_flags
from maskreg.cli.flags.options import add_option_flags, options_from
from maskreg.cli.flags.run_folder import add_folder_flags, is_begun
from maskreg.cli.output_file import ensure_apart
from maskreg.cli.run_report import REPORT
from maskreg.cli.run_summary import told
from maskreg.errors import MaskregError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from maskreg.frames import FrameSource

log = logging.getLogger(__name__)


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
    how = add_folder_flags(parser)
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
    # `align_run` asks when the frames are open and a cluster was waited for, and knows of no report
    ensure_run_writable(args.output, overwrite=args.overwrite, more=[REPORT])
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
