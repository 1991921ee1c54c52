"""``maskreg info INPUT|RUN``: what is in a file, a folder of frames or a run folder."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from typing import Any

from maskreg.cli import exits
from maskreg.cli.flags.metadata import add_metadata_flags
from maskreg.errors import UsageError


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``info``."""
    parser.add_argument(
        "input", nargs="+", metavar="INPUT", help="files, a folder, a pattern in quotes, or a run"
    )
    add_metadata_flags(parser)
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(args: Namespace) -> int:
    """Print what is in the input."""
    from maskreg.series import is_run

    is_one_run = len(args.input) == 1 and is_run(args.input[0])
    if is_one_run and (args.pattern or args.metadata):
        raise UsageError(
            f"--pattern and --metadata are for frames; {args.input[0]} is a run, and has its columns"
        )
    lines, facts = _of_run(args.input[0]) if is_one_run else _of_frames(args)
    print(json.dumps(facts) if args.json else "\n".join(lines))
    return exits.DONE


def _of_frames(args: Namespace) -> tuple[list[str], dict[str, Any]]:
    from maskreg.frames import open_frames
    from maskreg.frames.source import metadata_of
    from maskreg.series.before.memory import predicted

    with open_frames(args.input, pattern=args.pattern, metadata=args.metadata) as source:
        last = len(source) - 1
        ends = [metadata_of(source, index) for index in (0, last)]
        memory = predicted(source)
        lines = [
            source.describe(),
            *([f"stored as: {source.layout()}"] if source.layout() else []),
            f"first: {source.name(0)}{_shown(ends[0])}",
            f"last: {source.name(last)}{_shown(ends[1])}",
            f"memory to align them, {memory.at_once} at once: at most {memory.megabytes:.0f} MB",
        ]
        facts = {
            "frames": len(source),
            "shape": list(source.shape),
            "dtype": str(source.dtype),
            "bytes": source.nbytes,
            "first": source.name(0),
            "last": source.name(last),
            "layout": source.layout(),
            "memory_mb": round(memory.megabytes),
            "metadata": list(dict.fromkeys(name for row in ends for name in row)),
        }
    return lines, facts


def _shown(metadata: dict[str, Any]) -> str:
    """Return the metadata of a frame behind its name."""
    return "".join(f", {name} {value}" for name, value in metadata.items())


def _of_run(folder: str) -> tuple[list[str], dict[str, Any]]:
    from maskreg.series.open_run import read_run, unfinished

    settings, table = read_run(folder)
    counts = {status.label: count for status, count in table.counts().items()}
    frames = "1 frame" if settings["frames"] == 1 else f"{settings['frames']} frames"
    lines = [f"a run of {frames}; done are {table.describe()}"]
    lines += filter(None, [unfinished(folder, settings, table)])
    lines += [f"  {name}: {_told(value)}" for name, value in settings.items()]
    return lines, {"done": len(table), "counts": counts, "settings": settings}


def _told(value: Any) -> str:
    if value is None:
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
