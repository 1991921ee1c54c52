"""A shift that what stands still pulls: each part of the image is asked whether it goes with the scene.

A beam-block that nobody has masked, gaps between modules, a border: where they hold less than the scene does,
the match is the scene's, but least squares over all pixels is a mean of both, pulled towards no shift by
tenths of a pixel. A part t of the image, a square of pixels, tells by itself. With the gradient G and the
residual r,

    e_t = sum over t of G r,    A_t = sum over t of G G^T,

a part that goes with the scene has e_t = A_t d + noise where the shift is off by d; of one that stands still
such a sum f_t is about nothing where the residual is taken at no shift. With s^2 the size of the noise,

    q_t(d) = (e_t - A_t d)^T A_t^-1 (e_t - A_t d) / s^2,    q_t^0 = f_t^T A_t^-1 f_t / s^2,

and the likelihood of a part is that of going, of standing, or of neither, as a spot that has faded:

    L_t = (1 - a - b) exp(-q_t(d) / 2) + a exp(-q_t^0 / 2) + b exp(-c^2 / 2).

The parts together tell d and a (expectation and maximisation: Dempster, Laird, Rubin, J. Roy. Statist. Soc. B
39, 1, 1977). The covariance of d is A^-1 M A^-1, with M the sum of squares of what parts leave and A less by
what is not known of which part does what (Louis, J. Roy. Statist. Soc. B 44, 226, 1982).

A second kind of part explains any errors better, if only some are larger than others. So it must do so more
than where nothing has reason to: with both places turned about the shift. Or few parts, far off, pull so much
that a convex robust estimate, which has no second place to go to, is surely elsewhere as well (Huber, Ann.
Math. Statist. 35, 73, 1964). Else nothing is changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np
import scipy.special
from numpy.typing import NDArray

from maskreg.core.residual import Residual
from maskreg.core.seen_errors import SeenCovariance, compiled_box_sums, plain_box_sums
from maskreg.geometry import nearest_lag

LEAST_SIDE = 16
"""Of a part, px: what one tells must not depend on its neighbours."""

MOST_ACROSS = {1: 1024, 2: 32, 3: 12}
"""So many parts along an axis are enough; larger images have larger parts."""

FEWEST = 12
"""Fewer parts than this tell nothing."""

TELLS, TELLS_MUCH = 1e-5, 1e-3
"""Parts of less than this of the squared gradient of the steepest are not asked; where less divides them, of
less than that: nothing but noise may be in the others."""

FIRST_STANDING, MOST_STANDING = 0.2, 0.5
"""Supposed to stand still at first; and at most so many, else it is the scene that does."""

NEITHER, FAR_OFF = 0.05, 4.0
"""So many may do neither, which is so likely as an error of so many sigma."""

SURE = 6.0
"""A shift is pulled if it is so many sigma from where the parts that go tell it,"""

LIKELY, OF_TURNED = 20.0, 0.5
"""and that some stand is by so much more likely than that none do, of logarithms; what has no reason by this
part of it at most."""

MOST_NEITHER, FEW_NEITHER = 0.65, 0.3
"""Of the gradient, parts that do neither hold at most this where those that go tell a shift, and this if it
is so near that no better match can bear it out. Where spots each move otherwise it is 0.37 and more near the
shift, 0.67 and more further off."""

HUBER = 1.345
"""Errors of more sigma than this count less: 95 % of the information of Gaussian ones is kept."""

TRIED, TOGETHER = 64, 3
"""An estimate begins at the best of what so many handfuls of so many parts tell."""

SHARE_ROUNDS = 20
"""A share is found in so many rounds."""

MOST_ROUNDS, LAST_STEP = 100, 1e-4
"""An estimate ends after so many rounds, or once it moves by less, level px."""

LEAST = 1e-12
"""No noise is less: of images that are the same nothing is left."""

MOST_STEPS, DONE = 8, 1.0
"""The residual is looked at again so many times, until the shift is off by less than so many sigma."""

BETTER = 2.5
"""Parts match better if what is left of them is less by so many of what it differs by from part to part."""

REACH = 3.0
"""Not further from where the shift was, level px: what pulls more is another match."""


@dataclass(frozen=True)
class Parts:
    """What each part of an image tells of a shift.

    Attributes
    ----------
    scores : (parts, ndim) ndarray of float64
        Sums of G times the residual, its mean taken off.
    matrices : (parts, ndim, ndim) ndarray of float64
        Sums of G G^T over the common pixels.
    squares : (parts,) ndarray of float64
        Sums of the squares of the residual, its mean taken off.
    pixels : (parts,) ndarray of float64
        So many are common.
    """

    scores: NDArray[np.float64]
    matrices: NDArray[np.float64]
    squares: NDArray[np.float64]
    pixels: NDArray[np.float64]

    @cached_property
    def inverses(self) -> NDArray[np.float64]:
        """Of the matrices, of which some may be singular."""
        ndim = self.scores.shape[1]
        least = (1e-6 * np.trace(self.matrices.mean(axis=0)) + LEAST) * np.eye(ndim)
        return np.asarray(np.linalg.inv(self.matrices + least))

    def steep(self, part: float) -> NDArray[np.bool_]:
        """Return which have at least this part of the squared gradient of the steepest."""
        squared = np.trace(self.matrices, axis1=1, axis2=2)
        return np.asarray(squared > part * squared.max(initial=0.0))

    def share(self, weights: NDArray[np.float64]) -> float:
        """Return the weighted part of the gradient."""
        gradient = np.sqrt(np.trace(self.matrices, axis1=1, axis2=2))
        return float(weights @ gradient / gradient.sum())

    def of(self, chosen: NDArray[np.bool_]) -> Parts:
        """Return some of them."""
        return Parts(*(field[chosen] for field in (self.scores, self.matrices, self.squares, self.pixels)))

    def left(self, step: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what is left of the scores where the shift is off by a step, (parts, ndim)."""
        return self.scores - self.matrices @ step

    def squared(self, step: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the squares that a step leaves of each part, but for its noise."""
        return np.asarray((self.matrices @ step) @ step)

    def off(self, step: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the squared distance of each part from a step, without the size of the noise."""
        return self.distances(self.left(step))

    def distances(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return by how much such scores of each part, (parts, ndim), are off none; squared."""
        return np.asarray(np.einsum("ti,tij,tj->t", scores, self.inverses, scores))

    def together(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weighted sum of the matrices, (ndim, ndim)."""
        return np.asarray(np.einsum("t,tij->ij", weights, self.matrices))


@dataclass(frozen=True)
class Estimate:
    """By how much a shift is off.

    Attributes
    ----------
    step : (ndim,) ndarray of float64
        To be taken off the shift, level px.
    covariance : (ndim, ndim) ndarray of float64
        Level px squared.
    """

    step: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @property
    def sigmas(self) -> float:
        """The length of the step, in sigma."""
        inverse = np.linalg.pinv(self.covariance, hermitian=True)
        return math.sqrt(max(float(self.step @ inverse @ self.step), 0.0))


@dataclass(frozen=True)
class Division:
    """Which parts go with the scene, if some may stand.

    Attributes
    ----------
    estimate : Estimate or None
        Of these; None where that is not to be told.
    step : (ndim,) ndarray of float64
        The same step, in any case.
    go, neither : (parts,) ndarray of float64
        How likely each part goes with it, and how likely it does neither that nor stand.
    standing : float
        So many stand still.
    noise : float
        s squared.
    """

    estimate: Estimate | None
    step: NDArray[np.float64]
    go: NDArray[np.float64]
    neither: NDArray[np.float64]
    standing: float
    noise: float


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
    steep = parts.of(parts.steep(TELLS_MUCH))
    if len(steep.scores) >= FEWEST and robust(steep).sigmas > SURE:
        return math.inf
    shift = residual.shift
    stand = parts.distances(_scores_at(residual, np.zeros_like(shift))[told])
    some = divided(parts, stand)
    if some.estimate is None or some.estimate.sigmas <= SURE:
        return 0.0
    none = divided(parts, None).step
    more = _more_likely(parts, stand, some, none)
    if more <= LIKELY:
        return 0.0
    for turn in _turns(len(shift)):
        there = parts.distances(_scores_at(residual, shift - turn @ shift)[told])
        turned = _at_most(parts, there, turn @ some.step, some)
        if _more_likely(parts, there, turned, none) > OF_TURNED * more:
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


def parts_of(residual: Residual) -> Parts:
    """Return what each part of a refined pair tells."""
    shape = residual.template.mask.shape
    ndim = len(shape)
    side = max(LEAST_SIDE, -(-max(shape) // MOST_ACROSS[min(ndim, 3)]))
    look = compiled_box_sums if ndim == 2 else plain_box_sums
    sums, n, total = look(residual, side, products=True)
    flat = sums.reshape(len(sums), -1)
    products, (r, rr, pixels) = flat[2 * ndim : -3], flat[-3:]
    mean = total / max(n, 1)
    matrices = np.empty((flat.shape[1], ndim, ndim))
    for product, i, j in zip(products, *np.triu_indices(ndim), strict=True):
        matrices[:, i, j] = matrices[:, j, i] = product
    scores = flat[:ndim] - mean * flat[ndim : 2 * ndim]
    return Parts(scores.T, matrices, rr - 2 * mean * r + mean**2 * pixels, pixels)


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


def _at_most(parts: Parts, stand: NDArray[np.float64], step: NDArray[np.float64], like: Division) -> Division:
    """Return how many parts stand at most likely, if those that go do so with a step."""
    go, standing = parts.off(step), FIRST_STANDING
    for _ in range(SHARE_ROUNDS):
        terms = _likelihoods(go, stand, standing, like.noise)
        standing = min(MOST_STANDING, float((terms[1] / terms.sum(axis=0)).mean()))
    return replace(like, step=step, standing=standing)


def _more_likely(
    parts: Parts, stand: NDArray[np.float64], some: Division, none: NDArray[np.float64]
) -> float:
    """Return by how much more likely it is, in logarithms, that some stand than that all but few go."""
    go = np.log(_likelihoods(parts.off(none), None, 0.0, some.noise).sum(axis=0))
    both = np.log(_likelihoods(parts.off(some.step), stand, some.standing, some.noise).sum(axis=0))
    return float((both - go).sum())


def _likelihoods(
    go: NDArray[np.float64], stand: NDArray[np.float64] | None, standing: float, noise: float
) -> NDArray[np.float64]:
    """Return the three terms of the likelihood of each part, (3, parts), of its squared distances."""
    still = np.zeros_like(go) if stand is None else standing * np.exp(-stand / noise / 2)
    neither = np.full_like(go, NEITHER * np.exp(-(FAR_OFF**2) / 2))
    return np.stack([(1 - standing - NEITHER) * np.exp(-go / noise / 2), still, neither])


def divided(parts: Parts, stand: NDArray[np.float64] | None) -> Division:
    """Return which parts go with the scene.

    Parameters
    ----------
    parts : Parts
    stand : (parts,) ndarray, optional
        The squared distance of each part from standing still; None if none may.
    """
    ndim = parts.scores.shape[1]
    standing = 0.0 if stand is None else FIRST_STANDING
    middle = float(scipy.special.chdtri(ndim, 0.5))
    step = np.zeros(ndim) if stand is None else _begun(parts, stand, middle)
    for _ in range(MOST_ROUNDS):
        go = parts.off(step)
        noise = max(float(np.median(go if stand is None else np.minimum(go, stand))) / middle, LEAST)
        terms = _likelihoods(go, stand, standing, noise)
        shares = terms / terms.sum(axis=0)
        if stand is not None:
            standing = min(MOST_STANDING, float(shares[1].mean()))
        before, step = step, _weighted(parts, shares[0])
        if np.abs(step - before).max() < LAST_STEP:
            break
    left, weights = parts.left(step), shares[0]
    unknown = np.einsum("t,ti,tj->ij", weights * (1 - weights) / noise, left, left)
    matrix = parts.together(weights) - unknown
    if not np.linalg.eigvalsh(matrix)[0] > 0:
        return Division(None, step, weights, shares[2], standing, noise)
    # what parts scatter by is not less than the noise of their pixels
    white = (weights @ parts.squares) / (weights @ parts.pixels) * np.linalg.inv(matrix)
    covariance = SeenCovariance(_sandwich(matrix, weights, left), math.inf).exceeding(white)
    return Division(Estimate(step, covariance), step, weights, shares[2], standing, noise)


def _begun(parts: Parts, stand: NDArray[np.float64], middle: float) -> NDArray[np.float64]:
    """Return the most likely of no step and of those that a few parts tell: near one place of many."""
    chosen = np.random.default_rng(0).integers(0, len(stand), (TRIED, TOGETHER))
    matrices, scores = (field[chosen].sum(axis=1) for field in (parts.matrices, parts.scores))
    told = np.einsum("kij,kj->ki", np.linalg.pinv(matrices, hermitian=True), scores)
    steps = [np.zeros(scores.shape[1]), *told[np.abs(told).max(axis=1) < REACH]]
    go = [parts.off(step) for step in steps]
    noise = max(min(float(np.median(np.minimum(one, stand))) for one in go) / middle, LEAST)
    likely = [np.log(_likelihoods(one, stand, FIRST_STANDING, noise).sum(axis=0)).sum() for one in go]
    return np.asarray(steps[int(np.argmax(likely))])


def robust(parts: Parts) -> Estimate:
    """Return the step that the parts tell of which none counts by more than some sigma (Huber)."""
    ndim = parts.scores.shape[1]
    step, middle = np.zeros(ndim), float(np.sqrt(scipy.special.chdtri(ndim, 0.5)))
    for _ in range(MOST_ROUNDS):
        distances = np.sqrt(np.maximum(parts.off(step), 0.0))
        sigma = float(np.median(distances)) / middle
        weights = np.minimum(1.0, HUBER * max(sigma, LEAST) / np.maximum(distances, LEAST))
        before, step = step, _weighted(parts, weights)
        if np.abs(step - before).max() < LAST_STEP:
            break
    return Estimate(step, _sandwich(parts.together(weights), weights, parts.left(step)))


def _weighted(parts: Parts, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the step of least squares with the parts so weighted."""
    inverse = np.linalg.pinv(parts.together(weights), hermitian=True)
    return np.asarray(inverse @ (weights @ parts.scores))


def _sandwich(
    matrix: NDArray[np.float64], weights: NDArray[np.float64], left: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return A^-1 M A^-1 of a step whose equation is the weighted sum of what parts leave."""
    scatter = (weights[:, None] * left).T @ (weights[:, None] * left)
    inverse = np.linalg.pinv(matrix, hermitian=True)
    return np.asarray(inverse @ scatter @ inverse)
