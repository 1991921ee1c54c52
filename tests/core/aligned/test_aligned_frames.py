"""The passes over a few aligned frames against their definitions, with and without the compiler."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt, gaussian_filter
from tests.core.uncompiled import WITHOUT_COMPILER

from maskreg.core.aligned.aligned_kernels import add_residual_2d
from maskreg.core.aligned.frames import AlignedFrames, Mean, slopes_of
from maskreg.core.aligned.interpolate_frame import all_valid, interpolated
from maskreg.core.aligned.photon_transfer import photon_transfer
from maskreg.core.aligned.rim import distances, find_soft_rim
from maskreg.core.aligned.static import find_static, plain_add_residual, residuals
from maskreg.stream import ordered_map
from maskreg.testing import Detector, Spots, Texture, beam_block, simulate_series

EXAMPLES = 12 if WITHOUT_COMPILER else 120

seeds = st.integers(0, 2**32 - 1)
shapes = st.tuples(st.integers(1, 40), st.integers(1, 40))
dtypes = st.sampled_from([np.uint8, np.uint16, np.int32, np.float32])


def some_frames(seed, shape, dtype, count=3):
    """Return frames of random values and holes, at shifts of any size, some of them whole."""
    rng = np.random.default_rng(seed)
    shifts = rng.uniform(-1.5, 1.5, (count, 2)) * rng.choice([1, 3, 30])
    shifts[rng.random((count, 2)) < 0.3] //= 1
    frames = [rng.integers(0, 200, shape).astype(dtype) for _ in range(count)]
    lines = np.stack([rng.uniform(0.5, 2, count), rng.uniform(-50, 50, count)], axis=1)
    return AlignedFrames(frames, rng.random(shape) < 0.95, shifts, lines)


def values_of(frames, k):
    slope, offset = frames.lines[k]
    return ((frames.frames[k] - offset) / slope).astype(np.float32)


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, shapes, dtypes)
def test_the_mean_is_that_of_the_interpolated_frames_where_they_are_valid(seed, shape, dtype):
    frames = some_frames(seed, shape, dtype)
    total, count = np.zeros(shape), np.zeros(shape)
    for k, shift in enumerate(frames.shifts):
        valid = all_valid(frames.mask, shift)
        total += np.where(valid, interpolated(values_of(frames, k), shift), 0)
        count += valid
    found = frames.mean()
    np.testing.assert_array_equal(found.covered, count > 0)
    np.testing.assert_allclose(found.pixels, total / np.maximum(count, 1), rtol=1e-5, atol=2e-3)


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, shapes)
def test_a_frame_sees_the_mean_interpolated_where_all_of_it_is_covered(seed, shape):
    rng = np.random.default_rng(seed)
    frames = some_frames(seed, shape, np.uint16)
    mean = Mean(rng.normal(size=shape).astype(np.float32), rng.random(shape) < 0.97)
    for shift in frames.shifts:
        begin = int(rng.integers(shape[0]))
        rows = slice(begin, int(rng.integers(begin, shape[0])) + 1)
        model, valid = mean.seen(shift, frames.mask, rows)
        np.testing.assert_array_equal(valid, (frames.mask & all_valid(mean.covered, -shift))[rows])
        expected = interpolated(mean.pixels, -shift)[rows]
        np.testing.assert_allclose(model[valid], expected[valid], rtol=1e-5, atol=1e-5)


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES // 2)
@given(seeds, shapes)
def test_the_sums_over_a_mean_are_those_over_the_pixels_that_see_it(seed, shape):
    frames = some_frames(seed, shape, np.uint16)
    mean = frames.mean()
    for k, sums in enumerate(frames.sums_over(mean)):
        valid = frames.mask & all_valid(mean.covered, -frames.shifts[k])
        x = interpolated(mean.pixels, -frames.shifts[k])[valid] - mean.typical
        y = values_of(frames, k)[valid] - mean.typical
        expected = [valid.sum(), x.sum(), y.sum(), (x * x).sum(), (x * y).sum()]
        np.testing.assert_allclose(sums, expected, rtol=1e-4, atol=1e-4 * max(1, valid.sum()) * 200)


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES // 2)
@given(seeds, shapes)
def test_a_residual_is_added_as_its_plain_twin_adds_it(seed, shape):
    rng = np.random.default_rng(seed)
    model, level, values = rng.normal(2, 1, (3, *shape)).astype(np.float32)
    valid = rng.random(shape) < 0.8
    found, expected = (np.zeros((shape[0], 2, 2, shape[1]), np.float32) for _ in range(2))
    for bright in (np.float32(0.7), np.float32(1.1)):
        add_residual_2d(model, level, valid, values, bright, np.float32(0.3), found)
        plain_add_residual(model, level, valid, values, bright, np.float32(0.3), expected)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@settings(derandomize=True, deadline=None)
@given(seeds, shapes, st.integers(1, 6), st.floats(0.5, 1))
def test_distances_from_the_mask_are_those_of_the_transform(seed, shape, reach, valid):
    mask = np.random.default_rng(seed).random(shape) < valid
    found = distances(mask, reach)
    expected = np.ceil(distance_transform_edt(mask)) if not mask.all() else np.full(shape, np.inf)
    np.testing.assert_array_equal(found, np.minimum(expected, reach + 1))


def test_whoever_makes_the_rows_the_results_are_the_same():
    rng = np.random.default_rng(3)
    flat = 1 + 0.03 * rng.normal(size=(150, 90))
    shifts = np.cumsum(rng.normal(0, 2, (8, 2)), axis=0)
    scene = Texture(flat.shape)
    frames = [rng.poisson(200 * flat * scene.render(-shift)).astype(np.uint16) for shift in shifts]
    alone = AlignedFrames.of(frames, rng.random(flat.shape) < 0.99, shifts)
    together = replace(alone, run=partial(ordered_map, workers=3))
    np.testing.assert_array_equal(alone.evened().lines, together.evened().lines)
    assert photon_transfer(alone.evened()) == photon_transfer(together.evened())
    assert find_soft_rim(alone.evened()) == find_soft_rim(together.evened())
    one, other = find_static(alone.evened()), find_static(together.evened())
    np.testing.assert_array_equal(one.pattern, other.pattern)


@pytest.mark.parametrize("width", [0.0, 1.5])
@pytest.mark.parametrize("multiplies", [True, False])
def test_what_stays_while_the_frames_move_is_found(width, multiplies):
    rng = np.random.default_rng(7)
    shape = (160, 150)
    texture = Texture(shape)
    pattern = rng.normal(size=shape)
    if width:
        pattern = gaussian_filter(pattern, width)
    pattern *= 0.03 / pattern.std()
    factor, added = (1 + pattern, 0) if multiplies else (1, 400 * (pattern - pattern.min()))
    shifts = np.cumsum(rng.normal(0, 2.5, (12, 2)), axis=0)
    frames = [rng.poisson(factor * 400 * texture.render(-s) + added).astype(np.uint16) for s in shifts]
    found = find_static(AlignedFrames.of(frames, np.ones(shape, bool), shifts).evened())
    assert found is not None
    assert found.multiplies == multiplies
    assert np.corrcoef(found.pattern.ravel(), pattern.ravel())[0, 1] > 0.8


def faint_spots(seed):
    """Return frames of 0.3 electrons a pixel that drift, at their true shifts."""
    rng = np.random.default_rng(seed)
    shape = (192, 192)
    mask = beam_block(shape)
    drift = np.cumsum(rng.normal(0, 1.0, (16, 2)), axis=0)
    counts = Detector(dtype=np.uint16)
    series = simulate_series(Spots(shape), drift, 0.3, mask, rng, detector=counts)
    return AlignedFrames.of(list(series.frames), mask, -drift)


def test_in_faint_frames_that_only_drift_nothing_stays():
    for seed in range(10):
        assert find_static(faint_spots(seed).evened()) is None


def test_what_residuals_are_worth_does_not_depend_on_their_own_noise():
    """Else bright places, of more noise, would show something that is not there."""
    scene = Spots((192, 192)).render((0, 0))
    bright = scene > np.quantile(scene, 0.8)
    sums = np.zeros((2, 2))
    for seed in range(6):
        frames = faint_spots(seed)
        fields = residuals(frames, None).sum(axis=0)[:, 1]
        for kind, place in enumerate((bright, ~bright)):
            sums[kind] += [fields[:, part][place & frames.mask].sum() for part in (0, 1)]
    (in_bright, elsewhere) = sums[:, 0] / sums[:, 1]
    assert abs(in_bright - elsewhere) < 0.01


@settings(derandomize=True, deadline=None, max_examples=40)
@given(seeds, st.floats(-300, 300))
def test_an_offset_is_taken_off_the_values_and_leaves_how_they_are_evened(seed, offset):
    frames = some_frames(seed, (30, 30), np.uint16)
    less = frames.less(offset)
    for k in range(len(frames)):
        np.testing.assert_allclose(
            less.values(k, slice(3, 9)), values_of(frames, k)[3:9] - offset, rtol=1e-4, atol=1e-3
        )


def test_evened_frames_are_as_bright_as_their_mean():
    rng = np.random.default_rng(1)
    scene = rng.gamma(2, 30, (80, 80))
    slopes, veils = rng.uniform(0.5, 1.5, 6), rng.uniform(0, 60, 6)
    frames = [slope * scene + veil for slope, veil in zip(slopes, veils, strict=True)]
    evened = AlignedFrames.of(frames, np.ones(scene.shape, bool), np.zeros((6, 2))).evened()
    np.testing.assert_allclose(evened.lines[:, 0], slopes / slopes.mean(), rtol=1e-4)
    np.testing.assert_allclose(slopes_of(evened.sums_over(evened.mean())), 1, rtol=1e-3)
    np.testing.assert_allclose(evened.values(0, slice(0, 80)), evened.mean().pixels, rtol=1e-3, atol=1e-2)
