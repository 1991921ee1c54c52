"""Whether the images as they are correlate by more at another place, which is significant as well.

The search looks at detail, for broad light may stand still while the scene moves. What is small and sharp
then decides, as an object that has moved otherwise than the scene behind it. Broad light alone is significant
nowhere. So where a second place is, and all that the images show speaks for that one, none is sure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.prepared import Prepared
from maskreg.core.likelihood import likelihood
from maskreg.core.masked_side import MaskedSide
from maskreg.core.search.peak import AROUND, are_separate
from maskreg.core.search.search import LevelMap
from maskreg.geometry import nearest_lag

SURELY = 1.3
"""A second place is significant by so many times the line of chance."""

MOST_ASKED = 6
"""Places of a level, the likeliest."""


def outweighed_by(
    masked: MaskedSide, moving: Prepared, levels: Sequence[LevelMap], shift: NDArray[np.float64]
) -> tuple[int, ...] | None:
    """Return a place, px, that is significant and more likely than a given one by the images as they are.

    Parameters
    ----------
    masked : MaskedSide
    moving : Prepared
    levels : sequence of LevelMap
        Those that were searched.
    shift : (ndim,) ndarray
        The given place, px.

    Returns
    -------
    tuple of int or None
        The likeliest one; None if there is none.
    """
    places = {nearest_lag(place) for level in levels for place in _others(level, shift)}
    if not places:
        return None
    best = max(sorted(places), key=lambda lag: _likelihood(masked, moving, lag))
    return (
        best if _likelihood(masked, moving, best) > _likelihood(masked, moving, nearest_lag(shift)) else None
    )


def _others(level: LevelMap, shift: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Yield significant places, px, that a valley separates from a given one."""
    at = level.index_of(shift)
    for index in islice(level.maxima, MOST_ASKED):
        place = level.bin * np.array(level.lag(index), np.float64)
        far = np.abs(place - shift).max() > AROUND * level.bin
        if far and level.score[index] > SURELY * level.line and are_separate(level, at, index):
            yield place


def _likelihood(masked: MaskedSide, moving: Prepared, lag: tuple[int, ...]) -> float:
    sums = moving.sums_with(masked.side.image, lag)
    return float(likelihood(sums.ncc, sums.n))
