"""The lag that is proven to be the greatest is the one found by computing all."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import scipy.ndimage

from maskreg.compat.masked import ncc_map
from maskreg.core import greatest, race_kernels
from maskreg.core.greatest import CentredImage, block_sums, greatest_ncc_lag, plain_block_sums
from maskreg.core.overlap import overlap_sums, plain_overlap_sums
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


@pytest.mark.parametrize("bin_", [2, 4, 8])
def test_every_block_is_bounded_from_above(monkeypatch: pytest.MonkeyPatch, bin_: int) -> None:
    monkeypatch.setattr(greatest, "_bin_of", lambda longest, small: bin_)
    monkeypatch.setattr(greatest, "MOST_DIRECT", 10**6)
    for seed in range(4):
        a, b = pair(seed, (64, 50), (57, 64))
        bounds = greatest._block_bounds(a, b, 0.2)
        assert bounds is not None
        assert bounds.bin == bin_
        products = greatest._products(a, b, bounds)
        upper = bounds.upper(products.block_maxima)
        values = ncc_map(a, b, np.float64, 0.2)
        first = [int(lag_axis(p, q)[0]) for p, q in zip(a.mask.shape, b.mask.shape, strict=True)]
        checked = 0
        for index in np.argwhere(values > 0):
            block = tuple((index + first - bounds.first) // bin_)
            bound = upper[block]
            assert np.isnan(bound) or values[tuple(index)] <= bound + 1e-9
            checked += bool(np.isfinite(bound))
        assert checked > 100


def test_smooth_images_are_binned_less_than_rough_ones() -> None:
    rng = np.random.default_rng(0)
    mask = np.ones((700, 40), bool)
    rough = rng.normal(size=mask.shape)
    rows = np.arange(700)[:, None] * np.ones(40)
    bins = []
    for pixels in (rough, np.sin(rows / 30)):
        image = CentredImage.of(pixels, mask)
        bins.append([binned.bin for binned in greatest._both_binned(image, image)])
    assert bins == [[8, 8], [4, 4]]


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
        scaled = (CentredImage.of(x.pixels * scale, x.mask) for x in (a, b))
        assert greatest_ncc_lag(*scaled, 0.2) == found


@pytest.mark.parametrize("shape", [(7, 5), (33, 64), (1, 9)])
@pytest.mark.parametrize("b", [2, 4, 16])
def test_compiled_sums_equal_the_plain_ones(shape: tuple[int, int], b: int) -> None:
    rng = np.random.default_rng(2)
    mask, other = rng.random(shape) < 0.8, rng.random(shape) < 0.8
    x, y = np.where(mask, rng.normal(size=shape), 0), np.where(other, rng.normal(size=shape), 0)
    np.testing.assert_allclose(block_sums(x, mask, b), plain_block_sums(x, mask, b), atol=1e-12)
    for lag in ((0, 0), (shape[0] // 2, -2), (-shape[0] // 2, 3)):
        sums = overlap_sums(x, mask, y, other, lag)
        here, there = overlap_slices(shape, shape, lag)
        plain = plain_overlap_sums(x[here], mask[here], y[there], other[there])
        np.testing.assert_allclose(
            [sums.n, sums.a, sums.aa, sums.b, sums.bb, sums.ab],
            [plain.n, plain.a, plain.aa, plain.b, plain.bb, plain.ab],
            atol=1e-12,
        )


def scattered(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """A mask of scattered pixels, a block at a corner and one inside."""
    mask = rng.random(shape) < 0.9
    mask[: shape[0] // 3, : shape[1] // 4] = False
    mask[shape[0] // 2 :, shape[1] // 2 : shape[1] // 2 + 2] = False
    return mask


@pytest.mark.parametrize(("shape", "other"), [((17, 23), (17, 23)), ((9, 30), (21, 12)), ((1, 7), (5, 1))])
def test_sums_by_rectangles_equal_the_direct_ones_at_every_lag(
    shape: tuple[int, int], other: tuple[int, int]
) -> None:
    rng = np.random.default_rng(8)
    a_mask, b_mask = scattered(rng, shape), scattered(rng, other)
    a, b = np.where(a_mask, rng.normal(size=shape), 0), np.where(b_mask, rng.normal(size=other), 0)
    holes = race_kernels.holes_2d(b_mask)
    covered = np.zeros(other, int)
    for top, bottom, left, right in holes:
        covered[top:bottom, left:right] += 1
    np.testing.assert_array_equal(covered, ~b_mask)
    every_row = np.ones(shape[0] + 1, bool)
    cumulated, place = race_kernels.cumulated_2d(a, a_mask, every_row)
    for s0 in range(-other[0], shape[0] + 1):
        for s1 in range(-other[1], shape[1] + 1):
            got = race_kernels.under_2d(cumulated, place, holes, other, s0, s1)
            sums = overlap_sums(a, a_mask, b, b_mask, (s0, s1))
            np.testing.assert_allclose(got, [sums.n, sums.a, sums.aa], atol=1e-12)


@pytest.mark.parametrize("least", [0.05, 0.4])
def test_the_compiled_transforms_keep_the_lags_of_the_plain_ones(least: float) -> None:
    rng = np.random.default_rng(9)
    whole = scipy.ndimage.gaussian_filter(rng.normal(size=(90, 100)), 3) * 20
    kept = 0
    for start, shape in (((2, 9), (70, 80)), ((15, 3), (61, 90))):
        cuts = whole[5:75, 5:85], whole[start[0] : start[0] + shape[0], start[1] : start[1] + shape[1]]
        a, b = (
            CentredImage.of(cut + rng.normal(size=cut.shape), rng.random(cut.shape) < 0.8) for cut in cuts
        )
        found, _ = greatest._likeliest_lags(a, b, None, least)
        plain, _ = greatest._plain_likeliest(a, b, None, least)
        assert (found is None) == (plain is None)
        if found is not None and plain is not None:
            kept += 1
            best = by_all_lags(a, b, least)
            assert best in found
            assert best in plain
    assert kept == 2


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


def test_threads_change_nothing() -> None:
    a, b = pair(3, (130, 140), (130, 140))
    alone = greatest_ncc_lag(a, b, 0.3)
    with scipy.fft.set_workers(2):
        assert greatest_ncc_lag(a, b, 0.3) == alone
