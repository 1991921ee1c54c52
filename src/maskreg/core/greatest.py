"""The lag of the greatest masked NCC, proven, without computing every lag's coefficient.

Of the sums that make a coefficient only one, that of the products, changes quickly from lag to lag:
it is transformed at full resolution. The others are sums over one image under the other's mask.
Lags are taken in blocks of b; pixels that are under the mask at every lag of a block (the core), and
those that are so at some (the shell around it), are known from images binned by b. The core bounds
the variances from below, the shell bounds the sums, and so every lag's coefficient is bounded from
above. The lags are summed directly, the highest bound first, until no bound reaches the best value.

Where many lags stay (a broad peak, masks of scattered pixels), all sums are transformed for these, in
single precision, and those that rounding may have kept from the first place are summed directly. Two
lags that are equal within rounding prove nothing, and the answer is None: compute all lags then.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.correlate import lag_map, reference_terms
from maskreg.core.overlap import overlap_sums
from maskreg.core.plan import window_length
from maskreg.core.spectra import cross, spectra_of, transform
from maskreg.geometry import lag_axis

BLOCKS_PER_SIDE = 256
"""Images are binned to at most so many blocks along an axis."""

SMALL_BIN = 8
"""Up to this bin half as many blocks will do: what the bounds lose is less than the time they take."""

MOST_DIRECT = 16
"""If more lags than this would have to be summed directly, transforming all sums is as quick."""

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
    for lag, bound in _descending(upper, products, bounds):
        if bound < race.best - EQUAL:
            return race.winner
        if race.length >= MOST_DIRECT:
            spans = bounds.spans_of(upper >= race.best - EQUAL)
            lags, _ = _likeliest_lags(reference, moving, spans, least)
            return race.among(lags, bounds.least_overlap)
        race.add(lag, bounds.least_overlap)
    return race.winner


class _Race:
    """Lags that are summed directly, and the one that is ahead."""

    def __init__(self, reference: CentredImage, moving: CentredImage) -> None:
        self._images = reference, moving
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
        a, b = self._images
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
    if (found.untrusted & enough).any() or not (found.ncc > 0)[enough].any():
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
    b, longest = 2, max(*reference.mask.shape, *moving.mask.shape)
    while longest > b * (BLOCKS_PER_SIDE // 2 if b < SMALL_BIN else BLOCKS_PER_SIDE):
        b *= 2
    a, m = _Binned(reference, b), _Binned(moving, b)
    window = tuple(window_length(p, q, None) for p, q in zip(a.counts.shape, m.counts.shape, strict=True))
    lags = [np.arange(-(q - 1), p) for p, q in zip(a.counts.shape, m.counts.shape, strict=True)]
    crop = np.ix_(*(lag % length for lag, length in zip(lags, window, strict=True)))

    def at_lags(p: NDArray[Any], q: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(cross(p, q, window)[crop], np.float64)

    fa, fm = a.transforms(window), m.transforms(window)
    # moving's mask reaches over earlier blocks as the lag grows, reference's over later ones
    core_m, shell_m = (transform(x, window) for x in m.core_and_shell(later=False))
    core_a, shell_a = (transform(x, window) for x in a.core_and_shell(later=True))
    n_least = np.maximum(np.rint(at_lags(fa["counts"], core_m)), 0)
    n_most = n_least + np.maximum(np.rint(at_lags(fa["counts"], shell_m)), 0)
    same = reference.mask is moving.mask
    most_least = float(np.count_nonzero(reference.mask)) if same else float(n_least.max())
    most_most = most_least if same else float(n_most.max())
    possible = (n_most > 0) & (n_most >= least * most_least)
    if not possible.any():
        return None
    sum_a, sum_m = at_lags(fa["sums"], core_m), at_lags(core_a, fm["sums"])
    slack_a = np.maximum(at_lags(fa["sizes"], shell_m), 0)
    slack_m = np.maximum(at_lags(shell_a, fm["sizes"]), 0)
    n_of_m = np.maximum(np.rint(at_lags(core_a, fm["counts"])), 1)
    tiny = 1e-10
    energy_a = at_lags(fa["squares"], core_m) - sum_a**2 / np.maximum(n_least, 1) - tiny * reference.energy
    energy_m = at_lags(core_a, fm["squares"]) - sum_m**2 / n_of_m - tiny * moving.energy
    corners = [(sum_a + s * slack_a) * (sum_m + t * slack_m) for s in (-1, 1) for t in (-1, 1)]
    lowest = np.minimum.reduce(corners)
    means = np.where(lowest > 0, lowest / np.maximum(n_most, 1), lowest / np.maximum(n_least, 1))
    root = np.sqrt(np.maximum(energy_a, 0) * np.maximum(energy_m, 0))
    window_pixels = math.prod(2 * n for n in reference.mask.shape)
    rounding = 4 * float(np.finfo(np.float32).eps) * math.sqrt(math.log2(max(2, window_pixels)))
    slack = -means + rounding * math.sqrt(reference.energy * moving.energy)
    if np.count_nonzero(possible & (root <= 0)) > possible.sum() / 2:
        return None
    inside = tuple(slice(int(where.min()), int(where.max()) + 1) for where in np.nonzero(possible))
    return _Bounds(
        b,
        tuple(int(b * lag[part.start]) for lag, part in zip(lags, inside, strict=True)),
        slack[inside],
        root[inside],
        possible[inside],
        (least * most_least, least * most_most),
    )


class _Binned:
    """Sums over blocks of an image: of valid pixels, values, squares and absolute values.

    A block of nothing surrounds it, so that masks can be grown by one.
    """

    def __init__(self, image: CentredImage, b: int) -> None:
        self._full = b**image.mask.ndim
        sums = np.pad(block_sums(image.pixels, image.mask, b), [(0, 0)] + [(1, 1)] * image.mask.ndim)
        self._sums = dict(zip(("counts", "sums", "squares", "sizes"), sums, strict=True))

    @property
    def counts(self) -> NDArray[np.float64]:
        """Valid pixels of each block."""
        return np.asarray(self._sums["counts"])

    def transforms(self, window: tuple[int, ...]) -> dict[str, NDArray[Any]]:
        """Return the transform of each of the sums."""
        return {name: transform(values, window) for name, values in self._sums.items()}

    def core_and_shell(self, *, later: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return 1 where this block and its neighbours are all valid; 1 where some of them is, not all.

        The neighbours are the next one along each axis, or the one before.
        """
        every, some = self.counts == self._full, self.counts > 0
        for axis in range(every.ndim):
            step = -1 if later else 1
            # the border of nothing makes what is rolled round harmless
            every = every & np.roll(every, step, axis)
            some = some | np.roll(some, step, axis)
        return every.astype(np.float64), (some & ~every).astype(np.float64)


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
    block_maxima : ndarray of float32
    """

    values: NDArray[np.float32]
    block_maxima: NDArray[np.float32]


def _products(reference: CentredImage, moving: CentredImage, bounds: _Bounds) -> _Products:
    """Return the sums of products for every lag of the blocks, by one transform at full resolution."""
    b = bounds.bin
    spans = [(f, f + b * n) for f, n in zip(bounds.first, bounds.possible.shape, strict=True)]
    shapes = zip(reference.mask.shape, moving.mask.shape, spans, strict=True)
    window = tuple(window_length(p, q, None if p < 64 else max(-low, high)) for p, q, (low, high) in shapes)
    # the blocks at the ends may hold lags at which the images do not touch: there the window is larger
    window = tuple(max(n, high - low) for n, (low, high) in zip(window, spans, strict=True))
    scale_a, scale_m = 1 / math.sqrt(reference.energy), 1 / math.sqrt(moving.energy)
    values = cross(
        transform((reference.pixels * scale_a).astype(np.float32), window),
        transform((moving.pixels * scale_m).astype(np.float32), window),
        window,
    )
    values = _unwrapped(values, spans)
    values *= np.float32(math.sqrt(reference.energy * moving.energy))
    maxima = values
    for axis in range(values.ndim):
        shape = (*maxima.shape[:axis], -1, b, *maxima.shape[axis + 1 :])
        maxima = maxima.reshape(shape).max(axis=axis + 1)
    return _Products(values, maxima)


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
        covariance = products.values[window] + bounds.covariance_slack[block]
        root = bounds.root[block]
        for offset in np.ndindex(covariance.shape):
            value = float(covariance[offset])
            bound = 0.0 if value <= 0 else (value / root if root > 0 else np.inf)
            lag = tuple(f + w.start + o for f, w, o in zip(bounds.first, window, offset, strict=True))
            heapq.heappush(heap, (-bound, lag))
    while heap:
        bound, lag = heapq.heappop(heap)
        yield lag, -bound
