"""The compiled passes of the search against their plain twins, compiled and not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.uncompiled import WITHOUT_COMPILER

from maskreg.core.detector.lone import most_of_block, plain_most_of_block
from maskreg.core.doubt.one_pixel import greatest_part, plain_greatest_part
from maskreg.core.frequencies.bands import band_of, visible_part
from maskreg.core.image.checked import checked_image, checked_pixels, every_pixel_counts
from maskreg.core.image.detail import LocalPlane, detail, plain_detail
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import LevelImage, MaskPyramid, eroded, plain_halved
from maskreg.core.image.stabilise import Detector
from maskreg.core.image.windows import plain_window_sums, window_sums
from maskreg.core.lags.correlate import limited_lags, reference_terms
from maskreg.core.lags.maxima import likeliest_maxima
from maskreg.core.lags.scores import (
    Judged,
    chance_level,
    level_scores,
    plain_chance_level,
    plain_level_scores,
)
from maskreg.core.lags.search_kernels import _logarithm
from maskreg.core.lags.spectra import transform, transformed_pair
from maskreg.core.likelihood import likelihood
from maskreg.core.plan import window_length

FLOAT32 = 1e-5
"""Rounding of a pass in float32, relative to the largest value."""

EXAMPLES = 5 if WITHOUT_COMPILER else 50
"""Without the compiler a pass is a hundred times slower."""

sides = st.tuples(st.integers(1, 34), st.integers(1, 34))
seeds = st.integers(0, 2**32 - 1)


def test_logarithms_in_vector_lanes_are_those_of_numpy_to_the_last_bits() -> None:
    values = np.concatenate([np.geomspace(1e-7, 3e7, 997), 1 + np.linspace(-1e-3, 1e-3, 101)])
    values = values.astype(np.float32)
    found = values.copy()
    _logarithm(found)
    np.testing.assert_allclose(found, np.log(values.astype(np.float64)), rtol=3e-7, atol=1e-7)


def image_and_mask(seed, shape, part=0.9):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < part
    mask.flat[rng.integers(mask.size)] = True
    return np.where(mask, rng.normal(1.0, 2.0, shape), 0).astype(np.float32), mask


# grey values


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(
    seeds,
    sides,
    st.sampled_from(["u1", "u2", "u4", "i2", "i4", "f4"]),
    st.sampled_from([0.5, 1.0, 7.0]),
    st.sampled_from([0.0, 90.0]),
)
def test_stabilised_counts_are_those_of_the_detector(seed, shape, dtype, gain, offset):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, {"u1": 256, "i2": 2**15}.get(dtype, 2**16), shape).astype(dtype)
    mask = np.ones(shape, bool)
    mask[: rng.integers(0, 3), : rng.integers(0, shape[1])] = False
    mask[-1, -1] = True
    masks = MaskPyramid(mask)
    # of small images any mask makes many blocks partial
    masks.__dict__["scattered"] = False
    detector = Detector(True, gain, offset, 1.5)
    found = Prepared(counts, masks, detector, 3.0)
    expected = np.where(mask, detector.stabilised(counts) - 3.0, 0)
    np.testing.assert_allclose(found.pixels, expected, rtol=0, atol=3e-7 * np.abs(expected).max() + 3e-6)
    halves, atol = plain_halved(found.pixels), 2e-6 * np.abs(expected).max() + 1e-5
    np.testing.assert_allclose(found.level(2).pixels, halves * found.masks.weights(2), rtol=0, atol=atol)
    quarters = found._pyramid._sums[4]
    np.testing.assert_allclose(quarters, plain_halved(halves), rtol=0, atol=4 * atol)
    assert found.flat == (len(np.unique(counts[mask])) == 1)
    at_once = Prepared(counts, masks, detector, 3.0, refined=True)
    assert "pixels" in vars(at_once)
    np.testing.assert_array_equal(at_once.pixels, found.pixels)
    np.testing.assert_array_equal(at_once.level(2).pixels, found.level(2).pixels)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "bool"])
def test_integers_without_a_mask_need_no_mask(dtype):
    image = np.random.default_rng(1).integers(0, 2, (7, 9)).astype(dtype)
    pixels, mask = checked_image("moving", image)
    assert every_pixel_counts(image, None)
    assert mask.all()
    assert checked_pixels("moving", image).tobytes() == pixels.tobytes()
    floats = image.astype(float)
    assert every_pixel_counts(floats, None)
    floats[3, 4] = np.nan
    for other, its_mask in ((floats, None), (image, mask), (np.ma.masked_equal(image, 0), None)):
        assert not every_pixel_counts(other, its_mask)


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, st.sampled_from([(40,), (14, 17), (7, 9, 8), (3, 2)]), st.integers(0, 4))
def test_eroded_is_every_neighbour_being_valid(seed, shape, radius):
    mask = np.random.default_rng(seed).random(shape) < 0.97
    found = eroded(mask, radius)
    assert found.shape == mask.shape
    padded = np.pad(mask, radius)
    for index in np.ndindex(shape):
        assert found[index] == padded[tuple(slice(i, i + 2 * radius + 1) for i in index)].all()


# background


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, sides, st.sampled_from([0.3, 0.9, 1.0]), st.sampled_from([1.0, 5.0]))
def test_a_plane_by_rows_and_columns_is_the_plane_by_transforms(seed, shape, part, sigma):
    pixels, mask = image_and_mask(seed, shape, part)
    plane = LocalPlane(mask, sigma)
    scale = np.abs(plane._weights).max() * np.abs(pixels).max() + 1
    np.testing.assert_allclose(plane(pixels), plane.plain(pixels), rtol=0, atol=FLOAT32 * scale)


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, sides, st.booleans(), st.sampled_from([0.0, 2.0, 8.0]))
def test_the_detail_equals_its_plain_twin(seed, shape, counts, mean):
    pixels, mask = image_and_mask(seed, shape)
    plane = LocalPlane(mask, 5.0)
    window = tuple(n + 5 for n in shape)
    detector = Detector(counts, read_noise=0.5)
    found = detail(pixels, plane, detector, mean, window)
    plain = plain_detail(pixels, plane, detector, mean, window)
    scale = 1 + np.abs(plain.pixels).max()
    np.testing.assert_allclose(found.pixels, plain.pixels, rtol=0, atol=2e-3 * scale)  # a table of noise
    np.testing.assert_array_equal(found.padded[0][: shape[0], : shape[1]], found.pixels)
    np.testing.assert_array_equal(found.padded[1], found.padded[0] ** 2)
    assert not found.padded[:, shape[0] :].any()
    assert not found.padded[:, :, shape[1] :].any()
    assert found.energy == pytest.approx(float((found.pixels.astype(float) ** 2).sum()), rel=FLOAT32)
    assert found.whole == pytest.approx(plain.whole, rel=FLOAT32)


# lags


def terms_and_moving(seed, shape, moving_shape):
    a, a_mask = image_and_mask(seed, shape)
    b, b_mask = image_and_mask(seed + 1, moving_shape)
    window = tuple(window_length(p, q, None) for p, q in zip(shape, moving_shape, strict=True))
    terms = reference_terms(a, a_mask, b_mask, window, limited_lags(shape, moving_shape, None))
    padded = np.zeros((2, *window), np.float32)
    corner = tuple(slice(0, n) for n in moving_shape)
    padded[0][corner], padded[1][corner] = b, b * b
    return terms, padded


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, sides, sides, st.sampled_from([1e-6, 1e-2, 1.0]))
def test_the_scores_of_all_lags_equal_their_plain_twin(seed, shape, moving_shape, floor):
    terms, padded = terms_and_moving(seed, shape, moving_shape)
    energy = float(padded[1].sum(dtype=np.float64))
    rng = np.random.default_rng(seed)
    allowed, counted = (rng.random(terms.shape) < 0.8 for _ in range(2))
    lags = limited_lags(shape, moving_shape, None)
    judged = Judged(max(11.0, 0.05 * float(terms.overlap.max())), floor, allowed, counted, lags)
    found = level_scores(terms, padded, energy, judged)
    pair = transformed_pair(padded, terms.moving_shape)
    plain = plain_level_scores(terms, pair, energy, judged)
    np.testing.assert_allclose(pair[0], transform(padded[0], terms.window), atol=1e-4 * (1 + np.sqrt(energy)))
    # at the border of what is trusted rounding decides
    same = np.isnan(found.ncc) == np.isnan(plain.ncc)
    assert same.mean() > 0.99
    assert found.ncc.shape == terms.shape
    known = ~np.isnan(found.ncc) & ~np.isnan(plain.ncc)
    np.testing.assert_allclose(found.ncc[known], plain.ncc[known], rtol=0, atol=2e-3)
    np.testing.assert_array_equal(found.searched, allowed & ~np.isnan(found.ncc))
    assert found.number == np.count_nonzero(found.searched)
    if same.all():
        assert found.possible <= plain.possible
        assert found.counted == plain.counted
        z = np.abs(np.arctanh(np.clip(plain.ncc[known].astype(float), -0.999, 0.999)))
        near = z < 2
        np.testing.assert_allclose(found.score[known][near], plain.score[known][near], rtol=0.03, atol=0.3)


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, sides, sides, st.sampled_from([1e-6, 0.5, 1.0]), st.sampled_from([0.0, 0.4, 1.0]))
def test_the_likeliest_maxima_are_those_of_the_whole_map(seed, shape, moving_shape, floor, part):
    terms, padded = terms_and_moving(seed, shape, moving_shape)
    allowed = np.random.default_rng(seed).random(terms.shape) < part
    lags = limited_lags(shape, moving_shape, None)
    found = level_scores(terms, padded, 1.0, Judged(0.0, floor, allowed, allowed, lags))
    plain = likeliest_maxima(found.ncc, terms.overlap, found.searched, floor, lags)

    def values(chosen):
        return [float(likelihood(found.ncc[i], terms.overlap[i], floor)) for i in chosen]

    # what is equal but for the last bit may come in another order
    np.testing.assert_allclose(values(found.peaks), values(plain), rtol=1e-9)
    if floor == 1e-6 and len(set(values(plain))) == len(plain):
        assert found.peaks == plain
    assert found.greatest == pytest.approx(values(plain)[0] if plain else -np.inf, rel=1e-9)


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, sides, st.sampled_from([0.0, 0.5, 1.0]), st.booleans())
def test_the_chance_level_is_the_median_to_the_bit(seed, shape, part, coarse):
    rng = np.random.default_rng(seed)
    z = rng.normal(scale=30.0, size=shape).astype(np.float32)
    z = np.rint(z) if coarse else z
    z[rng.random(shape) < 0.1] = np.nan
    counted = rng.random(shape) < part
    assert chance_level(z, counted) == plain_chance_level(z, counted)


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, sides, sides, st.tuples(st.integers(-36, 36), st.integers(-36, 36)))
def test_the_part_that_one_pixel_makes_has_equal_twins(seed, shape, moving_shape, lag):
    a, b = (LevelImage(*image_and_mask(k, n)) for k, n in ((seed, shape), (seed + 1, moving_shape)))
    plain = plain_greatest_part(a, b, lag)
    # near zero the sum of the products is rounding
    if plain.part < 100:
        found = greatest_part(a, b, lag)
        assert found.part == pytest.approx(plain.part, rel=1e-4)
        assert found[1:] == plain[1:]
        assert greatest_part(a, LevelImage(-b.pixels, b.mask), lag).part == np.inf


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, st.integers(1, 9), st.sampled_from([0.0, -30.0, 30.0]))
def test_the_part_that_one_pixel_makes_of_a_block_has_equal_twins(seed, times, hot):
    rng = np.random.default_rng(seed)
    pixels = rng.normal(size=(5 * times, 4 * times)).astype(np.float32)
    pixels[rng.integers(5 * times), rng.integers(4 * times)] += hot
    place = (int(rng.integers(5)), int(rng.integers(4)))
    plain = plain_most_of_block(pixels, place, times)
    assert most_of_block(pixels, place, times) == pytest.approx(plain, rel=1e-4, abs=1e-6)


def test_an_offset_does_not_change_the_part_that_one_pixel_makes():
    a, b = (np.zeros((20, 30), np.float32) for _ in range(2))
    a[5, 7] = b[8, 9] = 4
    mask = np.ones(a.shape, bool)
    for offset in (np.float32(0), np.float32(3)):
        one, other = LevelImage(a - offset, mask), LevelImage(b - offset, mask)
        found = greatest_part(one, other, (-3, -2))
        assert found.part == pytest.approx(1, abs=0.01)
        assert found[1:] == ((5, 7), (8, 9))
        assert greatest_part(one, other, (0, 0)).part == np.inf


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, sides, sides, st.tuples(st.integers(-36, 36), st.integers(-36, 36)))
def test_the_sums_of_one_lag_equal_their_plain_twin(seed, shape, moving_shape, lag):
    (a, a_mask), (b, b_mask) = image_and_mask(seed, shape), image_and_mask(seed + 1, moving_shape)
    found = window_sums(a, a_mask, b, b_mask, lag, 0)
    plain = plain_window_sums(a, a_mask, b, b_mask, lag, 0)
    for name in ("n", "a", "aa", "b", "bb", "ab"):
        np.testing.assert_allclose(getattr(found, name), getattr(plain, name), rtol=FLOAT32, atol=1e-2)
        assert getattr(found, name).shape == (1, 1)


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(
    seeds,
    st.tuples(st.integers(1, 12), st.integers(1, 60)),
    st.tuples(st.integers(1, 12), st.integers(1, 60)),
    st.tuples(st.integers(-9, 9), st.integers(-50, 50)),
    st.sampled_from([0.5, 0.98, 1.0]),
)
def test_the_sums_of_counts_at_one_lag_equal_their_plain_twin(seed, shape, moving_shape, lag, part):
    rng = np.random.default_rng(seed)
    one, other = (
        Prepared(rng.poisson(9.0, s).astype("u2"), MaskPyramid(rng.random(s) < part), Detector(True), 6.0)
        for s in (shape, moving_shape)
    )
    found = other.sums_with(one, lag)
    plain = plain_window_sums(one.pixels, one.mask, other.pixels, other.mask, lag, 0)
    for name in ("n", "a", "aa", "b", "bb", "ab"):
        np.testing.assert_allclose(getattr(found, name), getattr(plain, name), rtol=FLOAT32, atol=1e-2)
    np.testing.assert_allclose(found.ncc, plain.ncc.item(), rtol=0, atol=1e-3)


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, sides, st.sampled_from(["u1", "u2", "f4"]))
def test_packed_counts_are_the_stabilised_ones_rounded(seed, shape, dtype):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(30.0, shape).astype(dtype)
    image = Prepared(counts, MaskPyramid(rng.random(shape) < 0.8), Detector(True), 10.0)
    numbers, steps, sums = image.packed
    greatest = np.abs(image.pixels).max(axis=1)
    np.testing.assert_allclose(steps, np.where(greatest > 0, greatest / 32767, 1), rtol=1e-6)
    unpacked = numbers * steps[:, None]
    np.testing.assert_allclose(unpacked, image.pixels, rtol=0, atol=0.51 * steps.max())
    assert not numbers[~image.mask].any()
    np.testing.assert_allclose(sums, [image.mask.sum(), unpacked.sum(), (unpacked**2).sum()], atol=1e-6)


# structure


def test_a_lattice_finer_than_a_level_is_not_seen_there():
    rows, columns = np.mgrid[:256, :256]
    rng = np.random.default_rng(3)
    fine = rng.poisson(100 + 40 * np.cos(np.pi * rows) * np.cos(np.pi * columns)).astype(np.uint16)
    coarse = rng.poisson(100 + 40 * np.cos(rows / 9) * np.cos(columns / 9)).astype(np.uint16)
    seen = []
    for image in (fine, coarse):
        prepared = Prepared(image, MaskPyramid(np.ones(image.shape, bool)), Detector(True))
        bands = {b: band_of(prepared.level(b), 1.0 / b**2) for b in (1, 2, 4, 8, 16)}
        seen.append(visible_part(bands, 4))
    assert seen[0] < 0.03
    assert 0.5 < seen[1] <= 1


# without the compiler
