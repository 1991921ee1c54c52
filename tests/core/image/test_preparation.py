"""What happens to an image before it is searched: interpolation, filling, binning, background, noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from maskreg.core.detector.noise import noise_curve, sample
from maskreg.core.frequencies.low_pass import gaussian_low_pass
from maskreg.core.image.checked import centred
from maskreg.core.image.detail import LocalPlane, detail
from maskreg.core.image.fill import filled
from maskreg.core.image.interpolate import TAPS, lagrange_slopes, lagrange_taps
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import ImagePyramid, MaskPyramid, eroded, halved, plain_halved
from maskreg.core.image.stabilise import Detector, detector_for
from maskreg.core.subpixel.template import make_template
from maskreg.options import Options

FLOAT32 = 3e-6
"""Rounding of a mean of float32 values, relative to the largest of them."""

SHAPES = [(60,), (21, 26), (9, 11, 10)]
seeds = st.integers(0, 2**32 - 1)


def image_and_mask(seed, shape, part):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < part
    mask.flat[rng.integers(mask.size)] = True
    return np.where(mask, rng.normal(5.0, 3.0, shape), 0).astype(np.float32), mask


# interpolation


@settings(derandomize=True, deadline=None)
@given(st.floats(-500, 500), st.lists(st.floats(-2, 2), min_size=1, max_size=6))
def test_six_taps_reproduce_polynomials_to_the_fifth_degree(place, coefficients):
    first, weights = lagrange_taps(place)
    offsets = first + np.arange(6) - place
    values = np.polynomial.polynomial.polyval(offsets, coefficients)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert weights @ values == pytest.approx(coefficients[0], abs=1e-9)


@given(st.floats(-500, 500))
@settings(derandomize=True, deadline=None)
def test_a_place_lies_between_the_middle_taps(place):
    first, weights = lagrange_taps(place)
    assert len(weights) == len(TAPS) == 6
    assert first + 2 <= place < first + 3 + 1e-9


@given(st.floats(-500, 500))
@settings(derandomize=True, deadline=None)
def test_slopes_are_the_derivatives_of_the_weights(place):
    # by the central difference of weights of the same six pixels
    fraction, step = place - np.floor(place), 1e-5
    inner = np.floor(place) + np.clip(fraction, 2 * step, 1 - 2 * step)
    after, before = (lagrange_taps(inner + d) for d in (step, -step))
    assert after[0] == before[0]
    np.testing.assert_allclose(lagrange_slopes(inner), (after[1] - before[1]) / (2 * step), atol=1e-5)
    assert lagrange_slopes(place).sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("place", [-7, -1, 0, 3, 12])
def test_at_a_whole_place_only_its_own_pixel_counts(place):
    first, weights = lagrange_taps(float(place))
    np.testing.assert_array_equal(weights, first + np.arange(6) == place)


# filling


@settings(derandomize=True, deadline=None, max_examples=60)
@given(seeds, st.sampled_from(SHAPES), st.sampled_from([0.02, 0.3, 0.7, 0.98, 1.0]))
def test_filling_keeps_valid_pixels_to_the_bit_and_invents_no_extremes(seed, shape, part):
    pixels, mask = image_and_mask(seed, shape, part)
    out = filled(pixels, mask)
    assert out.dtype == np.float32
    assert out[mask].tobytes() == pixels[mask].tobytes()
    assert np.isfinite(out).all()
    slack = FLOAT32 * np.abs(pixels).max()
    assert out.min() >= pixels[mask].min() - slack
    assert out.max() <= pixels[mask].max() + slack


@pytest.mark.parametrize("shape", SHAPES)
def test_a_constant_is_filled_with_itself(shape):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(0, n // 3) for n in shape)] = True
    out = filled(np.where(mask, np.float32(7), np.float32(0)), mask)
    np.testing.assert_allclose(out, 7, rtol=FLOAT32)


# binning


@settings(derandomize=True, deadline=None, max_examples=60)
@given(seeds, st.sampled_from(SHAPES), st.sampled_from([1, 2, 4, 8]), st.sampled_from([0.4, 0.8, 1.0]))
def test_a_block_is_the_mean_of_its_valid_pixels_if_half_of_it_is_valid(seed, shape, b, part):
    pixels, mask = image_and_mask(seed, shape, part)
    masks = MaskPyramid(mask)
    level = ImagePyramid({1: pixels}, masks).level(b)
    assert level.pixels.dtype == np.float32
    assert level.pixels.shape == level.mask.shape == tuple(n // b for n in shape)
    np.testing.assert_array_equal(masks.level(b), level.mask)
    for index in np.ndindex(level.mask.shape):
        block = tuple(slice(i * b, (i + 1) * b) for i in index)
        inside = mask[block]
        assert masks.counts(b)[index] == inside.sum()
        assert level.mask[index] == (2 * inside.sum() >= b ** len(shape))
        expected = pixels[block][inside].astype(float).mean() if level.mask[index] else 0.0
        assert level.pixels[index] == pytest.approx(expected, abs=FLOAT32 * 20)


def test_the_order_in_which_levels_are_asked_for_changes_no_bit():
    pixels, mask = image_and_mask(1, (37, 52), 0.8)
    one, other = (ImagePyramid({1: pixels}, MaskPyramid(mask)) for _ in range(2))
    up = {b: one.level(b).pixels.tobytes() for b in (1, 2, 4, 8)}
    down = {b: other.level(b).pixels.tobytes() for b in (8, 4, 1, 2)}
    assert up == down
    assert one.level(1).pixels.tobytes() == pixels.tobytes()


# background


RIDGE_PULL = 2e-4
"""What the ridge takes off a value in whole neighbourhoods, relative to it."""

SLOPES = (0.05, -0.02, 0.03)


def block_mask(shape):
    mask = np.ones(shape, bool)
    mask[tuple(slice(n // 3, n // 2) for n in shape)] = False
    return mask


def plane_of(shape, level):
    grid = np.meshgrid(*(np.arange(n) - n / 2 for n in shape), indexing="ij")
    return level + sum(slope * axis for slope, axis in zip(SLOPES, grid, strict=False))


def local_plane(values, mask, sigma):
    return LocalPlane(mask, sigma)(np.where(mask, values, 0).astype(np.float32))


@pytest.mark.parametrize("shape", [(120,), (60, 70), (40, 44, 42)])
def test_a_local_plane_fits_a_plane_exactly_where_its_neighbourhood_is_whole(shape):
    sigma = 3.0
    mask, plane = block_mask(shape), plane_of(shape, 3.0)
    whole = eroded(mask, int(3 * sigma))
    assert whole.sum() > 15
    found = local_plane(plane, mask, sigma)
    np.testing.assert_allclose(found[whole], plane[whole], rtol=0, atol=RIDGE_PULL * np.abs(plane).max())


@pytest.mark.parametrize("shape", [(120,), (60, 70), (40, 44, 42)])
@pytest.mark.parametrize("sigma", [3.0, 5.0])
def test_a_local_plane_takes_a_constant_off_right_up_to_mask_and_border(shape, sigma):
    mask = block_mask(shape)
    found = local_plane(np.full(shape, 3.0), mask, sigma)
    # in the corner of a volume an eighth of the neighbourhood is left
    np.testing.assert_allclose(found[mask], 3.0, rtol=RIDGE_PULL * 2 ** (len(shape) + 1))


@pytest.mark.parametrize("shape", [(120,), (60, 70), (40, 44, 42)])
@pytest.mark.parametrize("sigma", [3.0, 5.0])
def test_beside_a_mask_a_local_plane_leaves_little_of_what_a_local_mean_leaves(shape, sigma):
    mask, plane = block_mask(shape), plane_of(shape, 0.0)
    part = ndimage.gaussian_filter(mask.astype(float), sigma, mode="constant")
    mean = ndimage.gaussian_filter(np.where(mask, plane, 0.0), sigma, mode="constant") / part
    by_mean = np.abs(mean - plane)[mask].max()
    assert np.abs(local_plane(plane, mask, sigma) - plane)[mask].max() < 0.25 * by_mean


def test_detail_is_zero_where_ignored_and_ignores_what_is_there():
    rng = np.random.default_rng(5)
    mask = block_mask((50, 55))
    pixels = np.where(mask, rng.normal(size=mask.shape), 0).astype(np.float32)
    out = detail(pixels, LocalPlane(mask, 5.0), Detector(False), 0.0).pixels
    assert (out[~mask] == 0).all()
    assert out[mask].std() == pytest.approx(1.0, abs=0.1)


# noise


def test_ten_electrons_have_unit_noise_once_stabilised():
    counts = np.random.default_rng(6).poisson(10.0, 400_000)
    assert Detector(True).stabilised(counts).std() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("gain", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("read_noise", [0.0, 2.0])
def test_gain_offset_and_read_noise_are_undone(gain, read_noise):
    rng = np.random.default_rng(7)
    electrons = rng.poisson(30.0, 300_000) + read_noise * rng.normal(size=300_000)
    detector = Detector(True, gain, 100.0, read_noise)
    counts = 100.0 + electrons / gain
    np.testing.assert_allclose(detector.electrons(counts), electrons, atol=1e-9)
    assert detector.stabilised(counts).std() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("electrons", [0.02, 0.3, 1.0, 3.0, 12.0, 25.0])
@pytest.mark.parametrize("read_noise", [0.0, 0.5, 2.0])
def test_the_noise_of_stabilised_counts_is_that_of_simulated_ones(electrons, read_noise):
    rng = np.random.default_rng(8)
    detector = Detector(True, read_noise=read_noise)
    values = detector.stabilised(rng.poisson(electrons, 300_000) + read_noise * rng.standard_normal(300_000))
    expected = values.var()
    found = float(detector.noise_variance(np.array(values.mean())))
    assert found == pytest.approx(expected, rel=0.03, abs=0.002)


def test_only_whole_non_negative_numbers_are_taken_for_counts():
    counts, mask = np.arange(12, dtype=np.uint16), np.ones(12, bool)
    assert detector_for(Options(), [(counts, mask)] * 2).counts
    assert detector_for(Options(), [(counts.astype(np.int32), mask)]).counts
    assert not detector_for(Options(), [(counts, mask), (counts.astype(float), mask)]).counts
    assert not detector_for(Options(), [(counts.astype(np.int32) - 1, mask)]).counts
    # a negative value that is masked does not matter
    assert detector_for(Options(), [(counts.astype(np.int32) - 1, counts > 0)]).counts
    named = detector_for(Options(gain=2.0), [(counts.astype(float), mask)])
    assert named.counts
    assert named.gain == 2.0


@pytest.mark.parametrize("shape", [(4000,), (80, 90), (20, 22, 24)])
def test_second_differences_see_the_noise_and_not_the_slope(shape):
    rng = np.random.default_rng(9)
    pixels = rng.normal(scale=0.7, size=shape).astype(np.float32)
    pixels += np.float32(0.2) * np.arange(shape[-1], dtype=np.float32)
    mask = block_mask(shape)
    image = Prepared(pixels, MaskPyramid(mask), Detector(False))
    found = noise_curve(image, sample(image)).map(image)
    assert (found[~mask] == 0).all()
    assert found[mask].mean() * image.scale**2 == pytest.approx(0.49, rel=0.1)


def test_noise_that_grows_with_brightness_is_seen_to_grow():
    rng = np.random.default_rng(10)
    # so many pixels that whether the noise is white is no matter of chance
    brightness = np.linspace(40, 400, 512)[:, None] * np.ones((1, 512))
    counts = np.rint(100 + 2 * rng.poisson(brightness)).astype(np.uint16)  # half an electron per count
    image = Prepared(counts, MaskPyramid(np.ones(counts.shape, bool)), Detector(True))
    found = noise_curve(image, sample(image)).map(image).mean(axis=1)
    expected = 4 * brightness[:, 0] / (100 + 2 * brightness[:, 0])
    # the darkest and the brightest class hold one value each
    np.testing.assert_allclose(found[64:-64], expected[64:-64], rtol=0.15)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("width", [0.8, 1.5])
def test_the_gains_of_the_filters_are_what_they_do_to_noise(ndim, width):
    shape = {1: (60_000,), 2: (300, 300), 3: (80, 80, 80)}[ndim]
    noise = np.random.default_rng(10).normal(size=shape).astype(np.float32)
    template = make_template(
        noise, np.ones(shape, bool), np.ones(shape, np.float32), gaussian_low_pass(width), np.zeros(8)
    )
    inside = tuple(slice(12, -12) for _ in shape)
    gains = template.gains
    for axis in range(ndim):
        assert template.gradient[axis][inside].var() == pytest.approx(gains.gradient, rel=0.1)
    product = (template.smooth * noise)[inside].mean()
    assert product == pytest.approx(gains.smooth, rel=0.1)


# centring


@settings(derandomize=True, deadline=None)
@given(seeds, st.floats(-1e6, 1e6), st.sampled_from([1e-200, 1e-3, 1.0, 1e3, 1e200]))
def test_a_centred_image_has_mean_zero_and_greatest_value_one(seed, offset, scale):
    rng = np.random.default_rng(seed)
    mask = rng.random((12, 13)) < 0.8
    image, _ = centred((offset + rng.normal(size=mask.shape)) * scale, mask)
    assert (image[~mask] == 0).all()
    assert np.abs(image).max() == pytest.approx(1.0)
    assert abs(image[mask].mean()) < 1e-9


def test_centring_keeps_the_largest_floats_finite():
    values = np.array([1.7e308, -1.7e308, 1e308, 0.0])
    image, _ = centred(values, np.ones(4, bool))
    assert np.isfinite(image).all()
    assert np.abs(image).max() == pytest.approx(1.0)


@pytest.mark.parametrize("dtype", ["u2", "i4", "f4", "f8"])
def test_a_prepared_image_keeps_five_counts_on_sixty_thousand(dtype):
    rng = np.random.default_rng(11)
    image = (60000 + rng.integers(-5, 6, (40, 40))).astype(dtype)
    mask = rng.random(image.shape) < 0.9
    prepared = Prepared(image, MaskPyramid(mask), detector_for(Options(), [(image, mask)]))
    assert (prepared.pixels[~mask] == 0).all()
    r = np.corrcoef(prepared.pixels[mask], image[mask].astype(float))[0, 1]
    assert r == pytest.approx(1.0, abs=1e-6)
    assert not prepared.flat


@pytest.mark.parametrize("shape", [(60,), (20, 22), (8, 9, 10)])
@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4", "f8"])
def test_a_prepared_image_does_not_know_what_is_masked(shape, dtype):
    rng = np.random.default_rng(12)
    image, mask = rng.integers(0, 200, shape).astype(dtype), rng.random(shape) < 0.8
    detector = detector_for(Options(), [(image, mask)])
    expected = Prepared(image, MaskPyramid(mask), detector)
    worst = [np.nan, np.inf, -1e30] if dtype[0] == "f" else [np.iinfo(dtype).max, np.iinfo(dtype).min]
    for value in worst:
        found = Prepared(np.where(mask, image, value).astype(dtype), MaskPyramid(mask), detector)
        assert found.pixels.tobytes() == expected.pixels.tobytes()
        assert (found.mean, found.scale, found.flat) == (expected.mean, expected.scale, expected.flat)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4"])
def test_flat_is_having_one_value_in_every_valid_pixel(dtype):
    detector = Detector(True)
    for image in (np.full((9, 9), 7, dtype), np.zeros((9, 9), dtype)):
        mask = np.random.default_rng(13).random(image.shape) < 0.5
        other = np.where(mask, image, 9).astype(dtype)
        assert Prepared(other, MaskPyramid(mask), detector).flat
        assert not Prepared(other, MaskPyramid(np.ones_like(mask)), detector).flat
        assert Prepared(other, MaskPyramid(np.zeros_like(mask)), detector).flat


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4"])
def test_counts_of_a_narrow_type_are_those_of_a_wide_one(dtype):
    """At most 32 bits take a shorter way; a wider type takes the long one."""
    rng = np.random.default_rng(14)
    image, mask = rng.integers(0, 250, (30, 31)).astype(dtype), rng.random((30, 31)) < 0.8
    detector = Detector(True, 0.7, 10.0, 1.5)
    short, long = (Prepared(x, MaskPyramid(mask), detector) for x in (image, image.astype(np.int64)))
    assert np.count_nonzero(short.pixels) > 400
    np.testing.assert_allclose(short.pixels, long.pixels, rtol=0, atol=1e-5)
    assert short.mean == pytest.approx(long.mean)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(seeds, st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_halving_equals_its_plain_twin(seed, shape):
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    np.testing.assert_allclose(halved(values), plain_halved(values), rtol=0, atol=FLOAT32 * 16)
    assert halved(values).shape == (shape[0] // 2, shape[1] // 2)
