"""Weigh the gradient by what it tells at each place and in each direction.

The low-pass of `frequencies.spectrum` is best on average over the image. But rings have no gradient along
themselves and none between them, and there G brings its own noise only. With J the signal and N the noise
in the local mean of G Gᵀ, the variance of a shift from W G in place of G is least for

    W = 2 J (2 J + N)⁻¹,

equation (1) of `spectrum` with places and directions instead of frequencies. It depends on the reference
only, so that a frame costs the same. J is known from a noisy image; so W is one where it promises little,
as where the gradient is everywhere alike (texture): there the differences that show are chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskreg.core.frequencies.gains import NoiseGains, Promised
from maskreg.core.frequencies.wiener import CAUTION, with_eigenvalues
from maskreg.core.image.detail import plain_between_blocks
from maskreg.core.image.filters import gaussian
from maskreg.core.image.pyramid import block_sums

BLOCK = 4
"""J is the mean over blocks of so many px a side,"""

WINDOW_PX = 8.0
"""and over their neighbours under a Gaussian of this sigma, px."""

REACH = 3.0
"""The Gaussian ends at this many sigma."""

WORTH = 1.01
"""The variance of the shift must promise to fall by this factor."""

SIGNAL = (1.0, 20.0)
"""The spectrum must promise so much signal in the products of gradient and slope, in units of their noise:
what a noisier J shows is chance, and without noise there is nothing to gain."""

FEWEST_BLOCKS = 16
"""An image of fewer blocks along an axis is no larger than a few windows."""


@dataclass(frozen=True)
class Kept:
    """What the weights leave of the noise, whose variance at a pixel is v.

    Attributes
    ----------
    slope : (ndim, ndim) ndarray of float64
        Of its products with its slope: mean of v W over that of v.
    energy : (ndim, ndim) ndarray of float64
        Of its energy: mean of v² W Wᵀ over that of v².
    """

    slope: NDArray[np.float64]
    energy: NDArray[np.float64]

    def at_least(self, promise: Promised) -> Promised:
        """Return what is left of a signal, which is weighted no less than the noise."""
        slope, energy = (float(np.trace(m)) / len(m) for m in (self.slope, self.energy))
        return Promised(slope * promise.jacobian, energy * promise.energy)


def weighted(
    gradient: NDArray[np.float32],
    mask: NDArray[np.bool_],
    noise: NDArray[np.float32],
    gains: NoiseGains,
    promise: Promised,
) -> tuple[NDArray[np.float32], Kept]:
    """Return W G and what W leaves of the noise; W is one where it promises nothing.

    Parameters
    ----------
    gradient : (ndim, ...) ndarray of float32
        G. It is weighted if it has two axes.
    mask : ndarray of bool
        Where it is used.
    noise : ndarray of float32
        Variance of each pixel's noise, before the low-pass.
    gains : NoiseGains
    promise : Promised
        Of G.
    """
    as_it_is = gradient, Kept(np.eye(mask.ndim), np.eye(mask.ndim))
    known = SIGNAL[0] <= promise.jacobian / max(gains.slope, 1e-30) < SIGNAL[1]
    if not known or mask.ndim != 2 or min(mask.shape) < FEWEST_BLOCKS * BLOCK:
        return as_it_is
    used = mask.astype(np.float32)
    number = _near(used)
    used *= noise
    v = _near(used)
    part = np.maximum(number, np.float32(1e-3))
    rows, cross, cols = (
        _near(mask * one * other) / part
        for one, other in ((gradient[0],) * 2, (gradient[0], gradient[1]), (gradient[1],) * 2)
    )
    local = local_weights(rows, cross, cols, np.float32(gains.gradient) * v / part)
    if not local.promises(number, v / part):
        return as_it_is
    return applied(local.matrix(), gradient, used)


def plain_weights(
    rows: NDArray[np.float64],
    cross: NDArray[np.float64],
    cols: NDArray[np.float64],
    noise: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return W, (..., 2, 2), from the elements of the local mean of G Gᵀ and its noise, by the formula."""
    values, vectors = np.linalg.eigh(np.stack([rows, cross, cross, cols], -1).reshape(*rows.shape, 2, 2))
    signal = np.maximum(values - CAUTION * noise[..., None], 0)
    weights = 2 * signal / np.maximum(2 * signal + CAUTION * noise[..., None], 1e-30)
    return np.asarray(np.einsum("...ik,...k,...jk->...ij", vectors, weights, vectors))


@dataclass(frozen=True)
class Local:
    """Along and across the strongest direction of each block's neighbourhood.

    Attributes
    ----------
    half, cross, radius : ndarray
        (T_00 - T_11) / 2, T_01 and their length: where that direction points.
    energy, weights : (2, ...) ndarray
        Eigenvalues of T, the local mean of G Gᵀ, and of W.
    noise : ndarray
        N.
    """

    half: NDArray[np.floating]
    cross: NDArray[np.floating]
    radius: NDArray[np.floating]
    energy: NDArray[np.floating]
    weights: NDArray[np.floating]
    noise: NDArray[np.floating]

    def promises(self, number: NDArray[np.floating], v: NDArray[np.floating]) -> bool:
        """Whether the shift's variance M / A² is enough less with the weights.

        A = sum of w J and M = sum of w² v (2 J + N), over `number` pixels with noise `v`.
        """
        signal = self.energy - self.noise
        spread = v * (2 * signal + self.noise)
        plain, told = (float((number * w * signal).sum()) for w in (1, self.weights))
        made_plain, made = (float((number * w**2 * spread).sum()) for w in (1, self.weights))
        return told**2 * made_plain > WORTH * plain**2 * made

    def matrix(self) -> NDArray[np.float32]:
        """Return W as its elements (row row, row col, col col)."""
        along, across = self.weights
        return with_eigenvalues(along, across, self.half, self.cross, self.radius)


def local_weights(
    rows: NDArray[np.floating],
    cross: NDArray[np.floating],
    cols: NDArray[np.floating],
    noise: NDArray[np.floating],
) -> Local:
    """Return the weights from the elements of the local mean of G Gᵀ, and the noise in either component."""
    half = (rows - cols) / 2
    radius = np.hypot(half, cross)
    energy = (rows + cols) / 2 + np.stack([radius, -radius])
    below = np.float32(CAUTION) * noise
    signal = np.maximum(energy - below, 0)
    return Local(half, cross, radius, energy, 2 * signal / np.maximum(2 * signal + below, 1e-30), noise)


def _near(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean under the window around each block; zeros stand beyond the border."""
    return gaussian(block_sums(field, BLOCK), WINDOW_PX / BLOCK, REACH)


def applied(
    matrix: NDArray[np.float32], gradient: NDArray[np.float32], noise: NDArray[np.float32]
) -> tuple[NDArray[np.float32], Kept]:
    """Return the gradient of each pixel times the matrix there, between the blocks by straight lines."""
    from maskreg.core.subpixel.local_weight_kernels import weighted_gradient_2d

    out, sums = weighted_gradient_2d(matrix, BLOCK, gradient, noise)
    return out, Kept(*map(_mean, sums))


def plain_applied(
    matrix: NDArray[np.float32], gradient: NDArray[np.float32], noise: NDArray[np.float32]
) -> tuple[NDArray[np.float32], Kept]:
    """Return what `applied` does, by arrays."""
    rows, cross, cols = (plain_between_blocks(one, BLOCK, *noise.shape) for one in matrix)
    out = np.stack([rows * gradient[0] + cross * gradient[1], cross * gradient[0] + cols * gradient[1]])
    v = noise.astype(np.float64)
    one = np.ones_like(v)
    slope, energy = (
        np.array([(weight * element).sum() for element in (one, *elements)])
        for weight, elements in (
            (v, (rows, cross, cols)),
            (v * v, (rows**2 + cross**2, cross * (rows + cols), cross**2 + cols**2)),
        )
    )
    return out.astype(np.float32), Kept(_mean(slope), _mean(energy))


def _mean(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weighted mean of symmetric matrices from the sums of weights and weighted elements."""
    weight, rows, cross, cols = sums
    return np.array([[rows, cross], [cross, cols]]) / max(float(weight), 1e-30)
