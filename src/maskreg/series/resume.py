"""What is left to do of a run: a decision over names, which touches no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from maskreg.errors import RunError
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

    Raises
    ------
    RunError
        When the record has frames that the series has not: it is another series.
    """
    gone = sorted(done.keys() - set(sources))
    if gone:
        others = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
        raise RunError(
            f"the run holds frames that are not in the input any more ({gone[0]}{others}); "
            "give the same input, another run folder, or --overwrite"
        )
    return [
        position
        for position, source in enumerate(sources)
        if done.get(source, Status.UNREADABLE) is Status.UNREADABLE
    ]
