"""Find what stands still while the sample moves: beam-block, gaps, dead and hot pixels.

At first every pixel is believed, so that predictions are mixtures of sample and block along the
block's edge: there pixels contradict the moving model, the darker ones on the block's side. Those
and the pixels that follow the sample are marks; every other pixel belongs to the marks to which the
way, over the slopes of the mean image, is the shorter one. Then trust grows from what follows the
sample: round by round the sample's image is made from trusted pixels only, pixels that contradict
it are dropped, and pixels within its reach that agree with it are taken in, until nothing changes.
So the interior of a block, which no drift ever uncovers, is never taken in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.csgraph import dijkstra

from maskreg.masks.moving_model import Prediction, predict
from maskreg.masks.temporal import Temporal, smoothed_sum, temporal, window

Image = NDArray[np.float64]
Mask = NDArray[np.bool_]

_ROUNDS = 20
"""Most rounds of growing trust."""
_SETTLED = 2e-4
"""Fraction of changing pixels at which the rounds end."""
_LEAST_FRAMES = 3
"""In which a pixel must be predicted to be judged."""
_PLACE_ERROR = 0.15
"""By how much a bilinear prediction may be misplaced, px: a tolerance where the image is steep."""
_LEVEL_ERROR = 0.02
"""By which part of its brightness a prediction may be wrong: frames are not all equally bright."""
_PASSING_ERROR = 0.2
"""By which part of its departure from its mean a prediction may be wrong in each frame: the peak of a spot
that passes is cut off by interpolation."""
_CONTRADICTION = 4.0
"""By how many sigma, collected over neighbours, a pixel must leave the prediction."""
_ALONE = 6.0
"""By how many sigma a lone pixel must leave the prediction."""
_FOLLOWS = 10.0
"""Log-likelihood ratio, over neighbours, beyond which a pixel follows the sample."""
_STANDS = -8.0
"""And below which it stands still though the sample's image changes."""
_TELLS_APART = 4.0
"""Sigma between block and sample from which on one of the two must be nearer."""
_DARKER = 1.5
"""Sigma by which a pixel may be darker than predicted and still be taken in: what blocks is dark."""
_STEP = 0.005
"""What a step over a flat pixel costs, where one over a steep edge costs 1."""
_STEEPEST = 15.0
"""Most that a step may cost."""
_APART = 2
"""By so many px marks of what moves are apart from those of what stands still."""
_FEATURELESS = 10
"""Without a pixel that follows the sample within so many px, the sample has no features there."""
_ACROSS = 0.75
"""Part of the way from block to sample beyond which a pixel beside the edge is sample."""
_DARK = 0.02
"""Part of the sample that may be as dark as a block."""
_DARKEST = 0.1
"""Part of the way from block to sample up to which a pixel is the block's."""
_OWN_SHARE = 2.0
"""And by how many by itself."""
_SPECK = 12
"""Fewest pixels of a static region."""
_NICK = 8
"""Greatest radius of what is closed in the outline of static regions, px; no more than their own."""
_FAINT = 3.0
"""Width over which the contradictions of a faint block are collected, px."""


def static_pixels(
    frames: NDArray[np.float32],
    shifts: NDArray[np.float64],
    *,
    first: Mask | None = None,
    counts: bool = False,
    workers: int | None = 1,
) -> Mask:
    """Return which pixels do not move with the sample.

    Parameters
    ----------
    frames : (n, rows, cols) float32
        A sample of the series, 3 frames or more.
    shifts : (n, 2) float64
        To apply to each so that all agree, px; at least one of them about a pixel from the others.
    first : (rows, cols) bool, optional
        A first opinion of the answer, to be corrected where these frames contradict it.
    counts : bool
        The frames hold counts of electrons, or these over the frame's intensity.
    workers : int, optional
        Threads; they never change the answer.

    Returns
    -------
    (rows, cols) bool ndarray
        True = stands still: to be ignored (unlike a mask).
    """
    over_time = temporal(frames, counts=counts)
    defective = over_time.defective

    def judge(trusted: Mask) -> _Judged:
        return _judge(predict(frames, shifts, trusted, workers=workers), over_time)

    if first is None:
        judged = judge(~defective)
        stands = _standing(judged)
        trusted = _first_trust(judged, stands, over_time.mean, defective)
    else:
        stands, trusted = first & ~defective, ~first & ~defective
    block = _darkness(over_time.mean, stands)
    for _ in range(_ROUNDS):
        judged = judge(trusted)
        out = ~trusted & ~defective
        entering = _agreeing(judged, over_time.mean, out, block)
        after = np.where(trusted, ~judged.contradicts, entering) & ~defective
        after &= ~_standing_islands(after, judged)
        changed = float((after != trusted).mean())
        trusted = after
        if changed < _SETTLED:
            break
    return _tidy(~trusted) | defective


@dataclass(frozen=True)
class _Judged:
    """What the moving model says of every pixel."""

    seen: Mask
    contradicts: Mask
    follows: Mask
    darker: Mask
    """Contradicts, and is darker than the sample there, or stands still while the sample changes."""
    prediction: Prediction
    variance: Image
    """Of `prediction.bias`, noise alone."""
    tolerance: Image
    """Variance of what else may be wrong with it."""
    ratio: Image
    """Log-likelihood ratio, moving against standing."""


def _judge(prediction: Prediction, over_time: Temporal) -> _Judged:
    noise = over_time.noise
    seen = (prediction.count >= _LEAST_FRAMES) & ~over_time.constant
    variance = noise / np.maximum(prediction.count, 1) + noise * prediction.share
    tolerance = _tolerance(prediction, seen)
    alone = np.where(seen, prediction.bias / np.sqrt(variance + tolerance), 0)
    ratio = _ratio(prediction, noise, seen)
    contradicts, darker = np.abs(alone) > _ALONE, alone < -_ALONE
    # a lone defect says nothing of its neighbours
    size = np.abs(alone)
    around = (9 * ndimage.uniform_filter(size, 3) - size) / 8
    lone = (size > _ALONE) & (size > 3 * around)
    crowd = seen & ~lone
    near, z = _collected(prediction.bias, variance, tolerance, crowd, 1.0)
    # smoothing must not widen a block, so a pixel has to agree by itself
    beyond = (np.abs(z) > _CONTRADICTION) & (np.abs(alone) > _OWN_SHARE) & (z * alone > 0)
    # a faint block shows over many pixels; its edge is where half of its depth is reached
    wide, z_wide = _collected(prediction.bias, variance, tolerance, crowd, _FAINT)
    depth = ndimage.maximum_filter(np.abs(wide), int(4 * _FAINT) + 1)
    faint = depth < _TELLS_APART * np.sqrt(variance + tolerance)
    beyond |= faint & (np.abs(z_wide) > _CONTRADICTION) & (near * np.sign(wide) > 0.5 * depth)
    contradicts |= beyond
    darker |= beyond & (near < 0)
    evidence = smoothed_sum(np.where(crowd, ratio, 0), 1.2)
    stands = (evidence < _STANDS) & (ratio < 0)
    contradicts, darker = (contradicts | stands) & seen, darker | stands
    follows = (evidence > _FOLLOWS) & (ratio > 0) & ~contradicts
    return _Judged(seen, contradicts, follows, darker & seen, prediction, variance, tolerance, ratio)


def _tolerance(prediction: Prediction, seen: Mask) -> Image:
    level = np.where(seen, prediction.level, _averaged(prediction.level, seen, 2.0))
    slope = np.hypot(*np.gradient(level))
    above = level - level[seen].min() if seen.any() else np.zeros_like(level)
    passing = prediction.spread / np.maximum(prediction.count, 1) ** 2
    return np.asarray((_PLACE_ERROR * slope) ** 2 + (_LEVEL_ERROR * above) ** 2 + _PASSING_ERROR**2 * passing)


def _ratio(prediction: Prediction, noise: Image, seen: Mask) -> Image:
    """Return the log-likelihood ratio of following the prediction against not changing at all."""
    # what changes in a prediction by its own noise is no change of the sample
    own = 0.9 * prediction.count * noise * prediction.share
    known = np.maximum(prediction.spread - own, 0)
    scale = np.sqrt(noise * np.maximum(prediction.spread, 1e-9))
    z, expected = prediction.together / scale, known / scale
    return np.where(seen, np.clip(z * expected - expected**2 / 2, -50, 50), 0)


def _collected(
    bias: Image, variance: Image, tolerance: Image, where: Mask, sigma: float
) -> tuple[Image, Image]:
    """Return the bias averaged over neighbours in `where`, and by how many sigma it differs from zero."""
    weight = where.astype(float)
    norm = np.maximum(ndimage.gaussian_filter(weight, sigma), 1e-3)

    def mean(values: Image) -> Image:
        return np.asarray(ndimage.gaussian_filter(values * weight, sigma) / norm)

    # bilinear interpolation leaves the noise of neighbours correlated: 1.5
    noise = 1.5 * mean(variance) / np.maximum(window(sigma) * norm, 1)
    average = np.where(where, mean(bias), 0)
    return average, average / np.sqrt(noise + mean(tolerance) + 1e-30)


def _standing(judged: _Judged) -> Mask:
    """Return the pixels that are shown to stand still: not lone ones."""
    return np.asarray(ndimage.binary_opening(judged.darker, np.ones((2, 2))))


def _first_trust(judged: _Judged, stands: Mask, mean: Image, defective: Mask) -> Mask:
    """Return which pixels to trust at first: those nearer to what moves than to what `stands` still."""
    if not stands.any():
        return ~defective
    moves = judged.follows | (judged.contradicts & ~judged.darker) | _beside(stands, judged, mean, defective)
    # close to the edge a feature of the sample may seem to reach across it
    moves &= ~defective & ~np.asarray(ndimage.binary_dilation(stands, iterations=_APART))
    return _nearer(moves, stands, _STEP + _steepness(mean, defective)) & ~defective


def _beside(stands: Mask, judged: _Judged, mean: Image, defective: Mask) -> Mask:
    """Return the pixels across the edge from those that stand still: as bright as the sample is there.

    Where the sample has no features nothing else would say that it moves.
    """
    block = _averaged(mean, stands, 2.0)
    level = ndimage.gaussian_filter(ndimage.median_filter(mean, 3), 0.7)
    sample = ndimage.maximum_filter(np.where(judged.seen & ~defective, level, -np.inf), 7)
    near = ndimage.binary_dilation(stands, iterations=4) & ~ndimage.binary_dilation(stands)
    near &= ndimage.distance_transform_edt(~judged.follows) > _FEATURELESS
    differ = sample - block > 3 * np.sqrt(judged.variance + judged.tolerance)
    bright = near & differ & (mean > block + _ACROSS * (sample - block)) & ~judged.darker & judged.seen
    return np.asarray(bright & (ndimage.gaussian_filter(bright.astype(float), 1) > 0.3))


def _nearer(first: Mask, second: Mask, cost: Image) -> Mask:
    """Return the pixels from which the way to `first` costs less than that to `second`.

    Ways go from pixel to pixel, also diagonally. A break in an edge is no loophole, as it is to a
    watershed: it saves the step across the edge, not the way to it.
    """
    rows, cols = cost.shape
    # of 32 bits: older versions of SciPy take no others for a graph
    number = np.arange(rows * cols, dtype=np.int32).reshape(rows, cols)
    begins, ends, costs = [], [], []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = (slice(0, rows - down), slice(max(0, -right), cols - max(0, right)))
        there = (slice(down, rows), slice(max(0, right), cols - max(0, -right)))
        begins.append(number[here].ravel())
        ends.append(number[there].ravel())
        costs.append((np.hypot(down, right) * (cost[here] + cost[there]) / 2).ravel())
    ways = (np.concatenate(costs), (np.concatenate(begins), np.concatenate(ends)))
    graph = sparse.coo_array(ways, shape=(rows * cols, rows * cols)).tocsr()
    marks = np.flatnonzero(first | second)
    found = dijkstra(graph, directed=False, indices=marks, min_only=True, return_predecessors=True)
    nearest = found[2].reshape(rows, cols)
    return np.asarray(first.ravel()[nearest])


def _steepness(mean: Image, defective: Mask) -> Image:
    """Return the slope of the mean image, 1 at its steep edges; of its root, so that noise is alike."""
    level = np.where(defective, ndimage.median_filter(mean, 7), mean)
    root = np.sqrt(np.maximum(level - np.quantile(level, 0.001), 0) + 1)
    slope = np.hypot(*np.gradient(ndimage.gaussian_filter(root, 1.0)))
    return np.asarray(np.minimum(slope / (np.quantile(slope, 0.98) or 1.0), _STEEPEST))


def _agreeing(judged: _Judged, mean: Image, out: Mask, block: Image) -> Mask:
    """Return which pixels of `out` agree with the prediction, rather than with the static ones around."""
    prediction = judged.prediction
    strip = out & judged.seen
    static = _inside(mean, out, strip)
    static = np.where(np.isfinite(block), np.minimum(block, static), static)
    agrees = np.zeros(out.shape, dtype=bool)
    undecided = strip.copy()
    for sigma in (0.0, 1.0, 3.0):
        # where block and sample differ by enough, the nearer one; else look at more neighbours at once
        bias = _averaged(prediction.bias, strip, sigma)
        area = max(1.0, window(sigma) / 2)
        sd = np.sqrt(judged.variance / area + judged.tolerance)
        gap = np.abs(prediction.level - static)
        decided = undecided & (gap > _TELLS_APART * sd)
        near = np.abs(bias) < 0.5 * gap
        agrees |= decided & near
        undecided &= ~decided
    _, z = _collected(prediction.bias, judged.variance, judged.tolerance, strip, 3.0)
    still = smoothed_sum(np.where(strip, judged.ratio, 0), 2.5) / 2
    # what is darker than nearly all of the sample stays out unless something tells that it moves
    level, sample = ndimage.gaussian_filter(mean, 1.0), ~out & judged.seen
    dark = level < np.quantile(level[sample], _DARK) if sample.any() else np.zeros(out.shape, bool)
    agrees |= undecided & ~dark & (z > -_DARKER) & (z < 3.5) & (still > -3)
    # a lone pixel that agrees among many that do not does so by chance
    agrees = np.asarray(ndimage.uniform_filter((agrees | ~out).astype(float), 3)) > 0.5
    return np.asarray(strip & ~judged.contradicts & (judged.follows | agrees))


def _darkness(mean: Image, stands: Mask) -> Image:
    """Return how bright a block is near the pixels that are shown to stand still; -inf without any.

    Such are found along its edge, which is partly sample: its own brightness is that of the darkest ones.
    """
    if not stands.any():
        return np.full(mean.shape, -np.inf)
    smooth = ndimage.gaussian_filter(mean, 1.0)
    around = ndimage.binary_dilation(stands, iterations=2)
    low = ndimage.minimum_filter(np.where(around, smooth, smooth.max()), 7)
    high = ndimage.maximum_filter(np.where(around, smooth, smooth.min()), 7)
    inside = around & (smooth <= low + _DARKEST * (high - low))
    at = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    return np.asarray(_averaged(mean, inside, 2.0)[tuple(at)])


def _standing_islands(trusted: Mask, judged: _Judged) -> Mask:
    """Return the regions of trust that others are cut off from and in which nothing follows the sample.

    Such lie inside a block: only their own pixels predict them, and so they never contradict.
    """
    regions, count = ndimage.label(trusted)
    sizes = np.bincount(regions.ravel(), minlength=count + 1)
    evidence = np.bincount(regions.ravel(), weights=judged.ratio.ravel(), minlength=count + 1)
    island = evidence <= 0
    island[[0, *np.argsort(sizes[1:])[-1:] + 1]] = False
    return np.asarray(island[regions])


def _inside(mean: Image, out: Mask, strip: Mask) -> Image:
    """Return how bright it is inside what stands still, beyond the strip that is being judged."""
    inside = out & ~strip
    known = ndimage.gaussian_filter(inside.astype(float), 4.0) > 1e-3
    return np.where(known, _averaged(mean, inside, 4.0), _averaged(mean, out, 3.0))


def _averaged(values: Image, where: Mask, sigma: float) -> Image:
    """Return `values` averaged over neighbours in `where`; as they are for sigma 0."""
    if sigma == 0:
        return values
    norm = np.maximum(ndimage.gaussian_filter(where.astype(float), sigma), 1e-6)
    return np.asarray(ndimage.gaussian_filter(np.where(where, values, 0), sigma) / norm)


def _tidy(static: Mask) -> Mask:
    """Return `static` without specks (hot pixels are found by themselves), its pores and nicks closed."""
    regions, count = ndimage.label(static, np.ones((3, 3)))
    size = np.bincount(regions.ravel(), minlength=count + 1)
    kept = static & (size >= _SPECK)[regions]
    if not kept.any():
        return np.asarray(kept)
    depth = ndimage.distance_transform_edt(np.pad(kept, 1))
    radius = int(np.clip(depth.max(), 3, _NICK))
    rows, cols = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    padded = np.pad(kept, radius, mode="edge")
    closed = ndimage.binary_closing(padded, rows**2 + cols**2 <= radius**2)
    return np.asarray(closed)[radius:-radius, radius:-radius]
