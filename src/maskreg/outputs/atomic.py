"""Nothing half-written has a final name: write ``NAME.part``, force it to the disk, then rename."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO

from maskreg.errors import not_written


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """Open a text file (UTF-8, line ends as given) that gets its name when the block has succeeded.

    When the block fails, `path` holds what it held before.
    """
    with atomic_write_bytes(path) as stream:
        text = TextIOWrapper(stream, encoding="utf-8", newline="")
        yield text
        text.detach()  # what it still holds is written, the stream stays open


@contextmanager
def atomic_write_bytes(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file of bytes that gets its name when the block has succeeded."""
    path = Path(path)
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise not_written(path, error) from error
    finally:
        part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Force the rename itself to the disk, where folders can be opened (not on Windows)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
