"""Noise that neighbours share: how much of it the gradient sees.

The covariance of a refined shift takes the residual's variance for that of noise that is white. A
detector whose point spread comes after the counting has more of its noise at low frequencies, which
are those the gradient G sees, and interpolation takes some off the highest. How much the sum of G
times the residual scatters follows from the residual's lagged products C(k) and those of G, Gamma(k),

    var = sum over k of Gamma(k) C(k),

against Gamma(0) C(0) for white noise. C is read off one block of the residual: that costs little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from maskreg.core.image.interpolate import noise_kept
from maskreg.core.subpixel.normal_matrices import NormalMatrices
from maskreg.core.subpixel.residual import Residual
from maskreg.core.subpixel.template import Template
from maskreg.core.uncertainty.residual_kernels import seen_noise_2d

SIDE = {1: 2**14, 2: 128, 3: 24}
"""Of the block, px: so many pixels tell the factor to some per cent."""

REACH = 5
"""Noise is shared over at most so many pixels along each axis."""

BESIDE = 2
"""A pattern is shared by all pixels that are so near along each axis, and by more."""

FEWEST = 1000
"""Of fewer pixels nothing is read off."""

LEAST_SEEN = 0.25
"""Less noise than this part is not believed: a few electrons may make products that sum to none at all."""


@dataclass(frozen=True)
class Block:
    """Where the residual is looked at, and what the gradient sees there.

    Attributes
    ----------
    slices : tuple of slice
        Of the template.
    weights : (ndim + 1, ...) ndarray of float64
        Gamma(k) / Gamma(0) of each component of G, for k from -REACH to REACH along each axis; then one as
        far as `BESIDE`.
    """

    slices: tuple[slice, ...]
    weights: NDArray[np.float64]


def find_block(template: Template) -> Block | None:
    """Return the block with the steepest gradients; None if the template is too small to tell."""
    shape = template.mask.shape
    sides = [min(n, SIDE[min(len(shape), 3)]) for n in shape]
    if min(sides) <= 2 * REACH or np.count_nonzero(template.mask) < FEWEST:
        return None
    energy = (template.gradient**2).sum(axis=0) * template.mask
    slices: list[slice] = []
    for axis, side in enumerate(sides):
        others = tuple(k for k in range(len(shape)) if k != axis)
        total = np.append(0.0, np.cumsum(energy.sum(axis=others, dtype=np.float64)))
        start = int(np.argmax(total[side:] - total[:-side]))
        slices.append(slice(start, start + side))
        energy = np.moveaxis(np.moveaxis(energy, axis, 0)[slices[axis]], 0, axis)
    block, reach = tuple(slices), (REACH,) * len(shape)
    products = np.stack([lagged(field[block] * template.mask[block], reach) for field in template.gradient])
    middle = products.reshape(len(shape), -1)[:, products[0].size // 2]
    if not (middle > 0).all():
        return None
    weights = products / middle.reshape((-1,) + (1,) * len(shape))
    beside = np.pad(np.ones((2 * BESIDE + 1,) * len(shape)), REACH - BESIDE)
    return Block(block, np.concatenate([weights, beside[None]]))


class SeenNoise(NamedTuple):
    """What noise is seen in a residual, over white noise of its size.

    Attributes
    ----------
    components : (ndim,) ndarray of float64
        By each component of G.
    beside : float
        By the sum over the pixels that are no further than `BESIDE` along each axis: a pattern is much there.
    """

    components: NDArray[np.float64]
    beside: float


def seen_noise(block: Block, residual: Residual) -> SeenNoise | None:
    """Return what noise is seen in a block of a residual; None where too few of its pixels are common."""
    look = compiled_seen_noise if residual.moving.ndim == 2 else plain_seen_noise
    n, _, _, seen = look(block, residual)
    if n < FEWEST or np.isnan(seen).any():
        return None
    return SeenNoise(np.maximum(seen[:-1], LEAST_SEEN), float(seen[-1]))


Seen = tuple[int, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Number of common pixels; sums over the common pixels x, x + k of the residual's products, its mean off, and
how many such pairs there are, for k from -REACH to REACH along each axis; what `seen_noise` says, or NaN."""


def compiled_seen_noise(block: Block, residual: Residual) -> Seen:
    """Return what `plain_seen_noise` does, of two axes."""
    template, (rows, columns) = residual.template, block.slices
    n, products, pairs, seen = seen_noise_2d(
        template.pixels, template.mask, residual.moving, residual.usable,
        rows.start, rows.stop, columns.start, columns.stop,
        residual.lag, np.asarray(residual.shift, np.float64), np.float32(residual.gain), REACH, block.weights,
    )  # fmt: skip
    return int(n), products, pairs, seen


def plain_seen_noise(block: Block, residual: Residual) -> Seen:
    """Return what a block's residual says, by transforms, for any number of axes."""
    n, products, pairs = plain_residual_products(block, residual)
    shared = products / np.maximum(pairs, 1)
    middle = float(shared[(REACH,) * shared.ndim])
    if not middle > 0:
        return n, products, pairs, np.full(len(block.weights), np.nan)
    axes = tuple(range(1, shared.ndim + 1))
    found = (block.weights * shared).sum(axis=axes) / middle
    # white noise as well: interpolation takes of moving's what G hardly sees
    return n, products, pairs, np.maximum(found * (1 + noise_kept(residual.shift)) / 2, 0.0)


def plain_residual_products(
    block: Block, residual: Residual
) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
    """Return number of common pixels, products and pairs, as in `Seen`."""
    values, common = residual.over(block.slices)
    n = int(np.count_nonzero(common))
    if n == 0:
        none = np.zeros((2 * REACH + 1,) * values.ndim)
        return 0, none, none
    values = np.where(common, values - values[common].mean(dtype=np.float64), 0).astype(np.float32)
    reach = (REACH,) * values.ndim
    return n, lagged(values, reach), lagged(common.astype(np.float32), reach)


def scaled(
    covariance: NDArray[np.float64], normal: NormalMatrices, seen: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the covariance A^-1 M A^-T with each component of M scaled by what G sees.

    What is open along blind directions stays.
    """
    turned = (normal.inverse * np.sqrt(seen)) @ normal.jacobian
    if normal.blind.size:
        turned += normal.blind @ normal.blind.T
    return np.asarray(turned @ covariance @ turned.T)


def lagged(field: NDArray[np.float32], reach: Sequence[int]) -> NDArray[np.float64]:
    """Return the sums of field(x) field(x + k) for k from -reach to reach along each axis."""
    shape = [scipy.fft.next_fast_len(n + k, True) for n, k in zip(field.shape, reach, strict=True)]
    spectrum = scipy.fft.rfftn(field, shape)
    products = scipy.fft.irfftn(spectrum.real**2 + spectrum.imag**2, shape)
    for axis, k in enumerate(reach):
        products = products.take(np.arange(-k, k + 1), axis, mode="wrap")
    return np.asarray(products, np.float64)
