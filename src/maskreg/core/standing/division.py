"""Which parts of an image go with the scene, which stand still, and which do neither.

Each part t tells by itself. With what `parts` has of it, and f_t its scores at no shift, which are about
nothing where it stands; s^2 the size of the noise,

    q_t(d) = (e_t - A_t d)^T A_t^-1 (e_t - A_t d) / s^2,    q_t^0 = f_t^T A_t^-1 f_t / s^2,

and its likelihood is that of going, of standing, or of neither, as a spot that has faded:

    L_t = (1 - a - b) exp(-q_t(d) / 2) + a exp(-q_t^0 / 2) + b exp(-c^2 / 2).

The parts together tell d and a (expectation and maximisation: Dempster, Laird, Rubin, J. Roy. Statist. Soc. B
39, 1, 1977). The covariance of d is A^-1 M A^-1, with M the sum of squares of what parts leave and A less by
what is not known of which part does what (Louis, J. Roy. Statist. Soc. B 44, 226, 1982).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.special
from numpy.typing import NDArray

from maskreg.core.lags.scores import HUBER
from maskreg.core.standing.parts import Parts
from maskreg.core.uncertainty.seen_errors import SeenCovariance

FIRST_STANDING, MOST_STANDING = 0.2, 0.5
"""Supposed to stand still at first; and at most so many, else it is the scene that does."""

NEITHER, FAR_OFF = 0.05, 4.0
"""So many may do neither, which is so likely as an error of so many sigma."""

UNLIKELY = math.exp(-(FAR_OFF**2) / 2)
"""That likelihood."""

TRIED, TOGETHER = 64, 3
"""An estimate begins at the best of what so many handfuls of so many parts tell,"""

NOT_FURTHER = 3.0
"""none of which is further off, level px."""

SHARE_ROUNDS = 20
"""A share is found in so many rounds."""

MOST_ROUNDS, LAST_STEP = 100, 1e-4
"""An estimate ends after so many rounds, or once it moves by less, level px."""

LEAST = 1e-12
"""No noise is less: of images that are the same nothing is left."""

RIDGE = 1e-9
"""This part of the gradient is added along each axis: nothing may tell of one."""


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


def divided(parts: Parts, stand: NDArray[np.float64] | None) -> Division:
    """Return which parts go with the scene.

    Parameters
    ----------
    parts : Parts
    stand : (parts,) ndarray, optional
        The squared distance of each part from standing still; None if none may.
    """
    if stand is None:
        step, standing, stand = np.zeros(parts.scores.shape[1]), 0.0, np.full(len(parts.scores), np.inf)
    else:
        step, standing = _first_step(parts, stand), FIRST_STANDING
    shares, standing, noise, step = compiled_shared_out(parts, stand, step, standing)
    left, weights = parts.left(step), shares[0]
    unknown = np.einsum("t,ti,tj->ij", weights * (1 - weights) / noise, left, left)
    matrix = parts.together(weights) - unknown
    along = np.linalg.eigvalsh(matrix)
    if not along[0] > RIDGE * abs(along[-1]):
        return Division(None, step, weights, shares[2], standing, noise)
    # what parts scatter by is not less than the noise of their pixels
    variance = max((weights @ parts.squares) / (weights @ parts.pixels), LEAST)
    white = variance * np.linalg.inv(matrix)
    covariance = SeenCovariance(_sandwich(matrix, weights, left), math.inf).exceeding(white)
    return Division(Estimate(step, covariance), step, weights, shares[2], standing, noise)


def more_likely(parts: Parts, stand: NDArray[np.float64], some: Division, none: NDArray[np.float64]) -> float:
    """Return by how much more likely it is, in logarithms, that some stand than that all but few go.

    Parameters
    ----------
    parts : Parts
    stand : (parts,) ndarray
        The squared distance of each part from standing still.
    some : Division
        Which go if some may stand.
    none : (ndim,) ndarray
        The step where none may.
    """
    go = np.log(_likelihoods(parts.off(none), np.inf, 0.0, some.noise).sum(axis=0))
    both = np.log(_likelihoods(parts.off(some.step), stand, some.standing, some.noise).sum(axis=0))
    return float((both - go).sum())


def likeliest_standing(
    parts: Parts, stand: NDArray[np.float64], step: NDArray[np.float64], noise: float
) -> float:
    """Return how many parts stand at most likely, if those that go do so with a step."""
    standing = FIRST_STANDING
    goes, stands, neither = _likelihoods(parts.off(step), stand, standing, noise)
    for _ in range(SHARE_ROUNDS):
        some, others = standing / FIRST_STANDING * stands, 1 - standing - NEITHER
        every = others / (1 - FIRST_STANDING - NEITHER) * goes + some + neither
        standing = min(MOST_STANDING, float((some / every).mean()))
    return standing


def robust(parts: Parts) -> Estimate:
    """Return the step that the parts tell of which none counts by more than some sigma (Huber)."""
    ndim = parts.scores.shape[1]
    step, middle = np.zeros(ndim), math.sqrt(_middle(ndim))
    for _ in range(MOST_ROUNDS):
        distances = np.sqrt(np.maximum(parts.off(step), 0.0))
        sigma = float(np.median(distances)) / middle
        weights = np.minimum(1.0, HUBER * max(sigma, LEAST) / np.maximum(distances, LEAST))
        before, step = step, _weighted(parts, weights)
        if np.abs(step - before).max() < LAST_STEP:
            break
    return Estimate(step, _sandwich(parts.together(weights), weights, parts.left(step)))


Shared = tuple[NDArray[np.float64], float, float, NDArray[np.float64]]
"""Shares of each part, (3, parts): goes, stands, does neither; how many stand, the noise, and the step."""


def compiled_shared_out(
    parts: Parts, stand: NDArray[np.float64], step: NDArray[np.float64], standing: float
) -> Shared:
    """Return what `plain_shared_out` does."""
    from maskreg.core.standing.division_kernels import shared_out

    shares, standing, noise, step = shared_out(
        parts.scores, parts.matrices, parts.inverses, stand, step, standing, (NEITHER, UNLIKELY),
        MOST_STANDING, _middle(step.size), (LEAST, RIDGE), MOST_ROUNDS, LAST_STEP,
    )  # fmt: skip
    return shares, float(standing), float(noise), step


def plain_shared_out(
    parts: Parts, stand: NDArray[np.float64], step: NDArray[np.float64], standing: float
) -> Shared:
    """Return what each part does at most likely, from a step and a number that stand."""
    for _ in range(MOST_ROUNDS):
        go = parts.off(step)
        noise = max(float(np.median(np.minimum(go, stand))) / _middle(step.size), LEAST)
        terms = _likelihoods(go, stand, standing, noise)
        shares = terms / terms.sum(axis=0)
        standing = min(MOST_STANDING, float(shares[1].mean()))
        before, step = step, _weighted(parts, shares[0])
        if np.abs(step - before).max() < LAST_STEP:
            break
    return shares, standing, noise, step


def _first_step(parts: Parts, stand: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the most likely of no step and of those that a few parts tell: near one place of many."""
    chosen = np.random.default_rng(0).integers(0, len(stand), (TRIED, TOGETHER))
    matrices, scores = (field[chosen].sum(axis=1) for field in (parts.matrices, parts.scores))
    told = np.einsum("kij,kj->ki", np.linalg.pinv(matrices, hermitian=True), scores)
    steps = np.stack([np.zeros(scores.shape[1]), *told[np.abs(told).max(axis=1) < NOT_FURTHER]])
    return np.asarray(steps[int(np.argmax(compiled_likely_steps(parts, stand, steps)))])


def compiled_likely_steps(
    parts: Parts, stand: NDArray[np.float64], steps: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what `plain_likely_steps` does."""
    from maskreg.core.standing.division_kernels import likely_steps

    fields = parts.scores, parts.matrices, parts.inverses
    middle = _middle(steps.shape[1])
    likely = likely_steps(*fields, stand, steps, FIRST_STANDING, (NEITHER, UNLIKELY), middle, LEAST)
    return np.asarray(likely)


def plain_likely_steps(
    parts: Parts, stand: NDArray[np.float64], steps: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how likely each of some steps is, in logarithms, with the least noise that any of them has."""
    go = [parts.off(step) for step in steps]
    noise = min(float(np.median(np.minimum(one, stand))) for one in go) / _middle(steps.shape[1])
    terms = (_likelihoods(one, stand, FIRST_STANDING, max(noise, LEAST)) for one in go)
    return np.array([np.log(term.sum(axis=0)).sum() for term in terms])


def _middle(ndim: int) -> float:
    """Return the median of a squared distance if the noise is one."""
    return float(scipy.special.chdtri(ndim, 0.5))


def _likelihoods(
    go: NDArray[np.float64], stand: NDArray[np.float64] | float, standing: float, noise: float
) -> NDArray[np.float64]:
    """Return the three terms of the likelihood of each part, (3, parts), of its squared distances."""
    still = standing * np.exp(-np.broadcast_to(stand, go.shape) / noise / 2)
    neither = np.full_like(go, NEITHER * UNLIKELY)
    return np.stack([(1 - standing - NEITHER) * np.exp(-go / noise / 2), still, neither])


def _weighted(parts: Parts, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the step of least squares with the parts so weighted."""
    matrix = parts.together(weights)
    ridge = (RIDGE * np.trace(matrix) + LEAST) * np.eye(len(matrix))
    return np.asarray(np.linalg.solve(matrix + ridge, weights @ parts.scores))


def _sandwich(
    matrix: NDArray[np.float64], weights: NDArray[np.float64], left: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return A^-1 M A^-1 of a step whose equation is the weighted sum of what parts leave."""
    scatter = (weights[:, None] * left).T @ (weights[:, None] * left)
    inverse = np.linalg.pinv(matrix, hermitian=True)
    return np.asarray(inverse @ scatter @ inverse)
