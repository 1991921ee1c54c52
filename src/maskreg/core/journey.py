"""One moving image's way to its registration: search, choose, place, judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskreg.core.detector.lines import standing
from maskreg.core.detector.lone_kernels import greatest_part_2d
from maskreg.core.detector.stripes import are_of_scene, stripes_of_both, stripes_of_moving, without_stripes
from maskreg.core.doubt.alike import BestTwo, best_two
from maskreg.core.doubt.among_periods import among_periods
from maskreg.core.doubt.broad import broad_likelihood
from maskreg.core.doubt.compare import AMBIGUOUS, height_doubt, likelihood_gap, matched_gap
from maskreg.core.doubt.contested import better_in_detail
from maskreg.core.doubt.explained import explained
from maskreg.core.doubt.told import DROWNED, told_place
from maskreg.core.doubt.whole_pixel import whole_pixel, worse_than_whole_pixel
from maskreg.core.doubt.without_lone import Clean, may_be_held, may_be_lone, without_lone
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import LevelImage
from maskreg.core.likelihood import FEWEST_PIXELS
from maskreg.core.machine.memory import give_back_free_memory
from maskreg.core.machine.room import Room
from maskreg.core.masked_side import MaskedSide
from maskreg.core.place import Place, place
from maskreg.core.reference import ReferenceSide
from maskreg.core.search.peak import AROUND, Candidate, Choice, choose, most_significant
from maskreg.core.search.search import LevelMap
from maskreg.core.standing.held import PATTERN, PULLED, Middle, is_about_there, is_held, moved_under
from maskreg.core.standing.single_pixels import of_single_pixels, tells_beside
from maskreg.core.uncertainty.few_electrons import are_few, longer
from maskreg.geometry import nearest_lag, overlap_slices
from maskreg.registration import Registration, Rival, Status

DECISIVE = 3.0
"""The first look is decisive where its significance is so many times the line."""

SURE = 3.0
"""A place this many spreads above the line needs no finer search."""

WIDE = 1.0
"""A place whose sigma is longer than this in any direction, px, is not ok: 2 px off would be no surprise."""

ELSEWHERE = 1 / 21
"""A match of few electrons that is elsewhere with a greater probability (odds 20 to 1) is not ok."""

MOST_CLEANED = 3
"""So many times pixels that stand out are left out; without the brightest, others may. Once where many do:
what stands out then is part of something larger, which may be a spot that has not moved."""

FIRST_ALIKE = 6
"""So many places that are alike, the likeliest, are compared first; more if the best leaves a doubt."""

DIGITS = range(1, 7)
"""So many decimal places of a significance and its line are told, the fewest by which they differ."""

FIXED_PATTERN = "single pixels match at no shift, as the fixed pattern of a detector does"

ONE_PIXEL = 0.8
"""A match of which one pixel makes this part is none: it says where one hot pixel meets another."""


class GreatestPart(NamedTuple):
    """The pixels that meet and make the greatest part of a covariance."""

    part: float
    reference: tuple[int, ...]
    moving: tuple[int, ...]


def registration_of(masked: MaskedSide, moving: Prepared) -> Registration:
    """Return the registration of a moving image; both images have valid pixels of some variance."""
    side = masked.side
    masked, moving, number = _without_lines(masked, moving)
    if masked.side.image.flat or moving.flat:
        return Registration.failed(Status.WEAK, moving.mask.ndim, "nothing but lines that stand out differs")
    masked, moving, found = _first_registration(masked, moving)
    times = 0
    while (clean := _clean(masked, moving, found)) is not None:
        if times == (MOST_CLEANED if moving.pointed else 1):
            found = Registration.failed(Status.WEAK, moving.mask.ndim, "others do; mask them")
            break
        masked, moving, number, times = clean.masked, clean.moving, number + clean.number, times + 1
        if masked.side.image.flat or moving.flat:
            found = Registration.failed(Status.WEAK, moving.mask.ndim, "nothing else differs")
        else:
            found = _registered_in_its_room(masked, moving)
    moving, found = _unless_striped(masked, moving, found)
    found = _unless_held(masked, moving, found)
    if found.ok and moving.pulled_to is not None and not is_held(found.shift - moving.pulled_to):
        side.freed = True
    if found.ok or not number:
        return found
    said = f"without {number} pixels that stand out, as hot or dead ones do"
    return replace(found, detail=f"{said}: {found.detail}" if found.detail else said)


def _without_lines(masked: MaskedSide, moving: Prepared) -> tuple[MaskedSide, Prepared, int]:
    """Return both images without the lines that stand out in both, and how many pixels moving lacks."""
    side = masked.side
    known = standing(side.lines, moving, side.noise_of_pixels)
    if not known:
        return masked, moving, 0
    clean = masked.without_lines(known)
    left = clean.prepared(moving.raw)
    return clean, left, int(np.count_nonzero(moving.mask) - np.count_nonzero(left.mask))


def _first_registration(masked: MaskedSide, moving: Prepared) -> tuple[MaskedSide, Prepared, Registration]:
    """Return images and their registration, without stripes if the reference has any that moving has not."""
    side = masked.side
    known = stripes_of_both(side.stripes, moving)
    if known is not None:
        clean = masked.without_stripes(known)
        left = clean.prepared(without_stripes(moving, known))
        if not (clean.side.image.flat or left.flat):
            found = _registered_in_its_room(clean, left)
            if not are_of_scene(known, side.image, moving, found):
                return clean, left, found
    return masked, moving, _registered_in_its_room(masked, moving)


def _unless_striped(
    masked: MaskedSide, moving: Prepared, found: Registration
) -> tuple[Prepared, Registration]:
    """Return moving and its registration as they are, or without stripes that only moving has."""
    side = masked.side
    known = stripes_of_moving(side.stripes, side.image, moving, found) if moving.patterned else None
    if known is None:
        return moving, found
    left = masked.prepared(without_stripes(moving, known))
    if left.flat:
        return moving, found
    again = _registered_in_its_room(masked, left)
    # without a place before, a scene of lines may have been taken for stripes
    return (left, again) if again.ok or found.status.keeps_shift else (moving, found)


def _unless_held(masked: MaskedSide, moving: Prepared, found: Registration) -> Registration:
    """Return a registration as it is, unless what stands still holds it while the scene has moved."""
    if not found.ok:
        return found
    if not moving.spread and of_single_pixels(masked.side.image, moving):
        failed = Registration.failed(Status.WEAK, moving.mask.ndim, FIXED_PATTERN)
        return replace(failed, significance=found.significance, rival=found.rival)
    pulled_to = found.shift if moving.pulled_to is None else moving.pulled_to
    if not moving.patterned or not is_held(pulled_to, PULLED):
        return found
    middle = Middle(moving, masked.side.noise_of_pixels)
    elsewhere = moved_under(masked.side.middle, middle, pulled_to)
    freed = moving.pulled_to is not None
    if elsewhere is None or (freed and is_about_there(found.shift - pulled_to, elsewhere)):
        return found
    rival = Rival(elsewhere, 0.0)
    detail = f"what stands still on the detector holds it; the scene has moved, by ({rival.shift_text}) px"
    return replace(found, rival=rival, status=Status.AMBIGUOUS, detail=detail)


def _clean(masked: MaskedSide, moving: Prepared, found: Registration) -> Clean | None:
    """Return both images without the pixels that stand out, if these may have made what was found."""
    if not found.ok or not (moving.pointed or may_be_held(masked, moving, found)):
        return None
    return without_lone(masked, moving, found.shift)


def _registered_in_its_room(masked: MaskedSide, moving: Prepared) -> Registration:
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
            side.count_look(enough=True)
            return found
        if choice.alike:
            break  # finer looks would meet the same places, and compare them again
    if masked.plan.looks:
        side.count_look(enough=False)
    levels = search(masked, moving, room, looked)
    if max(level.margin for level in levels) < SURE:
        return _faintly(masked, moving, levels, room)

    def finer() -> bool:
        return _may_miss(masked, levels) and bool(_finer(masked, moving, room, levels))

    found, chosen_place = _searched(masked, moving, levels, finer)
    # the right one may be missing among places that are alike: a level of pixels larger than the spots of a
    # crystal shows it half as well as those that happen to fall on its pixels
    while chosen_place is not None and chosen_place.unexplained and _may_miss(masked, levels):
        if not _add_finer(masked, moving, room, levels):
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
    rival = Rival(nearest_lag(elsewhere), 0.0)
    detail = f"broad and fine structure moved otherwise: the fine one by ({rival.shift_text}) px"
    return replace(found, rival=rival, status=Status.AMBIGUOUS, detail=detail)


def _may_miss(masked: MaskedSide, levels: list[LevelMap]) -> bool:
    """Return whether searched levels may miss a place: none of them shows nearly all of the structure."""
    return not masked.side.shows_nearly_all(masked.plan, min(level.bin for level in levels))


def _of_few_electrons(masked: MaskedSide, moving: Prepared, found: Registration) -> Registration:
    """Return a registration as it is, unless few electrons make it; then with what these leave open."""
    b = masked.looks[0] if masked.looks else masked.plan.coarse_first[0]
    if not found.ok or not (masked.side.few(b) or are_few(moving, b)):
        return found
    other = masked.electrons()(moving, found.shift)
    found = replace(found, covariance=longer(found.covariance, other.covariance))
    if other.chance > ELSEWHERE:
        rival, chance = Rival(other.lag, other.gap), 100 * other.chance
        detail = f"few electrons meet: {chance:.0f} % that it is elsewhere, as at ({rival.shift_text}) px"
        return replace(found, rival=rival, status=Status.AMBIGUOUS, detail=detail)
    open_ = _open(found.covariance)
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
            failed = Status.NO_OVERLAP, moving.mask.ndim, _why_forbidden(levels)
        return Registration.failed(*failed), None
    levels, choice = chosen(masked, moving, levels)
    if _hopeless(levels, choice):
        return _chance_alone(levels, choice, moving.mask.ndim), None
    return _judged(masked, moving, levels, choice, more=more)


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


def look(masked: MaskedSide, moving: Prepared, b: int) -> tuple[LevelMap, Choice | None]:
    """Return one coarse level, and its choice if it is decisive: far above chance.

    What comes of it is believed if it is ok; in any other case finer ones, and the whole search, decide.
    Places that are alike are told apart only where the level shows what they are alike in.
    """
    level = masked.search(b)(moving)
    if level.best is None or not level.score[level.best] >= DECISIVE * level.line:
        return level, None
    choice = choose([level])
    return level, None if choice.alike and not masked.side.shows_alike(masked.plan, b) else choice


def confirmed(masked: MaskedSide, found: Registration, winner: Place, b: int, *, alike: bool) -> bool:
    """Return whether the pixels confirm what a look at level `b` found, as all but the finest look need.

    The last stage must have placed it, and the score be what the reference says of noise alone. What level
    `b` does not see may move otherwise: then its part of the reference is not explained. Where other places
    are `alike`, the right one may be missing among those that a look of any level has met.
    """
    if b == masked.plan.looks[-1] and not alike:
        return True
    if (winner.bin, winner.gaussian) != masked.stages(b, look=True)[-1]:
        return False
    if alike:
        return not winner.unexplained
    return found.score >= masked.side.least_score(masked.plan, b)


def search(
    masked: MaskedSide, moving: Prepared, room: Room, known: Sequence[LevelMap] = ()
) -> list[LevelMap]:
    """Return the searched levels: the cheap ones, and finer ones while those leave a doubt.

    There is `room` for few frames at levels of many pixels at once, which is taken for these.
    """
    before = {level.bin: level for level in known}
    plan = masked.plan
    if plan.start in plan.fine:
        masked.take(room)
    found = [before.get(b) or masked.search(b)(moving) for b in plan.coarse_first]
    while max(level.margin for level in found) < SURE and _add_finer(masked, moving, room, found):
        pass
    return found


def _add_finer(masked: MaskedSide, moving: Prepared, room: Room, levels: list[LevelMap]) -> bool:
    """Search the next finer level that shows more, and return whether there is one."""
    finer = _finer(masked, moving, room, levels)
    if not finer:
        return False
    room.give_back()
    levels.append(masked.search(finer[0])(moving))
    return True


def _finer(masked: MaskedSide, moving: Prepared, room: Room, levels: list[LevelMap]) -> list[int]:
    """Return the levels that show more than those searched, the next finer one first; room is taken."""
    if not masked.plan.fallback:
        return []
    moving.forget()
    masked.take(room)
    finest = min(level.bin for level in levels)
    return [b for b in masked.side.fallback(masked.plan) if b < finest]


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
    moving.pulled_to = winner.pulled_to
    moving.spread = not is_held(shift) or any(tells_beside(level) for level in levels)
    level = most_significant(levels, shift)
    # along what the pattern does not tell, noise moves a place off its peak
    significance = level.near(shift, AROUND if winner.blind.size else 0)
    status, detail = judge(side, winner, rival, significance, level.line)
    if status.keeps_shift and _one_pixel_made(masked, moving, level, shift):
        status, detail = Status.WEAK, "a single pixel makes the match; mask it if it is hot"
    if not status.keeps_shift:
        failed = Registration.failed(status, ndim, detail)
        return replace(failed, significance=significance, rival=rival), winner
    score, overlap = score_and_overlap(masked, moving, shift)
    if not side.options.subpixel:
        shift, covariance = np.rint(shift), covariance + np.eye(ndim) / 12
    # + 0.0 turns -0.0 into 0.0
    found = Registration(shift + 0.0, covariance, score, significance, overlap, rival, status, detail)
    return found, winner


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


def not_significant(significance: float, line: float) -> str:
    """Return both, with as many digits as tell them apart."""
    places = next((n for n in DIGITS if f"{significance:.{n}f}" != f"{line:.{n}f}"), DIGITS[-1])
    return f"significance {significance:.{places}f}, chance reaches {line:.{places}f}"


def decide(
    masked: MaskedSide,
    moving: Prepared,
    levels: list[LevelMap],
    choice: Choice,
    *,
    look: bool = False,
    more: Callable[[], bool] = lambda: False,
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


def judge(
    side: ReferenceSide, winner: Place, rival: Rival | None, significance: float, line: float
) -> tuple[Status, str]:
    """Return the status of a place and what is particular to it."""
    if not significance >= line:
        return Status.WEAK, not_significant(significance, line)
    if not winner.refined:
        return Status.WEAK, "noise hides where in a broad peak the place is"
    if winner.fixed:
        return Status.WEAK, FIXED_PATTERN
    if winner.blind.size:
        along = _told(winner.blind[:, 0])
        return Status.AMBIGUOUS, f"the pattern does not tell the shift along ({along}), as parallel lines do"
    if winner.doubted:
        return Status.AMBIGUOUS, "noise hides along which directions the pattern tells the shift"
    open_ = _open(winner.covariance)
    if open_ is not None:
        return Status.AMBIGUOUS, open_
    limits = side.options.limits(len(winner.shift))
    if limits is not None and (np.abs(winner.shift) > np.array(limits) + 0.5).any():
        return Status.AT_LIMIT, f"max_shift {', '.join(f'{m:g}' for m in limits)} px"
    if rival is not None and rival.gap < AMBIGUOUS:
        odds = f"odds {np.exp(rival.gap):.1f} to 1"
        return (
            Status.AMBIGUOUS,
            f"the other is ({rival.shift_text}) px, {odds}; max_shift limits the search",
        )
    return Status.OK, ""


def _open(covariance: NDArray[np.float64]) -> str | None:
    """Return along which direction a place is known too little to be ok; None if along none."""
    if sum(covariance.diagonal().tolist()) <= WIDE**2:  # no direction can be that long
        return None
    variances, directions = np.linalg.eigh(covariance)
    if variances[-1] <= WIDE**2:
        return None
    sigma, along = np.sqrt(variances[-1]), _told(directions[:, -1])
    return f"one a few pixels off: sigma is {sigma:.1f} px along ({along})"


def _told(direction: NDArray[np.float64]) -> str:
    """Return a direction in words, with the sign that makes its largest component positive."""
    up = direction * np.sign(direction[np.argmax(np.abs(direction))])
    return ", ".join(f"{u:+.2f}" for u in up)


def _one_pixel_made(
    masked: MaskedSide, moving: Prepared, level: LevelMap, shift: NDArray[np.float64]
) -> bool:
    """Whether one pair of pixels makes nearly all of the covariance at a place.

    The full resolution is looked at only where one pixel of the level already does. Whether some make much of
    it is noted on the way.
    """
    lag = nearest_lag(shift / level.bin)
    part, *places = greatest_part(level.reference, level.moving, lag)
    moving.pointed = may_be_lone(masked, moving, level.bin, part, *places)
    if not part > ONE_PIXEL:
        return False
    return greatest_part(masked.side.image.level(1), moving.level(1), nearest_lag(shift)).part > ONE_PIXEL


def greatest_part(reference: LevelImage, moving: LevelImage, lag: tuple[int, ...]) -> GreatestPart:
    """Return the greatest part that a pair of pixels has in the covariance at a lag; inf if it is negative.

    The means are those of the pixels that meet: less the mean of the whole image, pixels that hold nothing
    would all be alike.
    """
    if reference.mask.ndim != 2:
        return plain_greatest_part(reference, moving, lag)
    part, *place = greatest_part_2d(reference.pixels, reference.mask, moving.pixels, moving.mask, *lag)
    return GreatestPart(part, tuple(place), tuple(i - s for i, s in zip(place, lag, strict=True)))


def plain_greatest_part(reference: LevelImage, moving: LevelImage, lag: tuple[int, ...]) -> GreatestPart:
    """Return what `greatest_part` does, for any number of axes."""
    here, there = overlap_slices(reference.mask.shape, moving.mask.shape, lag)
    common = reference.mask[here] & moving.mask[there]
    places = np.argwhere(common)
    if not len(places):
        return GreatestPart(np.inf, (0,) * len(lag), (0,) * len(lag))
    a, b = (
        image.pixels[part][common].astype(np.float64) for image, part in ((reference, here), (moving, there))
    )
    products = (a - a.mean()) * (b - b.mean())
    total, best = float(products.sum()), int(products.argmax())
    own, other = (
        tuple(int(i + s.start) for i, s in zip(places[best], part, strict=True)) for part in (here, there)
    )
    return GreatestPart(max(0.0, float(products[best])) / total if total > 0 else np.inf, own, other)


def score_and_overlap(
    masked: MaskedSide, moving: Prepared, shift: NDArray[np.float64]
) -> tuple[float, float]:
    """Return masked NCC of the unsmoothed images at the nearest whole-pixel lag, and the overlap there."""
    sums = moving.sums_with(masked.side.image, nearest_lag(shift))
    return sums.ncc, min(1.0, sums.n / masked.greatest_overlap)


def _why_forbidden(levels: list[LevelMap]) -> str:
    greatest = max(
        float(level.overlap.max()) for level in levels if level.bin == min(lv.bin for lv in levels)
    )
    at_most = f"at most {greatest:.0f} pixels are valid in both at any shift"
    if greatest > FEWEST_PIXELS:
        return f"{at_most}; where max_shift and min_overlap let them meet they are fewer, or alike in value"
    return f"{at_most}, more than {FEWEST_PIXELS} are needed"
