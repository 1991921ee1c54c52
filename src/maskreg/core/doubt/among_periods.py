"""Which of the periods of a pattern a place is: the most likely one, on common pixels.

What tells the periods apart, an envelope or a border, is broad: the search finds it on its coarse levels,
too coarse for short periods, and the refinement goes to the one that is nearest. So a place is compared with
those next to it, below the pixel, and moves on as long as one of these is surely more likely.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from maskreg.core.corrected import corrected
from maskreg.core.doubt.compare import AMBIGUOUS, hopeless_gap, likelihood_gap, resolved
from maskreg.core.image.prepared import Prepared
from maskreg.core.masked_side import MaskedSide
from maskreg.core.place import Beginning
from maskreg.core.stage import Place, another
from maskreg.geometry import nearest_lag
from maskreg.registration import Rival


def among_periods(
    masked: MaskedSide,
    moving: Prepared,
    place: Place,
    rival: Rival | None,
    beaten: Sequence[Place | Beginning] = (),
) -> tuple[Place, Rival | None]:
    """Return the likeliest of a refined place and those a period away, one after the other, and its rival.

    As it is where the reference has no periods.

    Parameters
    ----------
    masked : MaskedSide
    moving : Prepared
    place : Place
        That the last stage has refined.
    rival : Rival or None
        What is known already to be second best.
    beaten : sequence of Place or Beginning
        Known to be worse: not compared again.
    """
    if not place.refined:
        return place, rival
    b, best = place.bin, place
    second, least = None, math.inf
    hopeless: list[tuple[float, NDArray[np.float64]]] = []
    lost = {nearest_lag(worse.shift / b) for worse in beaten}
    left = _around(masked, best)
    while left:
        lag, step = left.pop(0)
        if _near(lag, lost):
            continue
        lost.add(lag)
        at_least = _hopeless(masked, moving, best, step)
        if at_least is not None:
            hopeless.append((at_least, step))
            continue
        found = _compared(masked, moving, best, step)
        if found is None:
            continue
        other, gap = found
        if gap < 0:
            lost.add(nearest_lag(best.shift / b))
            best, other, gap, least = other, best, -gap, math.inf
            hopeless, left = [], _around(masked, best)
        if gap < least:
            second, least = other, gap
    if best is not place:
        rival = None
    known = least if rival is None else min(least, rival.gap)
    bound, step = min(hopeless, key=itemgetter(0), default=(math.inf, np.zeros(0)))
    if bound < known:  # of the hopeless ones the best alone is worth what its gap costs: it may be the rival
        found = _compared(masked, moving, best, step)
        if found is not None and found[1] < least:
            second, least = found
    if second is not None and (rival is None or least < rival.gap):
        rival = Rival(nearest_lag(second.shift), least)
    return (place if best is place else corrected(masked, moving, best)), rival


def _hopeless(masked: MaskedSide, moving: Prepared, best: Place, step: NDArray[np.float64]) -> float | None:
    """Return by how much `best` is at least likelier than the place a step away, if that is hopeless."""
    b = 2 * best.bin if _told_above(masked, best) else best.bin
    return hopeless_gap(masked, moving, best, Beginning(best.shift + step, b, 0.0))


def _told_above(masked: MaskedSide, best: Place) -> bool:
    """Whether the level above that of a place may tell periods, for a quarter of the cost."""
    b = 2 * best.bin
    return b <= masked.plan.start and masked.side.shows_nearly_all(masked.plan, b)


def _compared(
    masked: MaskedSide, moving: Prepared, best: Place, step: NDArray[np.float64]
) -> tuple[Place, float] | None:
    """Return the place a step away, if there is one, and how much likelier `best` is than that.

    As they are at the level above if that tells it to be surely worse.
    """
    if _told_above(masked, best):
        b = 2 * best.bin
        found = _compared_at(masked, moving, replace(best, bin=b, gaussian=None), step)
        if found is not None and found[1] >= AMBIGUOUS and resolved(found[0].shift - best.shift, b):
            return found
    return _compared_at(masked, moving, best, step)


def _compared_at(
    masked: MaskedSide, moving: Prepared, best: Place, step: NDArray[np.float64]
) -> tuple[Place, float] | None:
    """Return what `_compared` does, at the level of a place."""
    other = another(masked, moving, best, step)
    gap = None if other is None else likelihood_gap(masked, moving, best.bin, best, other)
    return None if other is None or gap is None else (other, gap)


def _near(lag: tuple[int, ...], lost: set[tuple[int, ...]]) -> bool:
    """Whether a lag is next to one that has lost: a period is known to a pixel only."""
    return any(all(abs(i - k) <= 1 for i, k in zip(lag, other, strict=True)) for other in lost)


def _around(masked: MaskedSide, place: Place) -> list[tuple[tuple[int, ...], NDArray[np.float64]]]:
    """Return the lags of a place's level that are one period away and searched, and the steps to them, px."""
    b, limits = place.bin, masked.side.options.limits(len(place.shift))
    steps = [b * period for period in masked.side.periods(b, place.gaussian)]
    inside = steps if limits is None else [s for s in steps if (np.abs(place.shift + s) <= limits).all()]
    return [(nearest_lag((place.shift + step) / b), step) for step in inside]
