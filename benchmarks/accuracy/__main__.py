"""The command: ``python -m benchmarks.accuracy [PART ...]``."""

from __future__ import annotations

import argparse
import sys
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.machine import describe, limit_threads

DOCS = Path(__file__).resolve().parents[2] / "docs"


def main() -> None:
    args = _arguments()
    limit_threads(1)
    from benchmarks.accuracy import parts
    from benchmarks.accuracy.report import Report

    peers = parts.PEER_PACKAGES if "peers" in args.part else ()
    machine = describe("maskreg", "numpy", "scipy", "numba", *peers)
    how = f"--pairs {args.pairs} --seed {args.seed}; {machine.splitlines()[-1]}."
    report = Report(args.output, DOCS / "explanation" / "accuracy.md" if args.docs else None, how)
    print(machine)
    for part in args.part:
        parts.PARTS[part](args, report)
    if args.check and report.exceeded:
        sys.exit("\n".join(["", f"{len(report.exceeded)} limits are exceeded:", *report.exceeded]))


def _arguments() -> argparse.Namespace:
    choices = ("pairs", "noise-free", "thinning", "laboratory", "lines", "search", "peers")
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description="How far from the truth, against how far any tool must be.",
    )
    parser.add_argument(
        "part", nargs="*", metavar="PART", help=f"{', '.join(choices)}; by default all but peers"
    )
    parser.add_argument("--pairs", type=int, default=100, metavar="N", help="pairs of each kind (100)")
    parser.add_argument(
        "--cells", default="*", metavar="PATTERN", help="cells or situations: 'rings-*', '*background*'"
    )
    parser.add_argument("--seed", type=int, default=0, help="another one draws other pairs (0)")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes (2)")
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="keep the outcomes of pairs, search and peers there; what is there is not measured again",
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="write the tables as CSV")
    parser.add_argument(
        "--images",
        type=Path,
        default=DOCS / "images",
        metavar="FOLDER",
        help="for the plots of peers (docs/images)",
    )
    parser.add_argument(
        "--docs", action="store_true", help="put the tables into docs/explanation/accuracy.md"
    )
    parser.add_argument("--check", action="store_true", help="fail if a limit is exceeded")
    args = parser.parse_args()
    for part in args.part:
        if part not in choices:
            parser.error(f"there is no part {part!r}; the parts are {', '.join(choices)}")
    if args.pairs < 2 or args.workers < 1:
        parser.error("--pairs must be 2 or more, --workers 1 or more")
    args.part = args.part or list(choices[:-1])
    from benchmarks.accuracy.cells import CELLS

    if {"pairs", "search", "peers"} & set(args.part) and not any(fnmatch(c.name, args.cells) for c in CELLS):
        parser.error(f"no cell is like {args.cells!r}; there are {', '.join(c.name for c in CELLS)}")
    return args


if __name__ == "__main__":
    main()
