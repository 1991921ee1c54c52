"""``maskreg export RUN -o TABLE``: the table of a run as CSV or JSON."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from maskreg.cli import exits
from maskreg.cli.output_file import free, suffix_of
from maskreg.errors import UsageError


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``export``."""
    parser.add_argument("run_folder", metavar="RUN", help="a run folder, as align makes it")
    parser.add_argument(
        "-o", "--output", metavar="TABLE", help="TABLE.csv or TABLE.json (default: CSV on stdout)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace TABLE if it is there")
    parser.add_argument("--json", action="store_true", help="JSON on stdout, without -o")


def run(args: Namespace) -> int:
    """Write the table."""
    if args.output and args.json:
        raise UsageError("--json prints the table; in a file its suffix says so: -o TABLE.json")

    import json

    from maskreg.series import open_run

    suffix = ""
    if args.output:
        suffix = suffix_of(args.output, "a table", ".csv", ".json")
        free(args.output, args.overwrite)
    alignment = open_run(args.run_folder)
    if suffix == ".csv":
        alignment.to_csv(args.output)
    elif suffix == ".json":
        alignment.to_json(args.output)
    elif args.json:
        print(json.dumps(alignment.table().to_dicts(), allow_nan=False))
    else:
        alignment.table().to_csv(sys.stdout)
    if args.output:
        print(f"table: {args.output}")
    return exits.DONE
