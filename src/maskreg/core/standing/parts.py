"""What each part of an image, a square of its pixels, tells of a shift.

With the gradient G and the residual r at a shift, a part t has

    e_t = sum over t of G r,    A_t = sum over t of G G^T,

and e_t = A_t d + noise where the shift is off by d.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from maskreg.core.subpixel.residual import Residual
from maskreg.core.uncertainty.seen_errors import box_sums

LEAST_SIDE = 16
"""Of a part, px: what one tells must not depend on its neighbours."""

MOST_ACROSS = {1: 1024, 2: 32, 3: 12}
"""So many parts along an axis are enough; larger images have larger parts."""

LEAST_OF_MEAN, LEAST = 1e-6, 1e-12
"""To each matrix so much of the mean one is added, and so much at least: some are singular."""


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
        least = (LEAST_OF_MEAN * np.trace(self.matrices.mean(axis=0)) + LEAST) * np.eye(ndim)
        return np.asarray(np.linalg.inv(self.matrices + least))

    @cached_property
    def squared_gradient(self) -> NDArray[np.float64]:
        """The sum of the squared gradient over each part, (parts,)."""
        return np.asarray(np.trace(self.matrices, axis1=1, axis2=2))

    def steep(self, part: float) -> NDArray[np.bool_]:
        """Return which have at least this part of the squared gradient of the steepest."""
        return np.asarray(self.squared_gradient > part * self.squared_gradient.max(initial=0.0))

    def share(self, weights: NDArray[np.float64]) -> float:
        """Return the weighted part of the gradient."""
        gradient = np.sqrt(self.squared_gradient)
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


def parts_of(residual: Residual) -> Parts:
    """Return what each part of a refined pair tells."""
    shape = residual.template.mask.shape
    ndim = len(shape)
    side = max(LEAST_SIDE, -(-max(shape) // MOST_ACROSS[min(ndim, 3)]))
    sums, n, total = box_sums(residual, side, products=True)
    flat = sums.reshape(len(sums), -1)
    products, (r, rr, pixels) = flat[2 * ndim : -3], flat[-3:]
    mean = total / max(n, 1)
    matrices = np.empty((flat.shape[1], ndim, ndim))
    for product, i, j in zip(products, *np.triu_indices(ndim), strict=True):
        matrices[:, i, j] = matrices[:, j, i] = product
    scores = flat[:ndim] - mean * flat[ndim : 2 * ndim]
    return Parts(scores.T, matrices, rr - 2 * mean * r + mean**2 * pixels, pixels)
