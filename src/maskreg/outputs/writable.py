"""Whether something can be written is found out before the work for it, which may take hours.

Permissions alone do not tell: a file system may be read-only, full, or gone. So it is tried, and nothing
of that is left behind.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path

from maskreg.errors import RunError, advice_on, not_written

TRIED_BYTES = 2**16
"""So much is written: what fits into a folder's own entry has room on a full disk."""


def ensure_file_writable(path: str | os.PathLike[str]) -> None:
    """Raise `RunError` unless a file of this name can be written, in a folder that is there."""
    path = Path(path)
    folder = path.absolute().parent
    if not folder.is_dir():
        raise RunError(f"cannot write {path}: there is no folder {folder}")
    try:
        _ensure_a_file(path)
        _try(folder)
    except OSError as error:
        raise not_written(path, error) from error


def ensure_folder_writable(
    folder: str | os.PathLike[str], *, files: Iterable[str] = (), folders: Iterable[str] = ()
) -> None:
    """Raise `RunError` unless a folder can be written in, or made, with these files and folders in it."""
    folder = Path(folder)
    try:
        with _made(folder):
            _try(folder)
            for name in files:
                _ensure_a_file(folder / name)
            for name in folders:
                if (folder / name).exists():
                    _try(folder / name)
    except OSError as error:
        where = error.filename if isinstance(error, _InTheWayError) else folder
        link = "; or" if advice_on(error) else ";"
        raise RunError(f"{not_written(where, error)}{link} take another folder") from error


class _InTheWayError(OSError):
    """What has the name is something else, or may not be written."""


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make a folder, and those around it, where they are not there; they are gone afterwards."""
    made: list[Path] = []
    try:
        for part in reversed(list(takewhile(lambda part: not part.is_dir(), (folder, *folder.parents)))):
            if part.exists():
                raise _InTheWayError(errno.ENOTDIR, "it is a file, no folder", part)
            part.mkdir()
            made.append(part)
        yield
    finally:
        for part in reversed(made):
            with suppress(OSError):  # somebody has put something into it meanwhile
                part.rmdir()


def _ensure_a_file(path: Path) -> None:
    """Raise unless there is a file that may be written, or nothing."""
    if path.is_dir():
        raise _InTheWayError(errno.EISDIR, "it is a folder, no file", path)
    if path.exists() and not os.access(path, os.W_OK):
        raise _InTheWayError(errno.EACCES, os.strerror(errno.EACCES), path)


def _try(folder: Path) -> None:
    """Write a file that has no name."""
    if not folder.is_dir():
        raise _InTheWayError(errno.ENOTDIR, "it is a file, no folder", folder)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(TRIED_BYTES))
        file.flush()
        os.fsync(file.fileno())
