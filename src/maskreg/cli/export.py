"""``maskreg export RUN -o TABLE``: the table of a run as CSV or JSON."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from maskreg.cli import exits
from maskreg.errors import UsageError


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``export``."""
    parser.add_argument("run_folder", metavar="RUN", help="a run folder, as align makes it")
    parser.add_argument(
        "-o", "--output", metavar="TABLE", help="TABLE.csv or TABLE.json (default: CSV on stdout)"
    )
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def run(args: Namespace) -> int:
    """Write the table."""
    import json

    from maskreg.series import open_run

    suffix = Path(args.output).suffix.lower() if args.output else ""
    if args.output and suffix not in (".csv", ".json"):
        raise UsageError(f"{args.output}: a table is written as .csv or .json, not '{suffix}'")
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
