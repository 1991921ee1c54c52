"""The lag that is proven to be the greatest is the one found by computing all."""

from __future__ import annotations

import os
import signal
import warnings

import numpy as np
import pytest
import scipy.fft
import scipy.ndimage
from tests.cases import cases

from maskreg.compat.masked import ncc_map
from maskreg.core.lags import race_kernels
from maskreg.core.machine.in_parallel import in_parallel
from maskreg.core.ncc import all_sums, bound_kernels, greatest, lag_blocks, lag_sums, least_energy, likeliest
from maskreg.core.ncc.centred import CentredImage, exact_values
from maskreg.core.ncc.deviations import Deviations
from maskreg.core.ncc.enough_overlap import enough_overlap
from maskreg.core.ncc.greatest import greatest_ncc_lag
from maskreg.core.ncc.overlap import overlap_sums, plain_overlap_sums
from maskreg.geometry import lag_axis, overlap_slices


def pair(seed: int, shape: tuple[int, ...], other: tuple[int, ...]) -> tuple[CentredImage, CentredImage]:
    """Two noisy cuts of one scene, each with a hole."""
    rng = np.random.default_rng(seed)
    whole = scipy.ndimage.gaussian_filter(rng.normal(size=[n + 20 for n in shape]), rng.uniform(0, 3))
    whole *= 20 / whole.std()
    images = []
    for start, lengths in ((7, shape), (rng.integers(0, 12), other)):
        cut = whole[tuple(slice(start, start + n) for n in lengths)]
        noisy = 100 + cut + rng.normal(0, 10, cut.shape)
        mask = np.ones(cut.shape, bool)
        corner = rng.integers(0, [n // 2 for n in cut.shape])
        mask[tuple(slice(c, c + n // 4) for c, n in zip(corner, cut.shape, strict=True))] = False
        images.append(CentredImage.of(noisy, mask))
    return images[0], images[1]


def by_all_lags(a: CentredImage, b: CentredImage, least: float) -> tuple[int, ...]:
    values = ncc_map(a, b, np.float64, least)
    at = np.unravel_index(int(values.argmax()), values.shape)
    axes = [lag_axis(p, q) for p, q in zip(a.mask.shape, b.mask.shape, strict=True)]
    return tuple(int(axis[i]) for axis, i in zip(axes, at, strict=True))


@pytest.mark.parametrize("least", [0.1, 0.3, 0.7])
@pytest.mark.parametrize(
    ("shape", "other"),
    [((90, 75), (80, 91)), ((64, 128), (64, 128)), ((300,), (290,)), ((24, 30, 27), (30, 24, 29))],
)
def test_it_is_the_greatest_of_all(shape: tuple[int, ...], other: tuple[int, ...], least: float) -> None:
    proven = 0
    for seed in range(6):
        a, b = pair(seed, shape, other)
        found = greatest_ncc_lag(a, b, least)
        if found is not None:
            proven += 1
            assert found == by_all_lags(a, b, least)
    # little images and high thresholds leave loose bounds: there it may give up, never be wrong
    assert proven >= (1 if least < 0.5 and len(shape) < 3 else 0)


@pytest.mark.parametrize("size", [2, 4, 8])
@pytest.mark.parametrize("finer", [False, True])
def test_every_block_is_bounded_from_above(monkeypatch: pytest.MonkeyPatch, size: int, finer: bool) -> None:
    monkeypatch.setattr(lag_blocks, "BLOCK", 2 * size if finer else size)
    monkeypatch.setattr(lag_blocks, "SMALL_BLOCKS", 0)
    for seed in range(cases(2, 4)):
        a, b = pair(seed, (130, 110), (121, 128))
        blocks = lag_blocks.lag_blocks(a, b, 0.2)
        assert blocks is not None
        if finer:
            chosen = np.zeros_like(blocks.possible)
            chosen[2:-1, 1:-2] = True
            blocks = lag_blocks.finer_blocks(a, b, blocks, chosen)
            assert blocks is not None
        assert blocks.size == size
        products, slack = greatest._products(a, b, blocks)
        upper = blocks.upper(bound_kernels.block_maxima_2d(products, size, blocks.possible.shape), slack)
        values = ncc_map(a, b, np.float64, 0.2)
        checked = 0
        for index in np.argwhere(values > 0):
            lag = index + [int(lag_axis(p, q)[0]) for p, q in zip(a.mask.shape, b.mask.shape, strict=True)]
            block = tuple((lag - blocks.first) // size)
            if all(0 <= i < n for i, n in zip(block, upper.shape, strict=True)):
                assert np.isnan(upper[block]) or values[tuple(index)] <= upper[block] + 1e-9
                checked += bool(np.isfinite(upper[block]))
        assert checked > 100


def test_finer_blocks_bound_more_closely() -> None:
    a, b = pair(2, (200, 210), (205, 200))
    blocks = lag_blocks.lag_blocks(a, b, 0.3)
    assert blocks is not None
    finer = lag_blocks.finer_blocks(a, b, blocks, blocks.possible)
    assert finer is not None
    offset = np.array(blocks.first) - finer.first
    assert finer.least_overlap == blocks.least_overlap
    assert (offset <= 0).all()
    same = finer.root[: 2 * 3 : 2, : 2 * 3 : 2]
    start = -offset // blocks.size
    coarse = blocks.root[start[0] : start[0] + 3, start[1] : start[1] + 3]
    assert (same >= coarse - 1e-4).all()
    assert (same > coarse).any()


def test_the_greatest_overlap_decides_what_is_allowed() -> None:
    a, b = pair(3, (80, 80), (80, 80))
    for least in (0.95, 0.99):
        found = greatest_ncc_lag(a, b, least)
        assert found is None or found == by_all_lags(a, b, least)


def test_equal_places_are_not_proven() -> None:
    stripes = np.tile([0.0, 1.0, 3.0, 1.0], (40, 20))
    image = CentredImage.of(stripes, np.ones(stripes.shape, bool))
    assert greatest_ncc_lag(image, image, 0.3) is None


@pytest.mark.parametrize("kind", ["flat", "nothing"])
def test_without_contrast_nothing_is_proven(kind: str) -> None:
    a, b = pair(0, (80, 80), (80, 80))
    mask = np.full(a.mask.shape, kind == "flat")
    assert greatest_ncc_lag(CentredImage.of(np.ones(a.mask.shape), mask), b, 0.3) is None


def test_scattered_masks_and_broad_peaks_are_proven_by_transforms() -> None:
    rng = np.random.default_rng(6)
    whole = scipy.ndimage.gaussian_filter(rng.normal(size=(120, 130)), 12)
    whole *= 50 / whole.std()
    for fraction in (1.0, 0.7):
        cuts = (whole[10:100, 10:110], whole[14:104, 7:107])
        a, b = (
            CentredImage.of(cut + rng.normal(size=cut.shape), rng.random(cut.shape) < fraction)
            for cut in cuts
        )
        found = greatest_ncc_lag(a, b, 0.3)
        assert found is not None
        assert found == by_all_lags(a, b, 0.3)


def test_a_scale_does_not_overflow() -> None:
    a, b = pair(1, (90, 75), (80, 91))
    found = greatest_ncc_lag(a, b, 0.2)
    for scale in (1e-160, 1e160):
        scaled = (CentredImage.of(x.deviations * scale, x.mask) for x in (a, b))
        assert greatest_ncc_lag(*scaled, 0.2) == found


@pytest.mark.parametrize("shape", [(7, 5), (33, 64), (1, 9)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_compiled_sums_equal_the_plain_ones(shape: tuple[int, int], dtype: type) -> None:
    rng = np.random.default_rng(2)
    images = []
    for _ in range(2):
        pixels = (100 + 20 * rng.normal(size=shape)).astype(dtype)
        mask = rng.random(shape) < 0.8
        if np.dtype(dtype).kind == "f":
            pixels[~mask] = np.nan
        images.append(CentredImage.of(pixels, mask))
        own = images[-1].deviations
        np.testing.assert_allclose(own[mask].mean(), 0, atol=1e-12)
        np.testing.assert_allclose((own**2).sum(), images[-1].energy, rtol=1e-12)
        np.testing.assert_allclose(images[-1].unit, own / np.sqrt((own**2).sum()), atol=1e-6)
        assert (images[-1].unit[~mask] == 0).all()
    a, b = images
    for lag in ((0, 0), (shape[0] // 2, -2), (-shape[0] // 2, 3)):
        sums = overlap_sums(a, b, lag)
        here, there = overlap_slices(shape, shape, lag)
        plain = plain_overlap_sums(a.deviations[here], a.mask[here], b.deviations[there], b.mask[there])
        np.testing.assert_allclose(
            [sums.n, sums.a, sums.aa, sums.b, sums.bb, sums.ab],
            [plain.n, plain.a, plain.aa, plain.b, plain.bb, plain.ab],
            atol=1e-12,
        )


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(("size", "offset"), [(2, (0, 0)), (4, (3, 5)), (16, (1, 1))])
def test_blocks_hold_what_their_pixels_do(size: int, offset: tuple[int, int], later: bool) -> None:
    rng = np.random.default_rng(4)
    shape, window = (33, 50), (25, 37)
    mask = np.ones(shape, bool)
    mask[10:19, 20:31] = False
    x = np.where(mask, rng.normal(size=shape), 0).astype(np.float32)
    of_mask = bound_kernels.mask_blocks_2d(mask, size, later, offset, window)
    got = [*of_mask, *bound_kernels.block_sums_2d(x, size, offset, window)]
    expected = np.zeros((6, *window))
    parts = np.stack([mask.astype(float), x, x.astype(float) ** 2, np.abs(x)])
    for axis in (1, 2):
        parts = np.add.reduceat(parts, np.arange(0, parts.shape[axis], size), axis=axis)
    parts = np.pad(parts, [(0, 0), (1, 1), (1, 1)])
    every, some = parts[0] == size**2, parts[0] > 0
    for axis in (0, 1):
        every = every & np.roll(every, -1 if later else 1, axis)
        some = some | np.roll(some, -1 if later else 1, axis)
    expected[:, : parts.shape[1], : parts.shape[2]] = [parts[0], every, some & ~every, *parts[1:]]
    np.testing.assert_allclose(got, np.roll(expected, offset, (1, 2)), atol=1e-6)


def scattered(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """A mask of scattered pixels, a block at a corner and one inside."""
    mask = rng.random(shape) < 0.9
    mask[: shape[0] // 3, : shape[1] // 4] = False
    mask[shape[0] // 2 :, shape[1] // 2 : shape[1] // 2 + 2] = False
    return mask


@pytest.mark.parametrize(("shape", "other"), [((17, 23), (17, 23)), ((9, 30), (21, 12)), ((1, 7), (5, 1))])
def test_sums_by_rectangles_bound_every_lag_closely(shape: tuple[int, int], other: tuple[int, int]) -> None:
    rng = np.random.default_rng(8)
    a, b = (
        CentredImage.of(rng.normal(size=n), scattered(rng, n) if min(n) > 5 else np.ones(n, bool))
        for n in (shape, other)
    )
    holes = [race_kernels.holes_2d(image.mask) for image in (a, b)]
    for image, own in zip((a, b), holes, strict=True):
        covered = np.zeros(image.mask.shape, int)
        for top, bottom, left, right in own:
            covered[top:bottom, left:right] += 1
        np.testing.assert_array_equal(covered, ~image.mask)
    tables = [
        race_kernels.cumulated_2d(image.unit, image.mask, np.ones(image.mask.shape[0] + 1, bool))
        for image in (a, b)
    ]
    axes = [lag_axis(p, q) for p, q in zip(shape, other, strict=True)]
    # not every lag: stretches of several lengths, and gaps
    lags = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    lags = lags[rng.random(len(lags)) < 0.8]
    sums = [overlap_sums(a, b, tuple(lag)) for lag in lags.tolist()]
    products = np.array([s.ab for s in sums]) / np.sqrt(a.energy * b.energy)
    best, possible = race_kernels.race_2d(
        *tables[0], holes[0], *tables[1], holes[1], lags, products, 0.0, 1e-6, 3.0, 5.0
    )
    n, ncc = np.array([s.n for s in sums]), np.array([s.ncc for s in sums])
    assert (np.isneginf(possible) == (n < 3)).all()
    counted = np.isfinite(possible) & (ncc > 0)
    assert (possible[counted] >= ncc[counted]).all()
    assert counted.sum() > len(lags) / 8 or max(shape) < 10
    np.testing.assert_allclose(possible[counted & (n > 20)], ncc[counted & (n > 20)], atol=1e-4)
    assert best <= ncc[n >= 5].max(initial=0)


@pytest.mark.parametrize("least", [0.05, 0.4])
@pytest.mark.parametrize(
    ("shape", "other"), [((30, 41), (35, 28)), ((160,), (140,)), ((9, 12, 8), (11, 9, 9))]
)
@pytest.mark.parametrize("hot", [False, True])
def test_transforms_of_all_sums_bound_every_lag(
    shape: tuple[int, ...], other: tuple[int, ...], least: float, hot: bool
) -> None:
    rng = np.random.default_rng(9)
    a, b = pair(3, shape, other)
    masks = [image.mask & (rng.random(image.mask.shape) < 0.8) for image in (a, b)]
    if hot:
        a.deviations[np.unravel_index(np.flatnonzero(masks[0])[40], shape)] = 500 * np.abs(a.deviations).max()
    a, b = (CentredImage.of(image.deviations, mask) for image, mask in zip((a, b), masks, strict=True))
    spans = [(1 - q, p) for p, q in zip(shape, other, strict=True)]
    sums = all_sums.AllSums(a, b, np.dtype(np.float32), spans)
    n, low, high = sums.empty(), sums.empty(), sums.empty()
    errors = sums.errors()
    errors[0] = 0
    six = sums.at_lags(range(6))
    race_kernels.ncc_bounds_2d(tuple(six[which] for which in range(6)), errors, n, low, high)
    values = of_all_lags(a, b, 0.0)
    counts = {lag: overlap_sums(a, b, lag).n for lag in values}
    np.testing.assert_array_equal(n.ravel(), list(counts.values()))
    enough = n.ravel() > 3
    truth = np.array(list(values.values()))[enough]
    assert (low.ravel()[enough] <= truth + 1e-6).all()
    assert (truth <= high.ravel()[enough] + 1e-6).all()
    close = n.ravel()[enough] > n.max() / 2
    assert hot or (high - low).ravel()[enough][close].max() < 2e-3
    possible = likeliest.lags_of_enough_overlap(a, b, least)
    threshold = possible.least_overlap
    assert threshold == (least * n.max(), least * n.max())
    allowed = {lag: value for lag, value in values.items() if counts[lag] >= threshold[0]}
    summed: list[float] = []

    def reached(lag: tuple[int, ...]) -> float:
        summed.append(values[lag] if lag in allowed else 0.0)
        return max(summed)

    found = likeliest.likeliest_lags(a, b, possible, reached, 10_000)
    assert found is not None
    assert len(summed) == 1
    assert max(allowed, key=lambda lag: allowed[lag]) in map(tuple, found.tolist())
    assert hot or len(found) < len(allowed) / 10


@pytest.mark.parametrize(
    ("shape", "other"), [((30, 41), (35, 28)), ((160,), (140,)), ((9, 12, 8), (11, 9, 9))]
)
@pytest.mark.parametrize("hot", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_no_lag_has_less_energy_than_is_said_nor_exceeds_its_ceiling(
    shape: tuple[int, ...], other: tuple[int, ...], hot: bool, known: bool
) -> None:
    rng = np.random.default_rng(16)
    a, b = pair(4, shape, other)
    masks = [image.mask & (rng.random(image.mask.shape) < 0.85) for image in (a, b)]
    if hot:
        b.deviations[np.unravel_index(np.flatnonzero(masks[1])[40], other)] = 500 * np.abs(b.deviations).max()
    a, b = (CentredImage.of(image.deviations, mask) for image, mask in zip((a, b), masks, strict=True))
    spans = [(1 - q, p) for p, q in zip(shape, other, strict=True)]
    lengths = [end - first for first, end in spans]
    bounds = least_energy.least_energies(a, b, spans, both=True)
    sums = [
        overlap_sums(a, b, tuple(int(i) + first for i, (first, _) in zip(index, spans, strict=True)))
        for index in np.ndindex(*lengths)
    ]
    flat = -1, lengths[-1]
    n = np.array([s.n for s in sums]).reshape(flat)
    squares = [s.aa / a.energy for s in sums], [s.bb / b.energy for s in sums]
    for bound, energies in zip(bounds, squares, strict=True):
        rectangles = bound.rectangles
        short = bound.short[np.ix_(rectangles.of_row, rectangles.of_column)] + bound.slip
        assert (bound.level * n - short <= np.reshape(energies, flat)).all()
        assert hot or (bound.level * n - short).max() > 0.1
    scale = np.sqrt([1, a.energy, 1, b.energy, a.energy * b.energy])
    five = [
        np.reshape(values, flat).astype(np.float32)
        for values in zip(*(np.array([s.n, s.a, s.aa, s.b, s.ab]) / scale for s in sums), strict=True)
    ]
    five[2] = (five[2] / a.energy).astype(np.float32) if known else five[2][:0]
    ceilings = np.empty(n.shape, np.float32)
    every = slice(None)
    bound_kernels.ceilings_2d(
        tuple(five), np.full(6, 1e-6) * (np.arange(6) > 0), *(bound.at(every) for bound in bounds), ceilings
    )
    truth = np.reshape([s.ncc for s in sums], flat)
    assert (ceilings >= truth).all()
    near = n > 0.7 * n.max()
    assert hot or np.isfinite(ceilings[near]).any()
    difference = five[1] - five[3]
    for energies in (
        bounds,
        [least_energy.LeastEnergy.exact(np.reshape(q, flat).astype(np.float32), 1e-6) for q in squares],
    ):
        by_difference = np.full(n.shape, np.nan, np.float32)
        bound_kernels.ceilings_by_difference_2d(
            (five[0], difference, five[4]),
            np.array([0, 1e-6, 1e-6]),
            *(bound.at(every) for bound in energies),
            by_difference,
        )
        assert (by_difference >= truth).all()
        assert hot or np.isfinite(by_difference[near]).any()


@pytest.mark.parametrize("offset", [0.0, 0.3, 3.0, 30.0])
def test_the_difference_of_two_sums_bounds_the_ncc_whatever_the_sums_are(offset: float) -> None:
    """Both images brighter by any amount where they meet: their energies and products are larger, too."""
    rng = np.random.default_rng(20)
    for n in (5, 40, 900):
        x, noise, more = rng.normal(size=(3, 300, n))
        part = rng.uniform(-1, 1, (300, 1))
        x, y = x + offset, part * x + noise + offset * rng.normal(size=(300, 1)) + 0.1 * more
        scale = [np.sqrt((z**2).sum(axis=1)) for z in (x, y)]
        x, y = x / scale[0][:, np.newaxis], y / scale[1][:, np.newaxis]
        ncc = np.array([np.corrcoef(*both)[0, 1] for both in zip(x, y, strict=True)])
        sums = np.full(300, n), (x - y).sum(axis=1), (x * y).sum(axis=1)
        exact = least_energy.LeastEnergy.exact(np.ones((1, 300), np.float32), 1e-6)
        out = np.empty((1, 300), np.float32)
        bound_kernels.ceilings_by_difference_2d(
            tuple(z.astype(np.float32)[np.newaxis] for z in sums),
            np.array([0, 1e-6, 1e-6]),
            *[exact.at(slice(None))] * 2,
            out,
        )
        assert (out[0] >= ncc).all()
        if offset == 0 and n == 900:
            np.testing.assert_allclose(out[0][ncc > 0], ncc[ncc > 0], atol=0.02)


@pytest.mark.parametrize("right", [False, True])
def test_the_likeliest_lags_are_the_same_whether_the_overlap_or_a_good_lag_is_known(right: bool) -> None:
    """Where nothing is reached by the lag that is summed first, all lags stay possible."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        a, b = (
            CentredImage.of(x.deviations, x.mask & (rng.random(x.mask.shape) < 0.8))
            for x in pair(seed, (50, 60), (55, 48))
        )
        possible = likeliest.lags_of_enough_overlap(a, b, 0.3)
        unknown = likeliest.PossibleLags(possible.spans, possible.least_overlap)
        truth = of_all_lags(a, b, 0.3)
        best = max(truth, key=truth.__getitem__)
        reached = truth[best] if right else 0.0
        for some in (possible, unknown):
            found = likeliest.likeliest_lags(a, b, some, lambda _, value=reached: value, 16)
            assert found is not None
            assert best in map(tuple, found.tolist())
            assert all(truth[tuple(lag)] > truth[best] - 1e-2 for lag in found.tolist())


@pytest.mark.parametrize("close", [0, 1_000_000])
def test_squares_that_are_summed_leave_the_best_lag_as_those_that_are_transformed_do(
    monkeypatch: pytest.MonkeyPatch, close: int
) -> None:
    monkeypatch.setattr(likeliest, "CLOSE_LAGS", close)
    monkeypatch.setattr(likeliest, "MOST_SUMMED", close)
    transforms = []
    at_lags = all_sums.AllSums.at_lags

    def spy(sums: all_sums.AllSums, wanted: list[int]) -> dict[int, np.ndarray]:
        transforms.append(sums)
        return at_lags(sums, wanted)

    monkeypatch.setattr(all_sums.AllSums, "at_lags", spy)
    for seed in range(6):
        rng = np.random.default_rng(seed)
        a, b = (
            CentredImage.of(x.deviations, x.mask & (rng.random(x.mask.shape) < 0.8))
            for x in pair(seed, (50, 60), (55, 48))
        )
        truth = of_all_lags(a, b, 0.3)
        best = max(truth, key=truth.__getitem__)
        possible = likeliest.lags_of_enough_overlap(a, b, 0.3)
        found = likeliest.likeliest_lags(a, b, possible, lambda _, value=truth[best] * 0.9: value, 16)
        assert found is not None
        assert best in map(tuple, found.tolist())
        # where the sums of a and b are not known, only their difference, lags a little below 0.9 stay
        assert all(truth[tuple(lag)] > 0.8 * truth[best] for lag in found.tolist())
    assert len(transforms) == (6 if close else 12)


@pytest.mark.parametrize("first", [(-3, -7), (0, 0), (11, -30), (-60, 20), (49, 59)])
def test_squares_of_lags_close_together_are_wrong_by_less_than_is_said(first: tuple[int, int]) -> None:
    for seed in range(3):
        a, b = pair(seed, (50, 60), (55, 48))
        fours = np.array([(0, 2), (1, 0), (1, 5), (4, 9)]) + first
        out = np.zeros((4, 4))
        race_kernels.squares_near_2d(a.unit, b.mask, fours, out)
        for (k, j), value in np.ndenumerate(out):
            here, there = overlap_slices(a.mask.shape, b.mask.shape, (int(fours[k, 0]), int(fours[k, 1] + j)))
            truth = np.square(a.unit_deviations.array(float)[here])[b.mask[there]].sum()
            assert abs(value - truth) <= likeliest.SUMMED / 4


@pytest.mark.parametrize("dtype", ["i4", "u4", "i8", "u8"])
def test_whole_numbers_are_in_single_precision_only_if_it_holds_them(dtype: str) -> None:
    values = np.arange(7000, dtype=dtype).reshape(70, 100)[:, ::-1]
    for changed, expected in ((0, "f4"), (2**24, "f4"), (2**24 + 1, "f8"), (-(2**24) - 1, "f8")):
        if dtype[0] == "u" and changed < 0:
            continue
        some = values.copy()
        some[60, 3] = changed
        found = exact_values(some)
        assert found.dtype == expected
        np.testing.assert_array_equal(found, some)


def test_every_row_that_is_looked_up_is_wanted() -> None:
    rng = np.random.default_rng(19)
    for rows, others in ((30, 22), (18, 40)):
        holes = np.zeros((3, 4), int)
        holes[:, :2] = np.sort(rng.integers(0, others + 1, (3, 2)))
        for first, end in ((-9, 14), (3, 4), (-60, -35)):
            wanted = race_kernels.wanted_rows_2d(rows, others, holes, first, end)
            edges = np.concatenate([[0, others], holes[:, :2].ravel()])
            met = np.clip(np.add.outer(edges, np.arange(first, end)), 0, rows)
            np.testing.assert_array_equal(np.flatnonzero(wanted), np.unique([0, rows, *met.ravel()]))


def test_lags_that_may_be_the_greatest_are_counted_and_marked() -> None:
    rng = np.random.default_rng(17)
    n, ceilings = rng.random((2, 40, 50), np.float32)
    for enough, best in ((0.0, 0.0), (0.5, 0.97), (0.99, 0.99), (2.0, 0.0)):
        rows, columns = np.zeros(40, bool), np.zeros(50, bool)
        limits = np.float32(enough), np.float32(best)
        found = np.zeros((30, 2), int)
        count = bound_kernels.hopeful_2d(n, ceilings, *limits, rows, columns, found)
        where = np.argwhere((n >= limits[0]) & (ceilings >= limits[1]))
        assert count == len(where)
        np.testing.assert_array_equal(found[:count], where[:30])
        np.testing.assert_array_equal(np.flatnonzero(rows), np.unique(where[:, 0]))
        np.testing.assert_array_equal(np.flatnonzero(columns), np.unique(where[:, 1]))


@pytest.mark.parametrize(("width", "down", "size"), [(24, 1, 8), (29, 4, 8), (5, 8, 8), (1, 3, 2)])
def test_squares_fall_short_of_a_level_by_what_their_pixels_do(width: int, down: int, size: int) -> None:
    rng = np.random.default_rng(18)
    x, mask = rng.normal(size=(7, width)).astype(np.float32), rng.random((7, width)) < 0.7
    got = bound_kernels.short_of_level_2d(x, mask, 1.3, down, size)
    each = np.where(mask, np.maximum(1.3 - x.astype(float) ** 2, 0), 0)
    blocks = np.add.reduceat(each, np.arange(0, width, size), axis=1)
    blocks = np.add.reduceat(blocks, np.arange(0, 7, down), axis=0)
    np.testing.assert_allclose(got, blocks, atol=down * size * 1.3 * 2**-21)


@pytest.mark.parametrize("least", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize(
    ("shape", "other"), [((30, 41), (30, 41)), ((30, 41), (12, 50)), ((90,), (70,)), ((9, 8, 7), (6, 9, 7))]
)
@pytest.mark.parametrize("same", [False, True])
def test_every_lag_of_enough_overlap_is_allowed(
    shape: tuple[int, ...], other: tuple[int, ...], least: float, same: bool
) -> None:
    rng = np.random.default_rng(14)
    masks = [rng.random(n) < 0.7 for n in (shape, shape if same else other)]
    a, b = (CentredImage.of(mask.astype(float), mask) for mask in (masks[0], masks[0] if same else masks[1]))
    found = enough_overlap(a, b, least)
    axes = [lag_axis(p, q) for p, q in zip(a.mask.shape, b.mask.shape, strict=True)]
    every = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))
    counts = {tuple(lag): overlap_sums(a, b, tuple(lag)).n for lag in every.tolist()}
    most = max(counts.values())
    assert found.least[0] <= least * most <= found.least[1]
    allowed = [lag for lag, n in counts.items() if n >= least * most]
    for lag in allowed:
        assert all(first <= s < end for s, (first, end) in zip(lag, found.spans, strict=True))
    lengths = [end - first for first, end in found.spans]
    n = found.n.reshape(lengths)
    firsts = [first for first, _ in found.spans]
    for index in np.ndindex(*lengths):
        assert n[index] == counts[tuple(i + first for i, first in zip(index, firsts, strict=True))]
    if least == 1.0:
        assert len(allowed) == n.size or n.size < len(counts) / 2


def test_bounds_on_a_bright_background_hold() -> None:
    """A bright middle behind a block makes the bounds loose: many lags are looked at, none is missed."""
    rng = np.random.default_rng(10)
    rows, cols = np.mgrid[-100:100, -100:100]
    radius = np.hypot(rows, cols)
    scene = 2000 * np.exp(-radius / 30) + 60 * np.exp(-(((radius - 60) / 6) ** 2))
    mask = radius > 12
    mask[:100, 96:104] = False
    for shift in ((0, 0), (3, -7)):
        moved = scipy.ndimage.shift(scene, shift, order=1, mode="nearest")
        a, b = (CentredImage.of(rng.poisson(x), mask) for x in (scene, moved))
        found = greatest_ncc_lag(a, b, 0.3)
        assert found is not None
        assert found == by_all_lags(a, b, 0.3)


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag_sums, "PART_BYTES", 2**13)
    a, b = pair(3, (130, 140), (130, 140))
    alone = greatest_ncc_lag(a, b, 0.3), ncc_map(a, b, np.float64, 0.3).tobytes()
    for threads in (2, 5):
        with scipy.fft.set_workers(threads):
            assert greatest_ncc_lag(a, b, 0.3) == alone[0]
            assert ncc_map(a, b, np.float64, 0.3).tobytes() == alone[1]


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_each_part_is_done_once_and_an_error_comes_out(threads: int) -> None:
    done: list[int] = []
    with scipy.fft.set_workers(threads):
        in_parallel(done.append, 20)
        assert sorted(done) == list(range(20))
        with pytest.raises(ZeroDivisionError):
            in_parallel(lambda k: done.append(1 // (k - 3)), 20)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_has_threads_of_its_own() -> None:
    done: list[int] = []
    with scipy.fft.set_workers(3):
        in_parallel(done.append, 20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads in a process that forks
        child = os.fork()
    if child == 0:
        signal.alarm(20)
        with scipy.fft.set_workers(3):
            in_parallel(done.append, 20)
        os._exit(0 if sorted(done) == sorted([*range(20)] * 2) else 1)
    assert os.waitpid(child, 0)[1] == 0


def of_all_lags(a: CentredImage, b: CentredImage, least: float) -> dict[tuple[int, ...], float]:
    """Every lag's coefficient by direct sums in double precision, of those with overlap enough."""
    axes = [lag_axis(p, q) for p, q in zip(a.mask.shape, b.mask.shape, strict=True)]
    every = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))
    lags = [tuple(lag) for lag in every.tolist()]
    sums = {lag: overlap_sums(a, b, lag) for lag in lags}
    enough = least * max(s.n for s in sums.values())
    return {lag: s.ncc for lag, s in sums.items() if s.n >= enough}


@pytest.mark.parametrize("kind", ["offset", "hot", "hot in both", "range", "almost flat", "nearly equal"])
@pytest.mark.parametrize("scatter", [False, True])
def test_single_precision_never_proves_what_is_not_so(kind: str, scatter: bool) -> None:
    """What is left of the energy in an overlap magnifies the rounding of all sums: the bounds know."""
    proven = 0
    for seed in range(cases(3, 5)):
        rng = np.random.default_rng(seed)
        whole = scipy.ndimage.gaussian_filter(rng.normal(size=(60, 64)), 1.5) * 5
        masks = [np.ones((42, 44), bool) for _ in range(2)]
        for mask in masks:
            mask[15:24, 12:26] = False
            mask &= (rng.random(mask.shape) < 0.8) | (not scatter)
        cuts = [whole[4:46, 6:50] + 0, whole[9:51, 2:46] + 0]
        cuts = [cut + rng.normal(0, 0.2, cut.shape) for cut in cuts]
        if kind == "offset":
            cuts = [cut + 1e7 for cut in cuts]
        elif kind.startswith("hot"):
            for cut in cuts[: 1 + ("both" in kind)]:
                cut[tuple(rng.integers(26, 40, 2))] = 1e6
        elif kind == "range":
            cuts = [np.exp(4 * cut) for cut in cuts]
        elif kind == "almost flat":
            cuts = [1 + 1e-9 * cut for cut in cuts]
        elif kind == "nearly equal":  # a second peak, as high but for the sixth decimal
            cuts[1] = np.tile(cuts[0][:, :22], 2) + 1e-3 * cuts[1]
        images = [CentredImage.of(cut, mask) for cut, mask in zip(cuts, masks, strict=True)]
        found = greatest_ncc_lag(*images, 0.3)
        if found is not None:
            proven += 1
            values = of_all_lags(*images, 0.3)
            assert values[found] >= max(values.values()) - 1e-9
    assert proven >= (0 if scatter or "hot" in kind or kind == "range" else 1)


def test_a_lag_that_is_faint_for_scikit_image_proves_nothing() -> None:
    a, b = pair(3, (80, 80), (80, 80))
    assert greatest_ncc_lag(a, b, 0.3) is not None
    assert greatest_ncc_lag(a, b, 0.3, 1.0) is None


def test_sums_by_transforms_are_wrong_by_less_than_is_said() -> None:
    rng = np.random.default_rng(12)
    for shape in ((64, 64), (100, 96)):
        x, y = rng.normal(size=(2, *shape))
        x[3, 5] = 1e4
        window, spans = tuple(2 * n for n in shape), [(-n + 1, n) for n in shape]
        got = []
        for t in (np.dtype(np.float64), np.dtype(np.float32)):
            images = [lag_sums.Transform(Deviations(z, np.ones(shape, bool)), window, t) for z in (x, y)]
            got.append(lag_sums.lag_sums(images, [(0, 1)], window, spans, t))
        exact, single = got
        wrong = np.abs(exact - single).max() / np.linalg.norm(x) / np.linalg.norm(y)
        assert 0 < wrong < lag_sums.rounding(window) / 4
