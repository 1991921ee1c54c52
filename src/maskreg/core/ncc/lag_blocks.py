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

from maskreg.core.machine.in_parallel import in_parallel
from maskreg.core.ncc.centred import CentredImage
from maskreg.core.ncc.lag_sums import SINGLE, rounding
from maskreg.core.plan import window_length

SMALL_BLOCK, BLOCK = 8, 16
"""Blocks have so many pixels along an axis; smaller ones where these are no more than"""

SMALL_BLOCKS = 64
"""on the longest axis."""

COUNT, CORE, SHELL = range(3)
"""What is known of a mask in each block, see `ncc.bound_kernels.mask_blocks_2d`."""

SUM, SQUARE, SIZE = range(3)
"""What is known of the pixels in each block, see `ncc.bound_kernels.block_sums_2d`."""

OF_MASKS = np.array([(COUNT, CORE), (COUNT, SHELL), (CORE, COUNT)])
"""What of reference's mask meets what of moving's in each sum."""

OF_REFERENCE = np.array([(SUM, CORE), (SQUARE, CORE), (SIZE, SHELL)])
"""What of reference's pixels meets what of moving's mask."""

OF_MOVING = np.ascontiguousarray(OF_REFERENCE[:, ::-1])
"""What of reference's mask meets what of moving's pixels."""


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
    from maskreg.core.ncc.bound_kernels import block_bounds_2d

    found = _sums(reference, moving, size, spans)
    if found is None:  # scattered masks leave no block whole
        return None
    sums, errors, first = found
    n_least, n_most, means, root = block_bounds_2d(*sums, errors, 2 * SINGLE)
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
) -> tuple[list[NDArray[np.float32]], NDArray[np.float64], list[int]] | None:
    """Return the sums of the three kinds at every block of lags, their greatest errors, and the first block.

    None where a mask leaves no block and its neighbours whole.
    """
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
    grid = _Grid(size, window, tuple(first), tuple(end))
    masks = _Masks.of(reference, moving, grid)
    if masks is None:
        return None
    found = [masks.sums, masks.sums, masks.sums]

    def sum_of(k: int) -> None:
        found[k + 1] = (_of_reference, _of_moving)[k](reference, moving, masks, grid)

    in_parallel(sum_of, 2)
    return [sums for sums, _ in found], np.concatenate([errors for _, errors in found]), first


@dataclass(frozen=True)
class _Grid:
    """The blocks, and how they are transformed.

    Attributes
    ----------
    size : int
        Pixels per block and axis.
    window : (int, int)
        Lengths of the transforms.
    first, end : (int, int)
        The first block of lags along each axis, and the one after the last.
    """

    size: int
    window: tuple[int, ...]
    first: tuple[int, ...]
    end: tuple[int, ...]

    @property
    def offset(self) -> tuple[int, ...]:
        """By how much reference is moved, so that the first lag comes first."""
        return tuple(-lag for lag in self.first)

    def sums(self, reference: _Blocks, moving: _Blocks, pairs: NDArray[np.intp]) -> _Sums:
        """Return the sums of pairs at every block of lags, and their greatest errors."""
        from maskreg.core.ncc.bound_kernels import pair_products_2d

        products = pair_products_2d(reference.spectra, moving.spectra, pairs)
        errors = reference.norms[pairs[:, 0]] * moving.norms[pairs[:, 1]] * rounding(self.window)
        sums = scipy.fft.irfft2(products, self.window, overwrite_x=True, workers=1)
        rows, columns = (slice(end - first) for first, end in zip(self.first, self.end, strict=True))
        return np.ascontiguousarray(sums[:, rows, columns]), errors


_Sums = tuple[NDArray[np.float32], NDArray[np.float64]]
"""(3, m, n), and of each of the three the greatest error."""


@dataclass(frozen=True)
class _Blocks:
    """Transforms of what blocks hold.

    Attributes
    ----------
    spectra : (parts, m, n) ndarray of complex64
    norms : (parts,) ndarray of float64
        Of each part the root of the sum of squares.
    """

    spectra: NDArray[np.complex64]
    norms: NDArray[np.float64]

    @property
    def nbytes(self) -> int:
        return self.spectra.nbytes + self.norms.nbytes

    @classmethod
    def of(cls, parts: NDArray[np.float32]) -> _Blocks:
        norms = np.sqrt(np.einsum("kij,kij->k", parts, parts)).astype(float)
        # more threads would take longer to begin than a transform takes
        return cls(scipy.fft.rfft2(parts, workers=1), norms)


@dataclass(frozen=True)
class _Masks:
    """Blocks of both masks, and the sums of `OF_MASKS`."""

    reference: _Blocks
    moving: _Blocks
    sums: _Sums

    @property
    def nbytes(self) -> int:
        return self.reference.nbytes + self.moving.nbytes + sum(x.nbytes for x in self.sums)

    @classmethod
    def of(cls, reference: CentredImage, moving: CentredImage, grid: _Grid) -> _Masks | None:
        """Return what is kept or made of the masks; None where one of them leaves no block whole.

        Reference's mask reaches over later blocks as the lag grows, moving's over earlier ones.
        """
        from maskreg.core.ncc.bound_kernels import mask_blocks_2d

        kept, name = moving.kept_of_masks, f"blocks of {grid.size}"
        found: _Masks | None = kept.find(name, grid)
        nothing = f"no {name}"
        if found is not None or kept.find(nothing, grid) is not None:
            return found
        a = mask_blocks_2d(reference.mask, grid.size, True, grid.offset, grid.window)
        b = mask_blocks_2d(moving.mask, grid.size, False, (0, 0), grid.window) if a[CORE].any() else a
        if not b[CORE].any():
            kept.put(nothing, grid, np.ones(1, bool))
            return None
        both = _Blocks.of(a), _Blocks.of(b)
        found = cls(*both, grid.sums(*both, OF_MASKS))
        kept.put(name, grid, found)
        return found


def _of_reference(reference: CentredImage, moving: CentredImage, masks: _Masks, grid: _Grid) -> _Sums:
    """Return the sums of `OF_REFERENCE`."""
    from maskreg.core.ncc.bound_kernels import block_sums_2d

    name = f"blocks of {grid.size}"

    def blocks() -> _Blocks:
        return _Blocks.of(block_sums_2d(reference.unit, grid.size, grid.offset, grid.window))

    def sums() -> _Sums:
        return grid.sums(reference.kept.get(name, grid, blocks), masks.moving, OF_REFERENCE)

    return moving.kept.get(f"sums of {name}", grid, sums)


def _of_moving(_: CentredImage, moving: CentredImage, masks: _Masks, grid: _Grid) -> _Sums:
    """Return the sums of `OF_MOVING`."""
    from maskreg.core.ncc.bound_kernels import block_sums_2d

    blocks = _Blocks.of(block_sums_2d(moving.unit, grid.size, (0, 0), grid.window))
    return grid.sums(masks.reference, blocks, OF_MOVING)
