"""From arguments to an exit code; errors become one line on stderr."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from io import TextIOWrapper
from typing import NoReturn

from maskreg.cli import exits
from maskreg.cli.parser import parse
from maskreg.errors import MaskregError, UsageError

NOTHING_YET = "nothing was begun yet"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _print_any_name()
    try:
        return _run(parse(arguments))
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        return _leave_quietly()
    except Exception as error:
        if "--debug" in arguments:
            raise
        print(f"maskreg: error: {_one_line(error)}", file=sys.stderr)
        return exits.USAGE if isinstance(error, UsageError) else exits.FAILED


def _print_any_name() -> None:
    """Let stdout escape what it cannot encode, as stderr does: a file may have any bytes for a name."""
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _run(args: Namespace) -> int:
    from maskreg.cli.interrupts import interruptible
    from maskreg.cli.messages import send_to_stderr

    def farewell() -> str:
        return f"maskreg: interrupted; {args.when_interrupted if args.is_begun(args) else NOTHING_YET}"

    with send_to_stderr(args.verbosity), interruptible(farewell):
        try:
            code: int = args.run(args)
        except KeyboardInterrupt:
            print(farewell(), file=sys.stderr)
            raise
    sys.stdout.flush()  # a closed pipe must show here, not when the interpreter ends
    return code


def script() -> NoReturn:
    """Run the command line as a program of its own."""
    code = main()
    if code == exits.INTERRUPTED:
        # threads may still be busy with a frame; the interpreter's own end would pull the ground from
        # under them, or wait
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _leave_quietly() -> int:
    """End without a word when whoever read our output has gone (``maskreg info X | head``)."""
    # the interpreter flushes stdout once more at its end; let that go nowhere
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return exits.FAILED


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, MaskregError):
        return text
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        return "there is not enough memory for this"
    return f"{type(error).__name__}: {text} (this is a bug in maskreg; --debug shows where)"
