"""Frames that the user leaves out: a list in the run folder, honoured whenever its table is made.

``excluded.txt`` holds the index of a frame per line; what follows a ``#`` is a remark. It can be
edited by hand. The record keeps what was measured, so a frame that is taken off the list is as it
was before.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from maskreg.errors import InputError, RunError
from maskreg.outputs import atomic_write
from maskreg.registration import Status
from maskreg.shifts import FrameRow

EXCLUDED = "excluded.txt"

_HEAD = "# Frames to leave out, the index of one per line, counted from 0.\n"


def read_excluded(run: str | os.PathLike[str]) -> frozenset[int]:
    """Return the frames that are left out of a run, none when there is no list."""
    path = Path(run) / EXCLUDED
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return frozenset()
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path} cannot be read: {error}") from error
    return frozenset(_frames(lines, path))


def write_excluded(run: str | os.PathLike[str], frames: Iterable[int]) -> None:
    """Write the list of the frames that are left out; no frames, no list."""
    path = Path(run) / EXCLUDED
    indices = sorted(set(frames))
    if indices and indices[0] < 0:
        raise InputError(f"frames holds {indices[0]}; frames are counted from 0")
    if not indices:
        path.unlink(missing_ok=True)
        return
    with atomic_write(path) as stream:
        stream.write(_HEAD)
        stream.writelines(f"{index}\n" for index in indices)


def excluding(rows: Iterable[FrameRow], excluded: Collection[int]) -> Iterator[FrameRow]:
    """Yield the rows, those of excluded frames with that status.

    The reference stays what it is, and so does a frame without a shift: its own reason says more.
    """
    for row in rows:
        status = row.registration.status
        if row.frame in excluded and status.keeps_shift and status is not Status.REFERENCE:
            was = "" if status is Status.OK else f"was {status.label}"
            left_out = replace(row.registration, status=Status.EXCLUDED, detail=was)
            yield row._replace(registration=left_out)
        else:
            yield row


def _frames(lines: Iterable[str], path: Path) -> Iterator[int]:
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        if not (text.isascii() and text.isdigit()):
            raise RunError(f"{path}, line {number}: {text!r} is no index of a frame, such as 17")
        yield int(text)
