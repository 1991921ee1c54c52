"""The lag of the greatest masked NCC, proven, without computing every lag's coefficient.

Of the sums that make a coefficient only one, that of the products, changes quickly from lag to lag:
it is transformed at full resolution. The others are sums over one image under the other's mask.
Lags are taken in blocks of b; pixels that are under the mask at every lag of a block (the core), and
those that are so at some (the shell around it), are known from images binned by b. The core bounds
the variances from below, the shell bounds the sums, and so every lag's coefficient is bounded from
above. The lags are looked at one by one, the highest bound first, until no bound reaches the best value
(images of two axes: `maskreg.core.race_kernels`; others are summed directly).

Where many lags stay (a broad peak, masks of scattered pixels), all sums are transformed for these, in
single precision. Those that rounding may have kept from the first place are summed directly. Two
lags that are equal within rounding prove nothing, and the answer is None: compute all lags then.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from maskreg.core.correlate import lag_map, reference_terms
from maskreg.core.overlap import overlap_sums
from maskreg.core.plan import window_length
from maskreg.core.spectra import cross, cross_rows, half_transform, spectra_of, transform
from maskreg.geometry import lag_axis, overlap_slices

BLOCKS_PER_SIDE = 256
"""Images are binned to at most so many blocks along an axis."""

ENOUGH_BLOCKS = 64
"""So many are enough while the bins are small: what more of them save is less than the time they take."""

SMOOTH_BIN, ROUGH_BIN = 4, 8
"""What small is, for smooth images, of whose lags many come near to the greatest, and for rough ones."""

SMOOTH = 0.5
"""Part of an image's energy that is in its blocks' means, from which on it is smooth."""

SINGLE = float(np.finfo(np.float32).eps)
"""Rounding of single precision."""

MOST_DIRECT = 16
"""If more lags than this would have to be summed directly, transforming all sums is as quick."""

FEW_BLOCKS = 64
FEW_LAGS = 6
"""So many lags, in no more than so many blocks, are summed directly: sooner than anything is prepared."""

MOST_OPENED = 2**14
"""If more lags than this would have to be looked at, transforming all sums is as quick."""

MOST_LOOKED_UP = 2_000_000
"""No more look-ups of rectangles of ignored pixels than this, for the same reason."""

EQUAL = 1e-9
"""Coefficients nearer than this may be equal but for rounding: which is greater is not proven."""


@dataclass(frozen=True)
class CentredImage:
    """An image whose masked mean is off.

    Attributes
    ----------
    pixels : ndarray of float64
        Zero where ignored.
    mask : ndarray of bool
        True = valid.
    energy : float
        Sum of squares.
    """

    pixels: NDArray[np.float64]
    mask: NDArray[np.bool_]
    energy: float

    @classmethod
    def of(cls, pixels: NDArray[Any], mask: NDArray[np.bool_]) -> CentredImage:
        """Take the masked mean off; the scale becomes a power of two near 1, so nothing overflows."""
        out = np.where(mask, pixels, 0).astype(np.float64, copy=False)
        count = int(np.count_nonzero(mask))
        largest = max(float(out.max(initial=0)), -float(out.min(initial=0)))
        if count and largest > 0:
            out *= math.ldexp(1.0, -math.frexp(largest)[1])
            out -= float(out.sum()) / count
            out *= mask
        flat = out.ravel()
        return cls(out, mask, float(flat @ flat))


def single_precision(image: CentredImage) -> NDArray[np.float32]:
    """Return the pixels, scaled so that their squares sum to 1."""
    return np.multiply(image.pixels, 1 / math.sqrt(image.energy), dtype=np.float32, casting="same_kind")


def side_by_side(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Return what `function` makes of each item, on as many threads as transforms may use."""
    workers = scipy.fft.get_workers()
    if workers == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(min(workers, len(items))) as pool:
        return list(pool.map(function, items))


def greatest_ncc_lag(reference: CentredImage, moving: CentredImage, least: float) -> tuple[int, ...] | None:
    """Return the lag of the greatest masked NCC.

    Parameters
    ----------
    reference, moving : CentredImage
        The same number of axes; shapes may differ.
    least : float
        Least overlap, as a fraction of the greatest of any lag.

    Returns
    -------
    tuple of int or None
        As `maskreg.geometry` counts lags; None where no single lag is proven to be the greatest,
        or the greatest is not positive.
    """
    if min(reference.energy, moving.energy) <= 0:
        return None
    race = _Race(reference, moving)
    bounds = _block_bounds(reference, moving, least)
    if bounds is None:
        return race.among(*_likeliest_lags(reference, moving, None, least))
    products = _products(reference, moving, bounds)
    upper = bounds.upper(products.block_maxima)
    if len(products.values.shape) == 2:
        spans, lags = _finalists(race, products, bounds, upper)
        if lags is None:
            lags, _ = _likeliest_lags(reference, moving, spans, least)
        return race.among(lags, bounds.least_overlap)
    for lag, bound in _descending(upper, products, bounds):
        if bound < race.best - EQUAL:
            return race.winner
        if race.length >= MOST_DIRECT:
            spans = bounds.spans_of(upper >= race.best - EQUAL)
            lags, _ = _likeliest_lags(reference, moving, spans, least)
            return race.among(lags, bounds.least_overlap)
        race.add(lag, bounds.least_overlap)
    return race.winner


def _finalists(
    race: _Race, products: _Products, bounds: _Bounds, upper: NDArray[Any]
) -> tuple[list[tuple[int, int]], list[tuple[int, ...]] | None]:
    """Return the spans of lags that may be the greatest, and these lags; None for too many of them."""
    from maskreg.core.race_kernels import cumulated_2d, holes_2d, race_2d

    reference, moving = race.images
    race.add(_likely_lag(products, bounds, upper), bounds.least_overlap)
    hopeful = upper >= race.best - EQUAL
    spans = bounds.spans_of(hopeful)
    order = np.argwhere(hopeful)
    few = _few_lags(products, bounds, order, race.best)
    if few is not None:
        return spans, few
    order = order[np.argsort(-upper[hopeful], kind="stable")]
    rows = spans[0]
    holes = [holes_2d(image.mask) for image in race.images]
    wanted = (
        _wanted_rows(reference, moving, holes[1], rows),
        _wanted_rows(moving, reference, holes[0], (1 - rows[1], 1 - rows[0])),
    )
    sides = side_by_side(
        lambda side: (*cumulated_2d(side[0].pixels, side[0].mask, side[1]), side[2]),
        list(zip(race.images, wanted, holes, strict=True)),
    )
    most = min(MOST_OPENED, MOST_LOOKED_UP // (1 + len(holes[0]) + len(holes[1])))
    found, ncc = np.empty((MOST_OPENED, 2), np.intp), np.empty(MOST_OPENED)
    count, best = race_2d(
        *sides[0],
        *sides[1],
        most,
        race.best,
        (reference.energy, moving.energy),
        products.values,
        products.scale,
        _product_rounding(reference) * products.scale,
        order,
        upper,
        bounds.covariance_slack,
        bounds.root,
        bounds.first,
        bounds.bin,
        *bounds.least_overlap,
        EQUAL,
        found,
        ncc,
    )
    spans = bounds.spans_of(upper >= best - EQUAL)
    lags: list[tuple[int, ...]] = [(int(i), int(j)) for i, j in found[: max(count, 0)]]
    return spans, lags if 0 <= count <= MOST_DIRECT else None


def _few_lags(
    products: _Products, bounds: _Bounds, blocks: NDArray[np.intp], best: float
) -> list[tuple[int, ...]] | None:
    """Return the lags of two axes that may exceed `best`; None if these are many."""
    if not 0 < len(blocks) <= FEW_BLOCKS:
        return None
    at = tuple(blocks.T)
    lags = [
        f + bounds.bin * i[:, None] + np.arange(bounds.bin) for f, i in zip(bounds.first, at, strict=True)
    ]
    places = (lags[0] - bounds.first[0])[:, :, None], (lags[1] % products.values.shape[1])[:, None, :]
    least = (best - EQUAL) * bounds.root[at] - bounds.covariance_slack[at]
    block, i, j = np.nonzero(products.scale * products.values[places] >= least[:, None, None])
    if len(block) > FEW_LAGS:
        return None
    return [(int(lags[0][k, m]), int(lags[1][k, n])) for k, m, n in zip(block, i, j, strict=True)]


def _likely_lag(products: _Products, bounds: _Bounds, upper: NDArray[Any]) -> tuple[int, int]:
    """Return the lag of the greatest product in the block of the highest bound, of two axes."""
    i, j = (int(k) for k in np.unravel_index(int(upper.argmax()), upper.shape))
    b, first = bounds.bin, bounds.first
    columns = (first[1] + b * j + np.arange(b)) % products.values.shape[1]
    block = products.values[b * i : b * i + b][:, columns]
    row, column = (int(k) for k in np.unravel_index(int(block.argmax()), block.shape))
    return first[0] + b * i + row, first[1] + b * j + column


def _wanted_rows(
    image: CentredImage, other: CentredImage, holes: NDArray[Any], lags: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return which rows of cumulated sums the other image's borders and ignored pixels meet."""
    rows = image.mask.shape[0]
    edges = np.unique(np.concatenate([[0, other.mask.shape[0]], holes[:, 0], holes[:, 1]]))
    change = np.zeros(rows + 2, int)
    np.add.at(change, np.clip(edges + lags[0], 0, rows), 1)
    np.add.at(change, np.clip(edges + lags[1] - 1, 0, rows) + 1, -1)
    wanted = np.cumsum(change)[: rows + 1] > 0
    wanted[[0, rows]] = True
    return np.asarray(wanted)


def _product_rounding(reference: CentredImage) -> float:
    """Return by how much a transformed sum of products may be wrong, over the root of both energies."""
    window_pixels = math.prod(2 * n for n in reference.mask.shape)
    return 4 * SINGLE * math.sqrt(math.log2(max(2, window_pixels)))


class _Race:
    """Lags that are summed directly, and the one that is ahead."""

    def __init__(self, reference: CentredImage, moving: CentredImage) -> None:
        self.images = reference, moving
        self._sure: dict[tuple[int, ...], float] = {}
        self._doubtful: dict[tuple[int, ...], float] = {}

    @property
    def length(self) -> int:
        """How many lags were summed."""
        return len(self._sure) + len(self._doubtful)

    @property
    def best(self) -> float:
        """The greatest coefficient so far; 0 if none was positive."""
        return max(0.0, *self._sure.values()) if self._sure else 0.0

    @property
    def winner(self) -> tuple[int, ...] | None:
        """The lag of the greatest coefficient; None if none is positive or another may be as great."""
        ahead = [lag for lag, value in self._sure.items() if value > max(self.best - EQUAL, 0)]
        doubt = any(value > self.best - EQUAL for value in self._doubtful.values())
        return ahead[0] if len(ahead) == 1 and not doubt else None

    def add(self, lag: tuple[int, ...], least_overlap: tuple[float, float]) -> None:
        """Sum a lag; of too little overlap it counts as 0, and where that is not known it is doubtful."""
        if lag in self._sure or lag in self._doubtful:
            return
        a, b = self.images
        sums = overlap_sums(a.pixels, a.mask, b.pixels, b.mask, lag)
        low, high = least_overlap
        column = self._doubtful if low <= sums.n < high else self._sure
        column[lag] = sums.ncc if sums.n >= low else 0.0

    def among(
        self, lags: list[tuple[int, ...]] | None, least_overlap: tuple[float, float]
    ) -> tuple[int, ...] | None:
        """Return the winner of the race that these lags join; None stands for too many of them."""
        if lags is None:
            return None
        for lag in lags:
            self.add(lag, least_overlap)
        return self.winner


def _likeliest_lags(
    reference: CentredImage, moving: CentredImage, spans: list[tuple[int, int]] | None, least: float
) -> tuple[list[tuple[int, ...]] | None, tuple[float, float]]:
    """Return the lags that rounding alone keeps from being the greatest, and between what the threshold is.

    All sums are transformed, in single precision.

    Parameters
    ----------
    reference, moving : CentredImage
    spans : list of (int, int), optional
        First lag of each axis, and the one after the last; default all.
    least : float
        See `greatest_ncc_lag`.
    """
    if reference.mask.ndim == 2:
        return _likeliest_2d(reference, moving, spans or _allowed_spans(reference, moving, least), least)
    return _plain_likeliest(reference, moving, spans, least)


def _allowed_spans(reference: CentredImage, moving: CentredImage, least: float) -> list[tuple[int, int]]:
    """Return, for each axis, between which lags the images meet in pixels enough."""
    shapes = list(zip(reference.mask.shape, moving.mask.shape, strict=True))
    here, there = overlap_slices(reference.mask.shape, moving.mask.shape, (0,) * len(shapes))
    most = min(np.count_nonzero(reference.mask), np.count_nonzero(moving.mask))
    needed = least * float(
        most if reference.mask is moving.mask else np.count_nonzero(reference.mask[here] & moving.mask[there])
    )
    area = math.prod(min(p, q) for p, q in shapes)
    spans = []
    for p, q in shapes:
        # as if the other axes met in full
        width = max(1, min(p, q, math.floor(needed * min(p, q) / area)))
        spans.append((width - q, p - width + 1))
    return spans


def _likeliest_2d(
    reference: CentredImage, moving: CentredImage, spans: list[tuple[int, int]], least: float
) -> tuple[list[tuple[int, ...]] | None, tuple[float, float]]:
    """Return what `_plain_likeliest` does, of images of two axes."""
    from maskreg.core.race_kernels import likeliest_2d

    shapes = zip(reference.mask.shape, moving.mask.shape, spans, strict=True)
    window = tuple(window_length(p, q, max(-low, high - 1)) for p, q, (low, high) in shapes)
    same = reference.mask is moving.mask
    x, y = (single_precision(image) for image in (reference, moving))
    masks = [image.mask.astype(np.float32) for image in (reference, moving)][: 1 if same else 2]
    a, aa, b, bb, *m = side_by_side(
        lambda values: half_transform(values, window), [x, x * x, y, y * y, *masks]
    )
    pairs = [(m[0], m[-1]), (a, m[-1]), (aa, m[-1]), (m[0], b), (m[0], bb), (a, b)]
    maps = side_by_side(lambda pair: cross_rows(pair[0], pair[1], window, spans[0]), pairs)
    rounding = 4 * SINGLE * math.sqrt(math.log2(max(2, math.prod(window))))
    sizes = [float(np.count_nonzero(image.mask)) for image in (reference, moving)]
    error = 1 + rounding * math.sqrt(sizes[0] * sizes[1])
    found = np.empty((MOST_DIRECT, 2), np.intp)
    low, high = spans[1]
    kept, greatest = likeliest_2d(*maps, low, high - low, least, error, rounding, found)
    lags: list[tuple[int, ...]] | None = None
    if kept >= 0:
        lags = [(int(i) + spans[0][0], int(j) + low) for i, j in found[:kept]]
    return lags, (least * (greatest - error), least * (greatest + error))


def _plain_likeliest(
    reference: CentredImage, moving: CentredImage, spans: list[tuple[int, int]] | None, least: float
) -> tuple[list[tuple[int, ...]] | None, tuple[float, float]]:
    """Return what `_likeliest_lags` does, for any number of axes."""
    shapes = list(zip(reference.mask.shape, moving.mask.shape, strict=True))
    lags = tuple(lag_axis(p, q) for p, q in shapes)
    if spans is not None:
        lags = tuple(
            axis[(axis >= low) & (axis < high)] for axis, (low, high) in zip(lags, spans, strict=True)
        )
    window = tuple(
        window_length(p, q, int(np.abs(axis).max())) for (p, q), axis in zip(shapes, lags, strict=True)
    )
    a, b = (np.float32(1 / math.sqrt(image.energy)) for image in (reference, moving))
    terms = reference_terms(
        reference.pixels.astype(np.float32) * a, reference.mask, moving.mask, window, lags
    )
    found = lag_map(
        terms, spectra_of(moving.pixels.astype(np.float32) * b, terms.moving_mask_spectrum, window)
    )
    greatest = float(found.overlap.max())
    error = 1 + terms.rounding * math.sqrt(
        float(np.count_nonzero(reference.mask)) * float(np.count_nonzero(moving.mask))
    )
    enough = found.overlap >= least * (greatest - error) - error
    threshold = least * (greatest - error), least * (greatest + error)
    if (np.isnan(found.ncc) & enough).any() or not (found.ncc > 0)[enough].any():
        return None, threshold
    ncc = np.where(enough, np.nan_to_num(found.ncc), 0)
    # both images' squares sum to 1 in all: what is left of them in the overlap magnifies the rounding
    left = np.where(enough, terms.reference_energy * found.moving_energy, 1)
    rounding = 2 * terms.rounding / np.sqrt(np.maximum(left, terms.rounding**2))
    likely = np.argwhere(enough & (ncc + rounding >= (ncc - rounding).max()))
    if len(likely) > MOST_DIRECT:
        return None, threshold
    return [tuple(int(axis[i]) for axis, i in zip(lags, index, strict=True)) for index in likely], threshold


@dataclass(frozen=True)
class _Bounds:
    """What the binned images say of blocks of `bin` lags per axis.

    Attributes
    ----------
    bin : int
    first : tuple of int
        The first lag of the first block along each axis.
    covariance_slack : ndarray
        By how much the covariance may exceed the sum of products.
    root : ndarray
        Least square root of the product of both energies; 0 = unknown.
    possible : ndarray of bool
        Whether a lag of the block may have overlap enough.
    least_overlap : (float, float)
        The threshold lies between these, pixels.
    """

    bin: int
    first: tuple[int, ...]
    covariance_slack: NDArray[np.float64]
    root: NDArray[np.float64]
    possible: NDArray[np.bool_]
    least_overlap: tuple[float, float]

    def upper(self, products: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the greatest possible NCC of each block; -inf where no lag is allowed."""
        covariance = products + self.covariance_slack
        with np.errstate(divide="ignore", invalid="ignore"):
            bound = np.where(covariance > 0, covariance / self.root, 0.0)
        return np.where(self.possible, bound, -np.inf)

    def spans_of(self, blocks: NDArray[np.bool_]) -> list[tuple[int, int]]:
        """Return the first lag of the blocks along each axis, and the one after the last."""
        return [
            (first + self.bin * int(where.min()), first + self.bin * (int(where.max()) + 1))
            for first, where in zip(self.first, np.nonzero(blocks), strict=True)
        ]


def _block_bounds(reference: CentredImage, moving: CentredImage, least: float) -> _Bounds | None:
    """Return bounds for all blocks that may be allowed, or None where they would be of no use."""
    a, m = _both_binned(reference, moving)
    b = a.bin
    if not (a.has_core and m.has_core):  # scattered masks leave no block whole
        return None
    lags = _BlockLags.of(a, m)
    count_a, sum_a, square_a, size_a, core_a, shell_a = side_by_side(lags.of_reference, a.parts)
    count_m, sum_m, square_m, size_m, core_m, shell_m = side_by_side(lags.of_moving, m.parts)
    of_n = [(count_a, core_m), (count_a, shell_m), (core_a, count_m)]
    of_a = [(sum_a, core_m), (square_a, core_m), (size_a, shell_m)]
    of_m = [(core_a, sum_m), (core_a, square_m), (shell_a, size_m)]
    (n, error), (more, more_error), (other, _), *found = side_by_side(lags.sums, of_n + of_a + of_m)
    n_least = np.maximum(np.ceil(n - error), 0)
    n_most = np.floor(n + error) + np.floor(np.maximum(more, 0) + more_error)
    same = reference.mask is moving.mask
    most_least = float(np.count_nonzero(reference.mask)) if same else float(n_least.max())
    most_most = most_least if same else float(n_most.max())
    possible = (n_most > 0) & (n_most >= least * most_least)
    if not possible.any():
        return None
    total_a, slack_a, energy_a = _side(found[0], found[1], found[2], n_least)
    total_m, slack_m, energy_m = _side(found[3], found[4], found[5], np.maximum(np.ceil(other - error), 0))
    corners = [(total_a + s * slack_a) * (total_m + t * slack_m) for s in (-1, 1) for t in (-1, 1)]
    lowest = np.minimum.reduce(corners)
    means = lowest / np.where(lowest > 0, np.maximum(n_most, 1), np.maximum(n_least, 1))
    root = np.sqrt(energy_a * energy_m)
    if np.count_nonzero(possible & (root <= 0)) > possible.sum() / 2:
        return None
    scale = math.sqrt(reference.energy * moving.energy)
    inside = tuple(slice(int(where.min()), int(where.max()) + 1) for where in np.nonzero(possible))
    return _Bounds(
        b,
        tuple(b * (first + part.start) for first, part in zip(lags.first, inside, strict=True)),
        scale * (_product_rounding(reference) - means[inside].astype(np.float64)),
        scale * root[inside].astype(np.float64),
        possible[inside],
        (least * most_least, least * most_most),
    )


def _both_binned(reference: CentredImage, moving: CentredImage) -> tuple[_Binned, _Binned]:
    """Return both images binned to as many blocks as their smoothness asks for."""
    longest = max(*reference.mask.shape, *moving.mask.shape)
    fine, b = (_bin_of(longest, small) for small in (SMOOTH_BIN, ROUGH_BIN))
    # moving's mask reaches over earlier blocks as the lag grows, reference's over later ones
    sides = [(reference, True), (moving, False)]
    a, m = side_by_side(lambda side: _Binned(side[0], b, side[1]), sides)
    if fine < b and a.smoothness * m.smoothness > SMOOTH**2:
        a, m = side_by_side(lambda side: _Binned(side[0], fine, side[1]), sides)
    return a, m


def _bin_of(longest: int, small: int) -> int:
    """Return by how much to bin images of at most `longest` pixels per axis."""
    b = 2
    while longest > b * (ENOUGH_BLOCKS if b < small else BLOCKS_PER_SIDE):
        b *= 2
    return b


def _side(
    sums: tuple[NDArray[Any], float],
    squares: tuple[NDArray[Any], float],
    sizes: tuple[NDArray[Any], float],
    n: Any,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return an image's sum over the core, by how much it may be wrong or grow, and the least energy."""
    slack = np.maximum(sizes[0], 0) + (sizes[1] + sums[1])
    greatest = np.abs(sums[0]) + sums[1]
    energy = squares[0] - (squares[1] + SINGLE) - greatest * greatest / np.maximum(n, 1) * (1 + SINGLE)
    return sums[0], slack, np.maximum(energy, 0)


@dataclass(frozen=True)
class _BlockLags:
    """Sums of products of two binned images at every lag of whole blocks, in single precision.

    Attributes
    ----------
    shapes : tuple of (int, int)
        Blocks of reference and moving along each axis.
    window : tuple of int
    rounding : float
        Greatest error of a sum over the norms of both factors.
    """

    shapes: tuple[tuple[int, int], ...]
    window: tuple[int, ...]
    rounding: float

    @classmethod
    def of(cls, a: _Binned, m: _Binned) -> _BlockLags:
        """Return the lags of two binned images."""
        shapes = tuple(zip(a.parts[0].shape, m.parts[0].shape, strict=True))
        window = tuple(window_length(p, q, None) for p, q in shapes)
        return cls(shapes, window, 4 * SINGLE * math.sqrt(math.log2(math.prod(window))))

    @property
    def first(self) -> list[int]:
        """The first lag along each axis."""
        return [-(q - 1) for _, q in self.shapes]

    def of_reference(self, values: NDArray[np.float32]) -> tuple[NDArray[Any], float]:
        """Return transform and norm of a reference, moved so that the first lag comes first."""
        moved = np.zeros([p + q - 1 for p, q in self.shapes], np.float32)
        moved[tuple(slice(q - 1, None) for _, q in self.shapes)] = values
        return transform(moved, self.window), float(np.linalg.norm(values))

    def of_moving(self, values: NDArray[np.float32]) -> tuple[NDArray[Any], float]:
        """Return transform and norm of a moving image."""
        return np.conj(transform(values, self.window)), float(np.linalg.norm(values))

    def sums(
        self, pair: tuple[tuple[NDArray[Any], float], tuple[NDArray[Any], float]]
    ) -> tuple[NDArray[np.float32], float]:
        """Return the sum of products of reference and moving at every lag, and its greatest error."""
        reference, moving = pair
        values = scipy.fft.irfftn(reference[0] * moving[0], self.window, overwrite_x=True)
        kept = values[tuple(slice(0, p + q - 1) for p, q in self.shapes)]
        return np.ascontiguousarray(kept), self.rounding * reference[1] * moving[1]


class _Binned:
    """What blocks of an image hold, in single precision, the image's squares summing to 1.

    A block of nothing surrounds it, so that masks can be grown by one.

    Attributes
    ----------
    bin : int
    parts : list of ndarray of float32
        Number of valid pixels, sums of values, squares and absolute values; 1 where this block and its
        neighbours are all valid (core); 1 where some of them is, not all (shell).
    """

    def __init__(self, image: CentredImage, b: int, later: bool) -> None:
        """Sum over blocks of `b` per axis; the neighbours are the next ones (`later`) or those before."""
        counts, *sums = np.pad(block_sums(image.pixels, image.mask, b), [(0, 0)] + [(1, 1)] * image.mask.ndim)
        every, some = counts == b**image.mask.ndim, counts > 0
        for axis in range(every.ndim):
            step = -1 if later else 1
            # the border of nothing makes what is rolled round harmless
            every = every & np.roll(every, step, axis)
            some = some | np.roll(some, step, axis)
        scale = 1 / math.sqrt(image.energy)
        scaled = (x * factor for x, factor in zip(sums, (scale, scale**2, scale), strict=True))
        self.bin = b
        self.parts = [x.astype(np.float32) for x in (counts, *scaled, every, some & ~every)]

    @property
    def has_core(self) -> bool:
        """Whether any block and its neighbours are all valid."""
        return bool(self.parts[4].any())

    @property
    def smoothness(self) -> float:
        """Part of the image's energy that is in the means of the blocks, 0 to 1."""
        count, total = self.parts[:2]
        return float((total**2 / np.maximum(count, 1)).sum())


def block_sums(pixels: NDArray[np.float64], mask: NDArray[np.bool_], b: int) -> NDArray[np.float64]:
    """Return the sums over blocks of `b` per axis of the mask, the values, their squares and sizes.

    Parameters
    ----------
    pixels : ndarray of float64
        Zero where ignored.
    mask : ndarray of bool
    b : int
        The last block of an axis may be cut short.

    Returns
    -------
    (4, ...) ndarray of float64
    """
    if pixels.ndim == 2:
        from maskreg.core.kernels import block_sums_2d

        return np.asarray(block_sums_2d(pixels, mask, b))
    return plain_block_sums(pixels, mask, b)


def plain_block_sums(pixels: NDArray[Any], mask: NDArray[np.bool_], b: int) -> NDArray[np.float64]:
    """Return what `block_sums` does, for any number of axes."""
    out = np.stack([mask.astype(np.float64), pixels, np.square(pixels), np.abs(pixels)])
    for axis in range(1, out.ndim):
        out = np.add.reduceat(out, np.arange(0, out.shape[axis], b), axis=axis)
    return out


@dataclass(frozen=True)
class _Products:
    """Sums of products at every lag of the blocks.

    Attributes
    ----------
    values : ndarray of float32
        In units of `scale`. Two axes: as `race_kernels.block_maxima_2d` describes; else the lags in order.
    scale : float
        Root of the product of both energies.
    block_maxima : ndarray of float64
    """

    values: NDArray[np.float32]
    scale: float
    block_maxima: NDArray[np.float64]


def _products(reference: CentredImage, moving: CentredImage, bounds: _Bounds) -> _Products:
    """Return the sums of products for every lag of the blocks, by one transform at full resolution."""
    b = bounds.bin
    spans = [(f, f + b * n) for f, n in zip(bounds.first, bounds.possible.shape, strict=True)]
    shapes = zip(reference.mask.shape, moving.mask.shape, spans, strict=True)
    window = tuple(window_length(p, q, None if p < 64 else max(-low, high)) for p, q, (low, high) in shapes)
    # the blocks at the ends may hold lags at which the images do not touch: there the window is larger
    window = tuple(max(n, high - low) for n, (low, high) in zip(window, spans, strict=True))
    x, y = (single_precision(image) for image in (reference, moving))
    scale = math.sqrt(reference.energy * moving.energy)
    if x.ndim == 2:
        from maskreg.core.race_kernels import block_maxima_2d

        values = cross_rows(half_transform(x, window), half_transform(y, window), window, spans[0])
        maxima = block_maxima_2d(values, spans[1][0], b, bounds.possible.shape)
    else:
        values = maxima = _unwrapped(cross(transform(x, window), transform(y, window), window), spans)
        for axis in range(values.ndim):
            shape = (*maxima.shape[:axis], -1, b, *maxima.shape[axis + 1 :])
            maxima = maxima.reshape(shape).max(axis=axis + 1)
    return _Products(values, scale, scale * maxima.astype(np.float64))


def _unwrapped(values: NDArray[Any], spans: list[tuple[int, int]]) -> NDArray[Any]:
    """Return the lags of each axis's span in ascending order; lag s is stored at s mod length."""
    out = np.empty([high - low for low, high in spans], values.dtype)
    parts = [
        [(slice(0, -low), slice(n + low, n)), (slice(-low, high - low), slice(0, high))]
        if low < 0 < high
        else [(slice(0, high - low), slice(low % n, low % n + high - low))]
        for (low, high), n in zip(spans, values.shape, strict=True)
    ]
    for choice in itertools.product(*parts):
        out[tuple(to for to, _ in choice)] = values[tuple(source for _, source in choice)]
    return out


def _descending(upper: NDArray[np.float64], products: _Products, bounds: _Bounds) -> Any:
    """Yield lags with their bounds, highest first, opening one block after the other."""
    import heapq

    b = bounds.bin
    order = np.argsort(upper, axis=None)[::-1]
    flat = upper.ravel()
    heap: list[tuple[float, tuple[int, ...]]] = []
    for k in order:
        block = np.unravel_index(int(k), upper.shape)
        while heap and -heap[0][0] >= flat[k]:
            bound, lag = heapq.heappop(heap)
            yield lag, -bound
        if flat[k] == -np.inf:
            return
        window = tuple(slice(int(i) * b, int(i) * b + b) for i in block)
        covariance = (
            products.scale * products.values[window].astype(np.float64) + bounds.covariance_slack[block]
        )
        root = bounds.root[block]
        for offset in np.ndindex(covariance.shape):
            value = float(covariance[offset])
            bound = 0.0 if value <= 0 else (value / root if root > 0 else np.inf)
            lag = tuple(f + w.start + o for f, w, o in zip(bounds.first, window, offset, strict=True))
            heapq.heappush(heap, (-bound, lag))
    while heap:
        bound, lag = heapq.heappop(heap)
        yield lag, -bound
