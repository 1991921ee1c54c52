"""One moving image's way to its registration: search, choose, place, judge."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskreg.core.corrected import MORE_THAN_NOISE
from maskreg.core.decide import chosen, decide
from maskreg.core.doubt.by_edges import may_be_of_edges
from maskreg.core.doubt.contested import better_in_detail
from maskreg.core.doubt.one_pixel import one_pixel_made
from maskreg.core.doubt.outweighed import outweighed_by
from maskreg.core.image.prepared import Prepared
from maskreg.core.judge import contested, hides, judge, not_significant, undecided, why_forbidden
from maskreg.core.levels import SURE, add_finer, confirmed, finer_levels, look, may_miss, search
from maskreg.core.machine.room import Room
from maskreg.core.masked_side import MaskedSide
from maskreg.core.search.peak import AROUND, Choice, choose, most_significant
from maskreg.core.search.search import LevelMap
from maskreg.core.stage import Place
from maskreg.core.standing.held import PATTERN, is_held
from maskreg.core.standing.single_pixels import tells_beside
from maskreg.core.uncertainty.few_electrons import are_few, longer
from maskreg.geometry import nearest_lag
from maskreg.registration import Registration, Rival, Status

ELSEWHERE = 1 / 21
"""A match of few electrons that is elsewhere with a greater probability (odds 20 to 1) is not ok."""


def registered_in_its_room(masked: MaskedSide, moving: Prepared) -> Registration:
    """Return the registration of an image while it has its room."""
    with masked.room() as room:
        moving.room = room
        found = _of_few_electrons(masked, moving, _registered(masked, moving, room))
        if room.alone:
            moving.forget()
            masked.side.remember()  # now, for the frames that wait for this one take memory of their own
        return found


def _registered(masked: MaskedSide, moving: Prepared, room: Room) -> Registration:
    """Return the registration: by a first look, or where these are not enough by all levels."""
    side = masked.side
    looked: list[LevelMap] = []
    for b in masked.looks:
        level, choice = look(masked, moving, b)
        looked.append(level)
        if choice is None:
            continue
        found, winner = _judged(masked, moving, [level], choice, look=True)
        if (
            found.ok
            and not winner.contradicted
            and confirmed(masked, found, winner, b, alike=bool(choice.alike))
        ):
            side.counted.look(enough=True)
            return found
        if choice.alike:
            break  # finer looks would meet the same places, and compare them again
    if masked.plan.looks:
        side.counted.look(enough=False)
    levels = search(masked, moving, room, looked)
    if max(level.margin for level in levels) < SURE:
        return _faintly(masked, moving, levels, room)

    def finer() -> bool:
        return may_miss(masked, levels) and bool(finer_levels(masked, moving, room, levels))

    found, chosen_place = _searched(masked, moving, levels, finer)
    # the right one may be missing among places that are alike: a level of pixels larger than the spots of a
    # crystal shows it half as well as those that happen to fall on its pixels
    while chosen_place is not None and chosen_place.unexplained and may_miss(masked, levels):
        if not add_finer(masked, moving, room, levels):
            break
        found, chosen_place = _searched(masked, moving, levels, finer)
    return found if chosen_place is None else _unless_contested(masked, levels, found, chosen_place)


def _unless_contested(
    masked: MaskedSide, levels: list[LevelMap], found: Registration, winner: Place
) -> Registration:
    """Return a registration as it is, unless its place leaves structure unexplained that is elsewhere."""
    if not (found.ok and winner.unexplained):
        return found
    fine = [level for level in levels if masked.side.shows_nearly_all(masked.plan, level.bin)]
    elsewhere = better_in_detail(fine, winner.shift)
    if elsewhere is None:
        return found
    return contested(
        found, nearest_lag(elsewhere), "broad and fine structure moved otherwise: the fine one by"
    )


def _of_few_electrons(masked: MaskedSide, moving: Prepared, found: Registration) -> Registration:
    """Return a registration as it is, unless few electrons make it; then with what these leave open."""
    b = masked.looks[0] if masked.looks else masked.plan.coarse_first[0]
    if not found.ok or not (masked.side.few(b) or are_few(moving, b)):
        return found
    other = masked.electrons()(moving, found.shift)
    found = replace(found, covariance=longer(found.covariance, other.covariance))
    if other.chance > ELSEWHERE:
        said = f"few electrons meet: {100 * other.chance:.0f} % that it is elsewhere, as at"
        return contested(found, other.lag, said, other.gap)
    open_ = undecided(found.covariance)
    return found if open_ is None else replace(found, status=Status.AMBIGUOUS, detail=open_)


def _faintly(masked: MaskedSide, moving: Prepared, levels: list[LevelMap], room: Room) -> Registration:
    """Return the registration of an image that no level is sure of.

    By a matched filter at the finest of them, if a place stands out more there: noise may drown pixels.
    """
    finest, margin = min(level.bin for level in levels), max(level.margin for level in levels)
    known = _by_chance_alone(levels, moving.mask.ndim)
    if known is not None:
        levels.clear()  # what their maps take is needed
    room.give_back()
    faint = masked.search(finest, faint=True)(moving)
    if faint.margin > margin:
        return _searched(masked, moving, [faint])[0]
    return _searched(masked, moving, levels)[0] if known is None else known


def _by_chance_alone(levels: list[LevelMap], ndim: int) -> Registration | None:
    """Return the registration that levels without a significant place lead to; None if there is one."""
    if all(level.best is None for level in levels):
        return None
    choice = choose(levels)
    return _chance_alone(levels, choice, ndim) if _hopeless(levels, choice) else None


def _searched(
    masked: MaskedSide, moving: Prepared, levels: list[LevelMap], more: Callable[[], bool] = lambda: False
) -> tuple[Registration, Place | None]:
    """Return the registration that searched levels lead to, and its place if there is one.

    `more` says whether other levels are searched if the place is unexplained.
    """
    if all(level.best is None for level in levels):
        if any(level.searched.any() for level in levels):
            failed = Status.WEAK, moving.mask.ndim, "the images correlate at no shift that was searched"
        else:
            failed = Status.NO_OVERLAP, moving.mask.ndim, why_forbidden(levels)
        return Registration.failed(*failed), None
    levels, choice = chosen(masked, moving, levels)
    if _hopeless(levels, choice):
        return _chance_alone(levels, choice, moving.mask.ndim), None
    return _judged(masked, moving, levels, choice, more=more)


def _judged(
    masked: MaskedSide,
    moving: Prepared,
    levels: list[LevelMap],
    choice: Choice,
    *,
    look: bool = False,
    more: Callable[[], bool] = lambda: False,
) -> tuple[Registration, Place]:
    """Return the registration of the chosen place, and that place; a first `look` may have found it.

    What is unexplained and has `more` to follow is good for nothing else.
    """
    side, ndim = masked.side, moving.mask.ndim
    winner, rival = decide(masked, moving, levels, choice, look=look, more=more)
    shift, covariance = winner.shift, winner.covariance
    moving.patterned = winner.beside > PATTERN
    moving.unlike = winner.beside > PATTERN if winner.beside < math.inf else winner.noise > MORE_THAN_NOISE
    moving.pulled_to = winner.pulled_to
    moving.spread = not is_held(shift) or any(tells_beside(level) for level in levels)
    level = most_significant(levels, shift)
    # along what the pattern does not tell, noise moves a place off its peak
    significance = level.near(shift, AROUND if winner.blind.size else 0)
    # after a search of many pixels there is no memory for another reference
    scarce = any(searched.bin in masked.plan.fine for searched in levels)
    shaded = winner.shaded or hides(winner, significance, level.line)
    moving.shaded = shaded and masked.shows_shading and not scarce
    status, detail = judge(side, winner, rival, significance, level.line)
    if status.keeps_shift and one_pixel_made(masked, moving, level, shift):
        status, detail = Status.WEAK, "a single pixel makes the match; mask it if it is hot"
    if not status.keeps_shift:
        failed = Registration.failed(status, ndim, detail)
        return replace(failed, significance=significance, rival=rival), winner
    score, overlap = score_and_overlap(masked, moving, shift)
    if not side.options.subpixel:
        shift, covariance = np.rint(shift), covariance + np.eye(ndim) / 12
    # + 0.0 turns -0.0 into 0.0
    found = Registration(shift + 0.0, covariance, score, significance, overlap, rival, status, detail)
    found = _unless_of_edges(masked, moving, level, found)
    # places that are alike were compared by all that the images show
    return found if choice.alike else _unless_outweighed(masked, moving, levels, found), winner


def _unless_of_edges(
    masked: MaskedSide, moving: Prepared, level: LevelMap, found: Registration
) -> Registration:
    """Return a registration as it is, unless edges of other things may have made it."""
    doubtful = may_be_of_edges(masked, moving, found, level.line) if found.ok else None
    return found if doubtful is None else replace(found, status=Status.AMBIGUOUS, detail=doubtful)


def _unless_outweighed(
    masked: MaskedSide, moving: Prepared, levels: list[LevelMap], found: Registration
) -> Registration:
    """Return a registration as it is, unless another significant place is likelier by all that is shown."""
    there = outweighed_by(masked, moving, levels, found.shift) if found.ok else None
    if there is None:
        return found
    return contested(found, there, "what is sharp has moved so; the images as they are correlate by more at")


def _hopeless(levels: list[LevelMap], choice: Choice) -> bool:
    """Whether no lag anywhere near the places found is significant: then no refinement need look for it."""
    return not any(
        level.near(place.shift, AROUND) >= level.line
        for level in levels
        for place in (choice.winner, *choice.alike)
    )


def _chance_alone(levels: list[LevelMap], choice: Choice, ndim: int) -> Registration:
    """Return the registration of a place that chance may have made."""
    level = most_significant(levels, choice.winner.shift)
    significance = level.near(choice.winner.shift)
    failed = Registration.failed(Status.WEAK, ndim, not_significant(significance, level.line))
    rival = None if choice.rival is None else Rival(nearest_lag(choice.rival.shift), choice.gap)
    return replace(failed, significance=significance, rival=rival)


def score_and_overlap(
    masked: MaskedSide, moving: Prepared, shift: NDArray[np.float64]
) -> tuple[float, float]:
    """Return masked NCC of the unsmoothed images at the nearest whole-pixel lag, and the overlap there."""
    sums = moving.sums_with(masked.side.image, nearest_lag(shift))
    return sums.ncc, min(1.0, sums.n / masked.greatest_overlap)
