"""How far the search goes: a look at one coarse level, the cheap ones, finer ones while a doubt is left."""

from __future__ import annotations

from collections.abc import Sequence

from maskreg.core.image.prepared import Prepared
from maskreg.core.machine.room import Room
from maskreg.core.masked_side import MaskedSide
from maskreg.core.search.peak import Choice, choose
from maskreg.core.search.search import LevelMap
from maskreg.core.stage import Place
from maskreg.registration import Registration

DECISIVE = 3.0
"""The first look is decisive where its significance is so many times the line."""

SURE = 3.0
"""A place this many spreads above the line needs no finer search."""


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
    while max(level.margin for level in found) < SURE and add_finer(masked, moving, room, found):
        pass
    return found


def may_miss(masked: MaskedSide, levels: list[LevelMap]) -> bool:
    """Return whether searched levels may miss a place: none of them shows nearly all of the structure."""
    return not masked.side.shows_nearly_all(masked.plan, min(level.bin for level in levels))


def add_finer(masked: MaskedSide, moving: Prepared, room: Room, levels: list[LevelMap]) -> bool:
    """Search the next finer level that shows more, and return whether there is one."""
    finer = finer_levels(masked, moving, room, levels)
    if not finer:
        return False
    room.give_back()
    levels.append(masked.search(finer[0])(moving))
    return True


def finer_levels(masked: MaskedSide, moving: Prepared, room: Room, levels: list[LevelMap]) -> list[int]:
    """Return the levels that show more than those searched, the next finer one first; room is taken."""
    if not masked.plan.fallback:
        return []
    moving.forget()
    masked.take(room)
    finest = min(level.bin for level in levels)
    return [b for b in masked.side.fallback(masked.plan) if b < finest]
