"""From arguments to an exit code; errors become one line on stderr."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from maskreg.cli import exits
from maskreg.cli.parser import parse
from maskreg.errors import MaskregError, UsageError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
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


def _run(args: Namespace) -> int:
    from maskreg.cli.messages import send_to_stderr

    with send_to_stderr(args.verbosity), _terminated_as_interrupted():
        try:
            code: int = args.run(args)
        except KeyboardInterrupt:
            print(f"maskreg: interrupted; {args.when_interrupted}", file=sys.stderr)
            raise
    sys.stdout.flush()  # a closed pipe must show here, not when the interpreter ends
    return code


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM end the program as Ctrl-C does: in order, with what is done kept."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what signals do
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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
