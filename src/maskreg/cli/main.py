"""From arguments to an exit code; errors become one line on stderr."""

from __future__ import annotations

import os
import re
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from maskreg.cli import exits, streams
from maskreg.cli.parser import parse
from maskreg.errors import MaskregError, UsageError

NOTHING_YET = "nothing was begun yet"

_HOME = re.compile(r"(--[\w-]+=|)(~[\\/].*)", re.DOTALL)
"""A word that is, or brings, a path in the home folder."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = [_at_home(word) for word in (sys.argv[1:] if argv is None else argv)]
    streams.print_any_name()
    try:
        return _run(parse(arguments))
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except Exception as error:
        # the pipe to a worker, or to a cluster, may break as well: that is an error like any other
        if isinstance(error, BrokenPipeError) and streams.is_reader_gone():
            streams.lead_stdout_nowhere()
            return exits.UNREAD
        if "--debug" in arguments:
            raise
        streams.complain(f"maskreg: error: {_one_line(error)}")
        return exits.USAGE if isinstance(error, UsageError) else exits.FAILED


def _at_home(word: str) -> str:
    """Return a word with ``~/`` as the home folder, which a shell leaves in quotes and behind ``--output=``.

    Else a run would go into a folder that is called ``~``, which nobody dares to remove.
    """
    found = _HOME.fullmatch(word)
    return word if found is None else found[1] + os.path.expanduser(found[2])  # noqa: PTH111


def _run(args: Namespace) -> int:
    from maskreg.cli.interrupts import interruptible
    from maskreg.cli.messages import send_to_stderr

    def farewell() -> str:
        return f"maskreg: interrupted; {args.when_interrupted if args.is_begun(args) else NOTHING_YET}"

    with send_to_stderr(args.verbosity):
        try:
            with interruptible(farewell):
                code: int = args.run(args)
        except KeyboardInterrupt:
            streams.complain(farewell())
            raise
    sys.stdout.flush()  # a closed pipe must show here, not when the interpreter ends
    return code


def script() -> NoReturn:
    """Run the command line as a program of its own."""
    streams.open_what_is_closed()
    code = main()
    if code == exits.INTERRUPTED:
        # threads may still be busy with a frame; the interpreter's own end would pull the ground from
        # under them, or wait
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, MaskregError):
        return text
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        return "there is not enough memory for this"
    return f"{type(error).__name__}: {text} (this is a bug in maskreg; --debug shows where)"
