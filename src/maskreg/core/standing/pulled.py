"""A shift that what stands still pulls: each part of the image is asked whether it goes with the scene.

A beam-block that nobody has masked, gaps between modules, a border: where they hold less than the scene does,
the match is the scene's, but least squares over all pixels is a mean of both, pulled towards no shift by
tenths of a pixel, or by pixels. The parts that go (`division`) tell the shift without.

A second kind of part explains any errors better, if only some are larger than others. So it must do so more
than where nothing has reason to: with both places turned about the shift. Or few parts, far off, pull so much
that a convex robust estimate, which has no second place to go to, is surely elsewhere as well (Huber, Ann.
Math. Statist. 35, 73, 1964). And what the parts tell must be borne out: most of the gradient goes or stands,
and of those that go less is left than before. Else nothing is changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from maskreg.core.standing.division import MOST_STANDING, divided, likeliest_standing, more_likely, robust
from maskreg.core.standing.parts import Parts, parts_of
from maskreg.core.subpixel.residual import Residual
from maskreg.geometry import nearest_lag

FEWEST = 12
"""Fewer parts than this tell nothing."""

TELLS, TELLS_MUCH = 1e-5, 1e-3
"""Parts of less than this of the squared gradient of the steepest are not asked; where less divides them, of
less than that: nothing but noise may be in the others."""

LEAST_LEFT = 0.06
"""What is left of a match amounts to a displacement of this many level px at least, if anything pulls."""

SURE = 6.0
"""A shift is pulled if it is so many sigma from where the parts that go tell it,"""

LIKELY, OF_TURNED = 20.0, 0.5
"""and that some stand is by so much more likely than that none do, of logarithms; what has no reason by this
part of it at most."""

MOST_NEITHER, FEW_NEITHER = 0.65, 0.3
"""Of the gradient, parts that do neither hold at most this where those that go tell a shift, and this if it
is so near that no better match can bear it out. Where spots each move otherwise it is 0.37 and more near the
shift, 0.67 and more further off."""

MOST_STEPS, DONE = 8, 1.0
"""The residual is looked at again so many times, until the shift is off by less than so many sigma."""

BETTER = 2.5
"""Parts match better if what is left of them is less by so many of what it differs by from part to part."""

REACH = 3.0
"""Not further from where the shift was, level px: what pulls more is another match."""


@dataclass(frozen=True)
class Free:
    """A shift that nothing pulls.

    Attributes
    ----------
    shift : (ndim,) ndarray of float64
        Level px.
    covariance : (ndim, ndim) ndarray of float64
        Level px squared.
    neither : float
        Parts that neither go with it nor stand hold this part of the gradient.
    """

    shift: NDArray[np.float64]
    covariance: NDArray[np.float64]
    neither: float


def evidence(residual: Residual) -> float:
    """Return by how much more likely it is that parts of a refined pair that stand still pull its shift.

    In logarithms; 0 where it is not surely elsewhere, infinite where even few parts far off make it so.
    """
    pair = _that_tell(residual)
    if pair is None:
        return 0.0
    parts, told = pair
    if parts.squares.sum() < LEAST_LEFT**2 * parts.squared_gradient.sum():
        return 0.0
    steep = parts.of(parts.steep(TELLS_MUCH))
    if len(steep.scores) >= FEWEST and robust(steep).sigmas > SURE:
        return math.inf
    shift = residual.shift
    stand = parts.distances(_scores_at(residual, np.zeros_like(shift))[told])
    some = divided(parts, stand)
    if some.estimate is None or some.estimate.sigmas <= SURE:
        return 0.0
    none = divided(parts, None).step
    more = more_likely(parts, stand, some, none)
    if more <= LIKELY:
        return 0.0
    for turn in _turns(len(shift)):
        there = parts.distances(_scores_at(residual, shift - turn @ shift)[told])
        step = turn @ some.step
        turned = replace(some, step=step, standing=likeliest_standing(parts, there, step, some.noise))
        if more_likely(parts, there, turned, none) > OF_TURNED * more:
            return 0.0
    return more


def without_pull(residual: Residual) -> Free | None:
    """Return a shift and its covariance by the parts of a refined pair that go with the scene.

    Parameters
    ----------
    residual : Residual
        At a shift that is pulled.

    Returns
    -------
    Free or None
        None where the parts do not tell it.
    """
    shift = residual.shift
    at_rest = _scores_at(residual, np.zeros_like(shift))
    for _ in range(MOST_STEPS):
        pair = _that_tell(_at(residual, shift))
        if pair is None:
            return None
        parts, told = pair
        found = divided(parts, parts.distances(at_rest[told]))
        if found.estimate is None:
            return None
        shift = shift - found.estimate.step
        if np.abs(shift - residual.shift).max() > REACH:
            return None
        if found.estimate.sigmas < DONE:
            free = Free(shift, found.estimate.covariance, parts.share(found.neither))
            return free if found.standing < MOST_STANDING else None
    return None


def are_better(residual: Residual, shift: NDArray[np.float64]) -> bool:
    """Whether the parts of a refined pair that go with the scene match better at a shift, part by part."""
    # between pixels there is less noise: before, too, it is so far between them as after
    alike = shift + np.rint(residual.shift - shift)
    before, after = parts_of(_at(residual, alike)), parts_of(_at(residual, shift))
    told = after.steep(TELLS) & (np.minimum(before.squares, after.squares) > 0)
    before, after = before.of(told), after.of(told)
    go = divided(after, after.distances(_scores_at(residual, np.zeros_like(shift))[told])).go
    gains = np.log(before.squares / before.pixels * after.pixels / after.squares)
    expected = np.log1p(after.squared(alike - shift) / after.squares)
    gains *= go * expected
    return float(gains.sum()) > BETTER * math.sqrt(float(np.square(gains).sum()))


def _that_tell(residual: Residual) -> tuple[Parts, NDArray[np.bool_]] | None:
    """Return the parts that tell anything, and which of all they are; None of too few."""
    parts = parts_of(residual)
    told = parts.steep(TELLS)
    return (parts.of(told), told) if np.count_nonzero(told) >= FEWEST else None


def _scores_at(residual: Residual, shift: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scores of all parts at another shift."""
    return parts_of(_at(residual, shift)).scores


def _at(residual: Residual, shift: NDArray[np.float64]) -> Residual:
    return replace(residual, shift=shift, lag=nearest_lag(shift))


def _turns(ndim: int) -> list[NDArray[np.float64]]:
    """Return what turns a direction to where nothing has a reason to be: back, and across."""
    turns = [-np.eye(ndim)]
    for i, j in combinations(range(ndim), 2):
        across = np.eye(ndim)
        across[[i, i, j, j], [i, j, i, j]] = 0, 1, -1, 0
        turns += [across, across.T]
    return turns
