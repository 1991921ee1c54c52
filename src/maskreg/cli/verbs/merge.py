"""``maskreg merge RUN -o OUT``: mean, count, standard error and variance of the aligned frames."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from maskreg.cli.flags.moving import (
    add_moving_flags,
    add_run_flags,
    add_running_flags,
    moving,
    opened_run,
    told,
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``merge``."""
    add_run_flags(parser)
    group = parser.add_argument_group("what is merged")
    group.add_argument("--by", metavar="COLUMN", help="frames with the same value of this metadata column")
    group.add_argument(
        "--normalise",
        action="store_true",
        help="divide each frame by its intensity relative to the reference; factors go to OUT_factors.csv",
    )
    group.add_argument("--halves", action="store_true", help="merge the even and the odd frames too")
    add_moving_flags(parser)
    add_running_flags(parser)


def run(args: Namespace) -> int:
    """Write the merged frames."""
    alignment = opened_run(args)
    with moving(args) as how:
        alignment.merge(args.output, by=args.by, normalise=args.normalise, halves=args.halves, **how)
    return told(args, alignment, "merged", args.by)
