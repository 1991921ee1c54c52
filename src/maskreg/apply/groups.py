"""Which frames are merged with each other: those that are used, and share a value of their metadata."""

from __future__ import annotations

from typing import Any

from maskreg.apply.aligned import AlignedFrames
from maskreg.errors import InputError
from maskreg.shifts import FrameRow


def grouped(aligned: AlignedFrames, by: str | None) -> list[tuple[Any, list[int]]]:
    """Return the groups of the frames that are used: their value, and positions in the table.

    Frames that have no such value belong to no group.

    Raises
    ------
    InputError
        When no frame is used, or none has metadata of this name.
    """
    used = [position for position, row in enumerate(aligned.table) if aligned.moving.uses(row)]
    if not used:
        raise InputError("no frame of the series is ok: there is nothing to merge; see the column status")
    if by is None:
        return [(None, used)]
    members: dict[Any, list[int]] = {}
    for position in used:
        row = aligned.table[position]
        if is_grouped(row, by):
            members.setdefault(row.metadata[by], []).append(position)
    if not members:
        known = dict.fromkeys(key for row in aligned.table for key in row.metadata if key != by)
        has = (
            f"there are {', '.join(known)}"
            if known
            else "--pattern or --metadata (pattern=, metadata=) of align tell them"
        )
        raise InputError(f"by is {by!r}, which no frame of the series has: {has}")
    return sorted(members.items(), key=lambda item: _ascending(item[0]))


def is_grouped(row: FrameRow, by: str | None) -> bool:
    """Return whether a frame is in a group: only frames without a value of the column `by` are in none.

    NaN, as a file has it where nothing is known, is no value, and equals none.
    """
    if by is None:
        return True
    value = row.metadata.get(by)
    return value is not None and value == value


def describe_groupless(aligned: AlignedFrames, by: str | None) -> str:
    """Return one line about frames that are used, and have no value of `by`; '' where there are none.

    Where none has one there is nothing to merge, which is an error of its own.
    """
    used = [row for row in aligned.table if aligned.moving.uses(row)]
    missing = sum(not is_grouped(row, by) for row in used)
    return f"{missing} of these have no '{by}', and are in no group" if 0 < missing < len(used) else ""


def describe_alone(aligned: AlignedFrames, by: str | None) -> str:
    """Return one line where no two frames share a value of `by`, so that nothing is averaged; else ''."""
    groups = [] if by is None else grouped(aligned, by)
    if len(groups) < 3 or any(len(members) > 1 for _, members in groups):
        return ""
    return (
        f"each of the {len(groups)} frames has a '{by}' of its own, so that nothing is averaged; "
        "if these are readings, round them first, in a table for --metadata"
    )


def _ascending(value: Any) -> tuple[bool, Any, str]:
    """Return what to sort values by: numbers by size, then text."""
    is_text = isinstance(value, str)
    return is_text, 0 if is_text else value, str(value)
