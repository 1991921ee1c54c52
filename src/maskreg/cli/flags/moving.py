"""The flags of verbs that read a run and move its frames."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskreg.cli import exits
from maskreg.cli.flags import values
from maskreg.cli.flags.dask import add_dask_flags, cluster_of
from maskreg.cli.output_file import ensure_apart, suffix_of

if TYPE_CHECKING:
    from maskreg.series import Alignment


def add_run_flags(parser: ArgumentParser) -> None:
    """Add the run, the output and where the frames are."""
    parser.add_argument("run_folder", metavar="RUN", help="a run folder, as align makes it")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="OUT.zarr, OUT.h5 or OUT.tif")
    add_input_flag(parser)


def add_input_flag(parser: ArgumentParser) -> None:
    """Add where the frames of a run are."""
    parser.add_argument(
        "--input", nargs="+", metavar="INPUT", help="where the frames are, if not where they were"
    )


def add_moving_flags(parser: ArgumentParser) -> None:
    """Add how frames are moved and which of them."""
    group = parser.add_argument_group("how frames are moved")
    order = group.add_mutually_exclusive_group()
    order.add_argument(
        "--order",
        type=int,
        choices=(5, 3, 1),
        default=5,
        help="degree of the interpolating polynomial (default: 5)",
    )
    order.add_argument(
        "--whole-pixel",
        dest="order",
        action="store_const",
        const=0,
        help="move by the nearest whole pixels: no value is changed",
    )
    group.add_argument(
        "--include",
        action="append",
        default=[],
        metavar="STATUS",
        help="use frames of this status too (ambiguous, at_limit, outlier, excluded); once for each",
    )


def add_running_flags(parser: ArgumentParser) -> None:
    """Add how it runs."""
    how = parser.add_argument_group("how it runs (never changes a result)")
    how.add_argument(
        "--workers", type=values.workers, metavar="N", help="frames moved at once (default: all cores)"
    )
    add_dask_flags(how)
    how.add_argument("--overwrite", action="store_true", help="replace OUT if it is there")
    how.add_argument("--no-progress", action="store_true", help="no progress bar")
    how.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.set_defaults(when_interrupted="the same command goes on where it was")


def opened_run(args: Namespace) -> Alignment:
    """Return the alignment that is named; the output must be a stack, and not where its frames are."""
    from maskreg.outputs import STACK_SUFFIXES
    from maskreg.series import open_run
    from maskreg.series.run_folder.inputs import kept_origin

    suffix_of(args.output, "a stack of images", *STACK_SUFFIXES)
    origin = kept_origin(Path(args.run_folder))
    ensure_apart(args.output, args.input or ([] if origin is None else origin.paths))
    return open_run(args.run_folder, args.input)


@contextmanager
def moving(args: Namespace) -> Iterator[dict[str, Any]]:
    """Yield how frames are moved, and how that runs, as keywords; a cluster is there until the end."""
    with cluster_of(args) as client:
        yield {
            "order": args.order,
            "include": args.include,
            "workers": args.workers,
            "client": client,
            "overwrite": args.overwrite,
            "progress": not args.no_progress and args.verbosity == 0,
        }


def told(args: Namespace, alignment: Alignment, done: str, by: str | None = None) -> int:
    """Print how many frames of the series were used, `done` saying for what, and return the exit code."""
    from maskreg.apply.aligned import Moving
    from maskreg.apply.groups import is_grouped

    moving = Moving(include=args.include)
    used = sum(moving.uses(row) and is_grouped(row, by) for row in alignment.table())
    summary = {"frames": alignment.total, "used": used, "output": args.output}
    print(json.dumps(summary) if args.json else f"{used} of {alignment.total} frames {done}: {args.output}")
    return exits.DONE if used == alignment.total else exits.FLAGGED
