"""Errors, each naming the argument or file, the value and what to try."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_FULL = {getattr(errno, name, None) for name in ("ENOSPC", "EDQUOT", "EFBIG")} - {None}
"""The errors that tell of a full disk, or of a limit that has been reached."""


class MaskregError(Exception):
    """The base of every error that maskreg raises on purpose: one line, written for the user."""


class InputError(MaskregError, ValueError):
    """An argument cannot be used: which one, what it was, what to try."""


class InputTypeError(InputError, TypeError):
    """An argument has a type that holds no real-valued image (complex, object, text)."""


class InputIndexError(InputError, IndexError):
    """There is no frame of this number: which there are."""


class FlatReferenceError(InputError):
    """To this image nothing can be registered: its valid pixels have one value, or there is none."""


class UsageError(MaskregError):
    """The command line asks for something that makes no sense (exit code 2)."""


class FrameError(MaskregError):
    """One frame, or the file it should be in, cannot be read."""


class FrameShapeError(FrameError):
    """One frame can be read but has another shape than its series."""


class RunError(MaskregError):
    """A run folder cannot be written, continued or read."""


class OtherSettingsError(RunError):
    """A run folder holds a run that was made in another way."""


class MissingExtraError(MaskregError, ImportError):
    """An optional package is needed for this and is not installed: which, and the command that adds it."""


class ClusterError(MaskregError):
    """The workers of a cluster cannot be reached or used: which, and why."""


@contextmanager
def interrupts_as_such() -> Iterator[None]:
    """Let an interrupt be a `KeyboardInterrupt`, whatever was made of it.

    Python takes one that comes while compiled code hands over its result for a mistake of that code
    (`SystemError`), and one that comes while a class is made for a mistake of the class (`RuntimeError`).
    """
    try:
        yield
    except Exception as error:
        if (interrupt := _interrupt_in(error)) is None:
            raise
        raise interrupt from None


def _interrupt_in(error: Exception) -> KeyboardInterrupt | None:
    """Return the interrupt of which an error was made."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, KeyboardInterrupt):
        cause = cause.__cause__
    return cause


def first_of(names: Sequence[str], one: str = "", more: str = "") -> str:
    """Return the first of some names and how many more there are, with what is said behind one or more."""
    return f"{names[0]}{one}" if len(names) == 1 else f"{names[0]} and {len(names) - 1} more{more}"


def not_written(path: str | os.PathLike[str], error: Exception) -> RunError:
    """Return what to raise when a file or a database could not be written."""
    # of an array that was written in part NumPy tells no more than how much of it
    why = getattr(error, "strerror", None) or ("the disk is full" if _is_full(error) else error)
    return RunError(f"cannot write {os.fspath(path)}: {why}{advice_on(error)}")


def advice_on(error: Exception) -> str:
    """Return what to try when a file or a database cannot be used; a full disk, or a lost one, is no end."""
    if _is_full(error):
        return "; make room and give the same command again"
    if "disk I/O error" in str(error):
        return "; is the disk full, or the share lost? Mend it and give the same command again"
    if str(error).startswith(("unable to open database", "attempt to write a readonly")):
        return "; may you read it, and write in its folder?"
    return ""


def _is_full(error: Exception) -> bool:
    """Return whether what writing raised means that there is no more room."""
    # SQLite and NumPy tell it in words
    return getattr(error, "errno", None) in _FULL or str(error).endswith(("disk is full", " written"))
