"""What is left to do of a run: decisions over names, which touch no file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from maskreg.errors import RunError, first_of
from maskreg.registration import Status


def what_is_missing(sources: Sequence[str], done: Mapping[str, Status]) -> list[int]:
    """Return the positions in `sources` of the frames that have to be registered, in order.

    Parameters
    ----------
    sources : sequence of str
        The frames of the series as it is now.
    done : mapping of str to Status
        The frames in the record, and what became of them.

    Returns
    -------
    positions : list of int
        Frames that are not in the record (a series may grow), and those that could not be read:
        a share that was lost, or a copy that was under way, may have come back since.
    """
    return [
        position
        for position, source in enumerate(sources)
        if done.get(source, Status.UNREADABLE) is Status.UNREADABLE
    ]


def with_lost(sources: Sequence[str], done: Iterable[str]) -> list[str]:
    """Return the names of all frames in the order of the series, those that are not there any more too.

    Who clears a disk while a series grows wants the rows that are done to stay. A frame that is gone
    keeps its place behind the one that was before it.

    Parameters
    ----------
    sources : sequence of str
        The frames of the series as it is now.
    done : iterable of str
        The frames in the record, in their order.

    """
    there = set(sources)
    first: list[str] = []
    behind: dict[str, list[str]] = {}
    place = first
    for name in done:
        if name in there:
            place = behind.setdefault(name, [])
        else:
            place.append(name)
    return first + [name for source in sources for name in (source, *behind.get(source, ()))]


def ensure_same_series(sources: Sequence[str], done: Collection[str]) -> None:
    """Raise `RunError` when none of the frames in a record is there any more: it is another series."""
    if done and set(sources).isdisjoint(done):
        raise RunError(
            f"the run holds frames of which none is in the input ({first_of(list(done))}); "
            "give the same input, another run folder, or --overwrite"
        )
