"""Whether fine structure is at another place than the one that broad structure chose.

Places that are alike, as the periods of a lattice, are compared with all that the images show. A bright
background that has moved otherwise than the lattice then has its say as well: it favours the period that is
nearest to its own place. Such a place leaves structure unexplained; and the search, which takes off what is
broad (`image.detail`), met a better one at the levels that show the lattice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from maskreg.core.doubt.compare import AMBIGUOUS
from maskreg.core.search.peak import AROUND
from maskreg.core.search.search import LevelMap


def better_in_detail(levels: Sequence[LevelMap], shift: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the place, px, that stands out most above a given one; None if it is at that one, or by chance.

    Parameters
    ----------
    levels : sequence of LevelMap
        Those that show nearly all of the structure.
    shift : (ndim,) ndarray
        Px.
    """
    found, most = None, AMBIGUOUS
    for level in levels:
        if level.best is None:
            continue
        there = level.bin * np.array(level.lag(level.best), np.float64)
        if np.abs(there - shift).max() <= AROUND * level.bin:
            continue
        ahead = (float(level.score[level.best]) ** 2 - max(0.0, level.near(shift, AROUND)) ** 2) / 2
        if ahead > most:
            found, most = there, ahead
    return found
