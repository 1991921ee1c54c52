"""Frames that the user leaves out: a list in the run folder, honoured whenever its table is made.

``excluded.txt`` names a frame per line, as the column ``source`` of the table does (a series may grow,
and its frames have other numbers then); a line that begins with ``# `` is a remark. It can be edited by
hand. The record keeps what was measured, so a frame that is taken off the list is as it was before.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from maskreg.errors import RunError
from maskreg.outputs import atomic_write
from maskreg.registration import Status
from maskreg.shifts import FrameRow

EXCLUDED = "excluded.txt"

_REMARK = "# "
_HEAD = f"{_REMARK}Frames to leave out, one per line, as the column source of shifts.csv has them.\n"


def read_excluded(run: str | os.PathLike[str]) -> frozenset[str]:
    """Return the names of the frames that are left out of a run, none when there is no list."""
    path = Path(run) / EXCLUDED
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return frozenset()
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path} cannot be read: {error}") from error
    return frozenset(line for line in lines if line.strip() and not line.startswith(_REMARK))


def write_excluded(run: str | os.PathLike[str], sources: Iterable[str]) -> None:
    """Write the list of the frames that are left out, by their names; no frames, no list."""
    path = Path(run) / EXCLUDED
    names = sorted(set(sources))
    if not names:
        path.unlink(missing_ok=True)
        return
    with atomic_write(path) as stream:
        stream.write(_HEAD)
        stream.writelines(f"{name}\n" for name in names)


def unknown(excluded: Collection[str], rows: Iterable[FrameRow]) -> list[str]:
    """Return what is on the list and no frame of the run: slips of the pen."""
    return sorted(set(excluded) - {row.source for row in rows})


def excluding(rows: Iterable[FrameRow], excluded: Collection[str]) -> Iterator[FrameRow]:
    """Yield the rows, those of excluded frames with that status.

    The reference stays what it is, and so does a frame without a shift: its own reason says more.
    """
    for row in rows:
        status = row.registration.status
        if row.source in excluded and status.keeps_shift and status is not Status.REFERENCE:
            was = "" if status is Status.OK else f"was {status.label}"
            left_out = replace(row.registration, status=Status.EXCLUDED, detail=was)
            yield row._replace(registration=left_out)
        else:
            yield row
