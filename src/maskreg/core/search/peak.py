"""Choose the place: the most likely lag, and the best other place that a valley separates from it.

Every level of the search proposes places; a place is judged by the evidence of all levels. The
evidence of one level for a place is S^2 / 2 - log K, S being the greatest significance among the K
lags where the place may be: the log-likelihood in units of chance, less what the best of K chance
values reaches. A coarse level thus finds a place, and a finer one moves it only if it knows better.

A rival that is as significant as a lattice's next period is compared with the winner later, on the
pixels that are valid at both and below the pixel (`compare`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from maskreg.core.search.peak_kernels import choose_2d
from maskreg.core.search.search import LevelMap
from maskreg.geometry import straight_way

MOST_ALIKE = 16
"""So many places of the same structure are compared with the winner."""

VALLEY = 3.0
"""Two peaks are separate where the significance between them falls this far below the lesser."""

AROUND = 4
"""Refinement moves a place by fewer lags than this: what is no further is the same place."""

ALIKE = 0.5
"""A rival of more than this part of the winner's significance is of the same structure."""

BETWEEN = 0.35
"""Or of more than this part if a level puts it first: there spots may fall between pixels."""

INFORMATIVE = 3.0
"""A level whose evidence for a place exceeds this may move it (odds 20 to 1)."""


@dataclass(frozen=True)
class Candidate:
    """A place proposed by the search.

    Attributes
    ----------
    shift : ndarray of float64
        Px.
    bin : int
        The finest level that knows the place.
    evidence : float
        Summed over the levels.
    foremost : bool
        Whether it is the best place of one of several levels.
    """

    shift: NDArray[np.float64]
    bin: int
    evidence: float
    foremost: bool = False


@dataclass(frozen=True)
class Choice:
    """The chosen place and its best rival.

    Attributes
    ----------
    winner : Candidate
    rival : Candidate or None
        The best other place that a valley separates from the winner.
    gap : float
        Log-likelihood of the winner less that of the rival, in units of chance; inf without a rival.
    alike : list of Candidate
        All other places so significant that they are no chance values but the same structure met
        again, as in a lattice: between these only a comparison on common pixels tells.
    """

    winner: Candidate
    rival: Candidate | None
    gap: float
    alike: list[Candidate]


def choose(levels: list[LevelMap]) -> Choice:
    """Return the most likely place; at least one level has a lag that is allowed."""
    if len(levels) > 1 or not isinstance(levels[0].score, np.ndarray) or levels[0].score.ndim != 2:
        return plain_choose(levels)
    level = levels[0]
    order, evidence, best, alike, rival, height = choose_2d(
        level.score, np.array(level.maxima), level.origin, level.reach, level.again, ALIKE, VALLEY
    )

    def candidate(k: int) -> Candidate:
        lag = level.lag(level.maxima[order[k]])
        return Candidate(level.bin * np.array(lag, np.float64), level.bin, float(evidence[order[k]]))

    winner = candidate(0)
    if rival < 0:
        return Choice(winner, None, np.inf, [])
    others = [candidate(k) for k in np.flatnonzero(alike).tolist()]
    return Choice(winner, candidate(rival), max(0.0, (best**2 - height**2) / 2), others[:MOST_ALIKE])


def plain_choose(levels: list[LevelMap]) -> Choice:
    """Return what `choose` does, of any number of levels and axes."""
    winner, *others = candidates(levels)
    level = most_significant(levels, winner.shift)
    best, at = level.near(winner.shift), level.index_of(winner.shift)
    bar = max(ALIKE * best, level.again)
    rival, height = None, 0.0
    alike, foremost = list[Candidate](), list[Candidate]()
    for other in others:
        score = max(0.0, level.near(other.shift))
        least = max(BETWEEN * best, level.again) if other.foremost else bar
        # of the first only, and of those that are alike, it matters whether they are separate
        if (rival is None or score > least) and are_separate(level, at, level.index_of(other.shift)):
            rival, height = (other, score) if rival is None else (rival, height)
            alike += [other] if score > bar else []
            foremost += [other] if score > least and other.foremost else []
    if rival is None:
        return Choice(winner, None, np.inf, [])
    if alike:
        # what a coarse level puts first may be right, however many others meet in the pixels of a few spots
        alike = foremost + [other for other in alike if not other.foremost]
    return Choice(winner, rival, max(0.0, (best**2 - height**2) / 2), alike[:MOST_ALIKE])


def most_significant(levels: list[LevelMap], shift: NDArray[np.float64]) -> LevelMap:
    """Return the level at which a place exceeds the line of chance by most."""
    if len(levels) == 1:
        return levels[0]
    return max(levels, key=lambda level: level.near(shift) - level.line)


def candidates(levels: list[LevelMap]) -> list[Candidate]:
    """Return the proposed places, the one of most evidence first; of equal ones the smallest shift."""
    fine_first = sorted((level for level in levels if level.best is not None), key=lambda level: level.bin)
    found: dict[tuple[float, ...], Candidate] = {}
    for level in fine_first:
        for index in level.maxima:
            candidate = _with_evidence(fine_first, level, index)
            key = tuple(candidate.shift)
            if len(fine_first) > 1 and index == level.best:
                found[key] = replace(found.get(key, candidate), foremost=True)
            found.setdefault(key, candidate)
    return sorted(found.values(), key=lambda c: (-c.evidence, float((c.shift**2).sum()), tuple(c.shift)))


def _with_evidence(fine_first: list[LevelMap], origin: LevelMap, index: tuple[int, ...]) -> Candidate:
    """Follow a place from its level to the finer ones, and look it up in the coarser ones."""
    shift = origin.bin * np.array(origin.lag(index), np.float64)
    b = origin.bin
    evidence = max(0.0, float(origin.score[index])) ** 2 / 2
    for level in (lv for lv in reversed(fine_first) if lv.bin < origin.bin):
        value, better = _evidence(level, shift, int(np.ceil(b / level.bin)))
        if value > INFORMATIVE:
            shift, b = better, level.bin
            evidence += value
    for level in (lv for lv in fine_first if lv.bin > origin.bin):
        evidence += max(0.0, _evidence(level, shift, 1)[0])
    return Candidate(shift, b, evidence)


def _evidence(level: LevelMap, shift: NDArray[np.float64], radius: int) -> tuple[float, NDArray[np.float64]]:
    """Return the evidence of a level for a place known to `radius` lags, and the best lag there, px."""
    index = level.index_of(shift)
    window = tuple(slice(max(0, i - radius), i + radius + 1) for i in index)
    scores = np.where(level.searched[window], level.score[window], -np.inf)
    at = np.unravel_index(int(np.argmax(scores)), scores.shape)
    best = max(0.0, float(scores[at]))
    found = tuple(int(w.start + i) for w, i in zip(window, at, strict=True))
    return best**2 / 2 - float(np.log(scores.size)), level.bin * np.array(level.lag(found), np.float64)


def are_separate(level: LevelMap, one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether the significance falls into a valley on the straight line between the indices of two lags."""
    way = straight_way(np.array(one), np.array(other))
    # a forbidden lag on the way is a valley: NaN is not above anything
    return not level.score[way].min() >= min(level.score[one], level.score[other]) - VALLEY
