"""Which of the places that were found is the right one, refined below the pixel, and its rival."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from maskreg.core.doubt.alike import BestTwo, best_two
from maskreg.core.doubt.among_periods import among_periods
from maskreg.core.doubt.broad import broad_likelihood
from maskreg.core.doubt.compare import height_doubt, likelihood_gap, matched_gap
from maskreg.core.doubt.explained import explained
from maskreg.core.doubt.told import DROWNED, told_place
from maskreg.core.doubt.whole_pixel import whole_pixel, worse_than_whole_pixel
from maskreg.core.image.prepared import Prepared
from maskreg.core.machine.memory import give_back_free_memory
from maskreg.core.masked_side import MaskedSide
from maskreg.core.place import place
from maskreg.core.search.peak import Candidate, Choice, choose
from maskreg.core.search.search import LevelMap
from maskreg.core.stage import Place
from maskreg.geometry import nearest_lag
from maskreg.registration import Rival

FIRST_ALIKE = 6
"""So many places that are alike, the likeliest, are compared first; more if the best leaves a doubt."""


def chosen(masked: MaskedSide, moving: Prepared, levels: list[LevelMap]) -> tuple[list[LevelMap], Choice]:
    """Return the levels that are believed, and their choice.

    Where noise drowns single pixels, they do not tell one period of a lattice from the next; the matched
    filter does, if a place stands out more there.
    """
    choice, finest = choose(levels), min(levels, key=lambda level: level.bin)
    if finest.matched:
        return levels, _by_height(masked, moving, finest, choice)
    if not choice.alike or finest.best is None or finest.ncc[finest.best] ** 2 > DROWNED:
        return levels, choice
    if finest.bin in masked.plan.fine:
        give_back_free_memory()
    faint = masked.search(finest.bin, faint=True)(moving)
    if not faint.margin > max(level.margin for level in levels):
        return levels, choice
    return [faint], _by_height(masked, moving, faint, choose([faint]))


def _by_height(masked: MaskedSide, moving: Prepared, faint: LevelMap, choice: Choice) -> Choice:
    """Return the choice between places of the same structure that the height of their peaks makes.

    Where chance may have made a lower one of the place, the broad part of the images has its say; what it
    prefers to the highest is no sure place.
    """
    if not choice.alike:
        return choice
    places = sorted([choice.winner, *choice.alike], key=lambda c: -faint.height(c.shift))
    heights = np.array([faint.height(c.shift) for c in places])
    reference, other = (image.level(faint.bin) for image in (masked.side.image, moving))
    broad = broad_likelihood(reference, other, [nearest_lag(c.shift / faint.bin) for c in places])
    best = int(np.argmax(broad - height_doubt(heights)))
    if best:
        return Choice(places[best], places[0], 0.0, [])
    first, second, *_ = places
    return Choice(first, second, max(0.0, matched_gap(faint, first.shift, second.shift)), [])


def decide(
    masked: MaskedSide,
    moving: Prepared,
    levels: list[LevelMap],
    choice: Choice,
    *,
    look: bool,
    more: Callable[[], bool],
) -> tuple[Place, Rival | None]:
    """Return the winning place below the pixel, and its rival.

    Places of the same structure as the winner, such as the periods of a lattice, are compared with
    it on common pixels, first at the level that found them, the best two then below the pixel if that
    leaves a doubt; any of them may win.
    """
    if not choice.alike:
        c = choice.winner
        rival = None if choice.rival is None else Rival(nearest_lag(choice.rival.shift), choice.gap)
        told = told_place(masked, moving, levels, c)
        winner = told or place(masked, moving, c.bin, c.shift, look=look)
        if worse_than_whole_pixel(winner):
            winner = whole_pixel(masked, moving, c.bin, c.shift) or winner
        # where noise drowns single pixels, these do not tell one period from the next
        faint = told is not None or levels[0].matched
        return (winner, rival) if faint else among_periods(masked, moving, winner, rival)
    contenders = [choice.winner, *choice.alike]
    if len(contenders) > FIRST_ALIKE:
        found = _of_alike(masked, moving, contenders[:FIRST_ALIKE], look=look, more=lambda: True)
        if not found[0].unexplained:
            return found
    return _of_alike(masked, moving, contenders, look=look, more=lambda: look or more())


def _of_alike(
    masked: MaskedSide,
    moving: Prepared,
    contenders: list[Candidate],
    *,
    look: bool,
    more: Callable[[], bool],
) -> tuple[Place, Rival | None]:
    """Return the most likely of places of the same structure, below the pixel, and its rival.

    Where one cannot be refined, wider low-passes are tried last: their templates are made for it alone, and a
    wrong place mostly has more to follow.
    """
    found = best_two(masked, moving, contenders, look=look)
    best, rival, refined = _better(masked, moving, found, look=look, wider=False)
    if refined or (best.unexplained and more()):
        return best, rival
    return _better(masked, moving, found, look=look, wider=True)[:2]


def _better(
    masked: MaskedSide, moving: Prepared, found: BestTwo, *, look: bool, wider: bool
) -> tuple[Place, Rival | None, bool]:
    """Return the better of two places below the pixel, its rival, and whether those needed are refined."""
    c = found.first
    winner = place(masked, moving, c.bin, c.shift, look=look, known=found.winner, wider=wider)
    refined, other, gap = winner.refined, found.rival, found.gap
    if not found.settled:
        other = place(masked, moving, found.second.bin, found.second.shift, look=look, wider=wider)
        refined = refined and other.refined
        b = max(winner.bin, other.bin)
        finer = likelihood_gap(masked, moving, b, winner, other)
        if finer is not None and np.abs(winner.shift - other.shift).max() > 2 * b:
            winner, other, gap = (winner, other, finer) if finer >= 0 else (other, winner, -finer)
    second = Rival(nearest_lag(other.shift), float(gap))
    best, rival = among_periods(masked, moving, winner, second, found.beaten)
    if best is not winner and best.bin > masked.stages(found.first.bin, look=look)[-1][0]:
        # finer stages did not follow to the period that was left; to this one they may
        best = place(masked, moving, best.bin, best.shift, look=look, wider=wider)
    return replace(best, unexplained=not explained(masked, moving, best.shift)), rival, refined
