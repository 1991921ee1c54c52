"""Work that one process of a machine does at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a lock that other processes on this machine know by its file, for as long as the block takes.

    It ends with the process, whatever ends that; the file stays. Where files cannot be made or locked, as on
    some file systems, everybody may go on.

    Parameters
    ----------
    path : Path
        Of the file, whose folder is made if need be.
    wait : bool
        For whoever holds it; else the block is told that this process does not.

    Yields
    ------
    bool
        Whether nobody else holds it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:
        yield True
        return
    try:
        yield _is_held(file, wait)
    finally:
        os.close(file)


def _is_held(file: int, wait: bool) -> bool:
    """Lock a file and return whether nobody else has."""
    import fcntl  # not on Windows

    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:  # not here
        pass
    return True
