"""What images binned by b say of the variances in the overlap at every block of b x b lags.

Sums over one image under the other's mask change slowly from lag to lag. Pixels that are under the mask at
every lag of a block (the core), and those that are so at some (the shell around it), are known from
images binned by b. The core bounds the variances from below, the shell bounds the sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from maskreg.core.centred import CentredImage
from maskreg.core.plan import window_length
from maskreg.core.spectra import SINGLE, rounding

SMALL_BLOCK, BLOCK = 8, 16
"""Blocks have so many pixels along an axis; smaller ones where these are no more than"""

SMALL_BLOCKS = 64
"""on the longest axis."""

COUNT, SUM, SQUARE, SIZE, CORE, SHELL = range(6)
"""What is known of each block, see `maskreg.core.bound_kernels.block_parts_2d`."""

PAIRS = np.array(
    [
        (COUNT, CORE),
        (COUNT, SHELL),
        (CORE, COUNT),
        (SUM, CORE),
        (SQUARE, CORE),
        (SIZE, SHELL),
        (CORE, SUM),
        (CORE, SQUARE),
        (SHELL, SIZE),
    ]
)
"""What of reference meets what of moving in each sum."""


@dataclass(frozen=True)
class LagBlocks:
    """Bounds for blocks of lags, both images' squares summing to 1.

    Attributes
    ----------
    size : int
        Lags per block and axis.
    first : (int, int)
        The first lag of the first block along each axis.
    slack : (m, n) ndarray of float64
        By how much the covariance may exceed the sum of products.
    root : (m, n) ndarray of float64
        Least square root of the product of both energies; 0 = unknown.
    possible : (m, n) ndarray of bool
        Whether a lag of the block may have overlap enough.
    least_overlap : (float, float)
        The threshold lies between these, pixels.
    """

    size: int
    first: tuple[int, int]
    slack: NDArray[np.float64]
    root: NDArray[np.float64]
    possible: NDArray[np.bool_]
    least_overlap: tuple[float, float]

    def upper(self, products: NDArray[np.floating[Any]], more: float) -> NDArray[np.float64]:
        """Return the greatest possible NCC of each block; -inf where no lag is allowed.

        Parameters
        ----------
        products : (m, n) ndarray
            The greatest sum of products of each block, but for
        more : float
        """
        covariance = np.maximum(products + (self.slack + more), 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            bound = covariance / self.root
        return np.where(self.possible, np.where(covariance > 0, bound, 0), -np.inf)

    def of(self, lags: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the indices of the blocks in which lags lie."""
        rows, columns = ((lags - self.first) // self.size).T
        return rows, columns

    def spans_of(self, blocks: NDArray[np.bool_]) -> list[tuple[int, int]]:
        """Return the first lag of the blocks along each axis, and the one after the last."""
        return [
            (first + self.size * int(where.min()), first + self.size * (int(where.max()) + 1))
            for first, where in zip(self.first, np.nonzero(blocks), strict=True)
        ]


def lag_blocks(reference: CentredImage, moving: CentredImage, least: float) -> LagBlocks | None:
    """Return bounds for all blocks that may be allowed, or None where they would be of no use.

    Parameters
    ----------
    reference, moving : CentredImage
        Of two axes; shapes may differ.
    least : float
        Least overlap, as a fraction of the greatest of any lag.
    """
    longest = max(*reference.mask.shape, *moving.mask.shape)
    size = SMALL_BLOCK if longest <= SMALL_BLOCK * SMALL_BLOCKS else BLOCK
    return _bounds(reference, moving, size, least, None)


def finer_blocks(
    reference: CentredImage, moving: CentredImage, coarse: LagBlocks, chosen: NDArray[np.bool_]
) -> LagBlocks | None:
    """Return bounds for blocks of half the size, from the first to the last chosen one along each axis."""
    return _bounds(reference, moving, coarse.size // 2, coarse.least_overlap, coarse.spans_of(chosen))


def _bounds(
    reference: CentredImage,
    moving: CentredImage,
    size: int,
    least: float | tuple[float, float],
    spans: list[tuple[int, int]] | None,
) -> LagBlocks | None:
    """Return bounds for blocks of `size`, between all lags or those of the spans.

    `least` is a fraction of the greatest overlap, or between what pixels the threshold lies.
    """
    from maskreg.core.bound_kernels import block_bounds_2d

    found = _sums(reference, moving, size, spans)
    if found is None:  # scattered masks leave no block whole
        return None
    sums, errors, first = found
    n_least, n_most, means, root = block_bounds_2d(sums, errors, 2 * SINGLE)
    if isinstance(least, float):
        most = float(n_least.max()), float(n_most.max())
        if reference.mask is moving.mask:
            most = (float(np.count_nonzero(reference.mask)),) * 2
        least = least * most[0], least * most[1]
    possible = (n_most > 0) & (n_most >= least[0])
    if np.count_nonzero(possible & (root <= 0)) >= (np.count_nonzero(possible) + 1) // 2:
        return None
    inside = tuple(slice(int(where.min()), int(where.max()) + 1) for where in np.nonzero(possible))
    return LagBlocks(
        size,
        (size * (first[0] + inside[0].start), size * (first[1] + inside[1].start)),
        -means[inside],
        root[inside],
        possible[inside],
        least,
    )


def _sums(
    reference: CentredImage, moving: CentredImage, size: int, spans: list[tuple[int, int]] | None
) -> tuple[NDArray[np.float32], NDArray[np.float64], list[int]] | None:
    """Return the sums of `PAIRS` at every block of lags, their greatest errors, and the first block.

    None where a mask leaves no block and its neighbours whole.
    """
    from maskreg.core.bound_kernels import block_parts_2d, pair_products_2d

    # a block of nothing surrounds each image
    shapes = [[-(-n // size) + 2 for n in image.mask.shape] for image in (reference, moving)]
    sides = list(zip(*shapes, strict=True))
    if spans is None:
        first, end = [1 - q for _, q in sides], [p for p, _ in sides]
    else:
        first, end = ([lag // size for lag in lags] for lags in zip(*spans, strict=True))
    window = tuple(
        window_length(p, q, max(-low, high)) for (p, q), low, high in zip(sides, first, end, strict=True)
    )
    norms, spectra = [], []
    # moving's mask reaches over earlier blocks as the lag grows, reference's over later ones;
    # reference is moved so that the first lag comes first
    for image, later, offset in ((reference, True, (-first[0], -first[1])), (moving, False, (0, 0))):
        parts = block_parts_2d(image.unit, image.mask, size, later, offset, window)
        if not parts[CORE].any():
            return None
        norms.append(np.sqrt(np.einsum("kij,kij->k", parts, parts)).astype(float))
        spectra.append(scipy.fft.rfft2(parts))
    products = pair_products_2d(*spectra, PAIRS)
    sums = scipy.fft.irfft2(products, window, overwrite_x=True)
    kept = sums[:, : end[0] - first[0], : end[1] - first[1]]
    errors = norms[0][PAIRS[:, 0]] * norms[1][PAIRS[:, 1]] * rounding(window)
    return kept, errors, first
