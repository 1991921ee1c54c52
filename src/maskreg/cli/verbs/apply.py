"""``maskreg apply RUN -o OUT``: the aligned frames and which of their pixels are valid."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from maskreg.cli.flags import values
from maskreg.cli.flags.moving import (
    add_moving_flags,
    add_run_flags,
    add_running_flags,
    moving,
    opened_run,
    told,
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``apply``."""
    add_run_flags(parser)
    add_moving_flags(parser)
    pixels = parser.add_argument_group("pixels")
    pixels.add_argument(
        "--dtype",
        metavar="TYPE",
        help="such as float32 or uint16; integers are rounded to the nearest and kept within their range "
        "(default: float32, float64 for wide integers; the frames' own with --whole-pixel)",
    )
    pixels.add_argument(
        "--fill",
        type=values.number,
        metavar="N",
        help="what invalid pixels hold (default: NaN, 0 for integers)",
    )
    add_running_flags(parser)


def run(args: Namespace) -> int:
    """Write the aligned frames."""
    alignment = opened_run(args)
    with moving(args) as how:
        alignment.apply(args.output, dtype=args.dtype, fill=args.fill, **how)
    return told(args, alignment, "aligned")
