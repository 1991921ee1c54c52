"""The flags of `maskreg.Options`: what changes an answer."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import fields

from maskreg.cli.flags import values
from maskreg.errors import InputError, UsageError
from maskreg.options import Options


def add_option_flags(parser: ArgumentParser) -> None:
    """Add a flag for every option; the names are those of the Python keywords."""
    group = parser.add_argument_group("registration")
    group.add_argument(
        "--max-shift",
        type=values.max_shift,
        metavar="PX",
        help="greatest shift searched, px: one number, or one per axis (20,30)",
    )
    group.add_argument(
        "--min-overlap",
        type=values.number,
        metavar="FRACTION",
        help="least overlap, of the greatest one of any shift",
    )
    group.add_argument("--exact", action="store_true", help="search every shift at full resolution")
    group.add_argument("--gain", type=values.number, metavar="E", help="detector gain, electrons per count")
    group.add_argument("--offset", type=values.number, metavar="COUNTS", help="detector pedestal, counts")
    group.add_argument("--read-noise", type=values.number, metavar="E", help="detector read noise, electrons")
    group.add_argument(
        "--smoothing",
        type=values.smoothing,
        default="auto",
        metavar="PX",
        help="low-pass width, px (default: auto)",
    )


def options_from(args: Namespace) -> Options:
    """Return the options that were asked for."""
    given = {field.name: getattr(args, field.name) for field in fields(Options) if hasattr(args, field.name)}
    try:
        options = Options(**given)
        options.limits(2)  # images of the command line have rows and columns
        return options
    except InputError as error:
        raise UsageError(str(error)) from error
