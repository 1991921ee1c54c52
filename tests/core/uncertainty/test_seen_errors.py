"""Sigma is what the residual shows: all of it in floats, in counts what chance does not make."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from tests.cases import cases

import maskreg
from maskreg.core.frequencies.low_pass import gaussian_low_pass
from maskreg.core.subpixel.residual import Residual
from maskreg.core.subpixel.template import make_template
from maskreg.core.uncertainty import seen_errors
from maskreg.core.uncertainty.seen_errors import (
    BOX,
    FEWEST,
    SHARED,
    WIDE_BOX,
    SeenCovariance,
    _freedom,
    compiled_box_sums,
    compiled_window_moments,
    plain_box_sums,
    plain_window_moments,
)
from maskreg.testing import Rings, Spots, Texture, beam_block, simulate_pair

SHAPE = (192, 192)


@pytest.mark.parametrize("dose", [1.0, 100.0])
@pytest.mark.parametrize("scene", [Rings, Spots, Texture])
def test_bright_pixels_of_floats_are_noisier_and_sigma_knows(scene, dose):
    over_sigma = []
    for seed in range(cases(5, 10)):
        rng, mask = np.random.default_rng([3, seed]), np.ones(SHAPE, bool)
        drift = rng.uniform(-10, 10, 2)
        pair = simulate_pair(scene(SHAPE, seed), drift, dose, mask, rng)
        # no counts any more: neither whole numbers nor of a known gain
        found = maskreg.register(0.37 * pair.reference + 11.3, 0.37 * pair.moving + 11.3)
        assert found.ok, found.reason
        over_sigma.append((found.shift + drift) / found.uncertainty)
    # of equal noise in all pixels up to 9
    assert 0.6 < np.sqrt(np.mean(np.square(over_sigma))) < 1.7


def test_many_equal_errors_need_no_allowance_and_few_do():
    def allowance(values):
        windows = np.convolve(values, np.ones(SHARED))
        freedom = _freedom(float((windows**2).sum()), float((windows**4).sum()), 1)
        return float(SeenCovariance(np.eye(1), freedom).expected[0, 0])

    assert 1 < allowance(np.random.default_rng(1).normal(size=4000)) < 1.01
    assert allowance(np.eye(1, 4000)[0]) == FEWEST / (FEWEST - 2)
    assert allowance(np.zeros(9)) == 1.0


def random_covariance(rng):
    root = rng.normal(size=(2, 2))
    return root @ root.T + 0.1 * np.eye(2)


@pytest.mark.parametrize("seed", range(20))
def test_what_chance_makes_of_a_known_covariance_leaves_it_and_much_more_is_believed(seed):
    rng = np.random.default_rng(seed)
    known = random_covariance(rng)
    few, many = 50.0, 1e12
    by_chance = np.sqrt(2 / few)
    for times in (0.3, 1.0, 1 + 0.9 * by_chance):
        np.testing.assert_allclose(SeenCovariance(times * known, few).exceeding(known), known, rtol=1e-9)
    np.testing.assert_allclose(SeenCovariance(0 * known, np.inf).exceeding(known), known, rtol=1e-9)
    beyond = known + random_covariance(rng)
    np.testing.assert_allclose(SeenCovariance(beyond, many).exceeding(known), beyond, rtol=1e-3)


@pytest.mark.parametrize("seed", range(20))
def test_a_known_covariance_never_gets_smaller_and_turns_with_the_axes(seed):
    rng = np.random.default_rng(seed)
    known, seen = random_covariance(rng), random_covariance(rng)
    found = SeenCovariance(seen, 30.0).exceeding(known)
    assert np.linalg.eigvalsh(found - known)[0] > -1e-9
    turn = np.linalg.qr(rng.normal(size=(2, 2)))[0]
    turned = SeenCovariance(turn @ seen @ turn.T, 30.0).exceeding(turn @ known @ turn.T)
    np.testing.assert_allclose(turned, turn @ found @ turn.T, rtol=1e-9, atol=1e-12)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=3), st.integers(1, 40), st.integers(0, 99))
def test_windows_summed_some_at_once_are_those_summed_one_by_one(shape, at_once, seed):
    ndim, mean = len(shape), 0.3
    sums = np.random.default_rng(seed).normal(size=(2 * ndim, *shape))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seen_errors, "AT_ONCE", at_once)
        found = np.concatenate(list(seen_errors._windows(sums, mean)), axis=1)
    padded = np.pad(sums[:ndim] - mean * sums[ndim:], [(0, 0)] + [(SHARED - 1,) * 2] * ndim)
    each = sliding_window_view(padded, (SHARED,) * ndim, axis=tuple(range(1, ndim + 1)))
    expected = each.sum(axis=tuple(range(-ndim, 0))).reshape(ndim, -1)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@given(st.integers(1, 30), st.integers(1, 30), st.floats(-2, 2), st.integers(0, 99))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_the_compiled_moments_of_windows_equal_their_plain_twin(height, width, mean, seed):
    sums = np.random.default_rng(seed).normal(size=(4, height, width)).astype(np.float32)
    compiled, plain = (look(sums, mean) for look in (compiled_window_moments, plain_window_moments))
    for one, other in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-4)


@given(
    st.tuples(st.integers(14, 60), st.integers(14, 60)),
    st.tuples(st.floats(-9, 9), st.floats(-9, 9)),
    st.tuples(st.integers(-4, 4), st.integers(-4, 4)),
    st.integers(0, 99),
    st.sampled_from([BOX, WIDE_BOX, 16]),
    st.booleans(),
)
@settings(derandomize=True, deadline=None, max_examples=60)
def test_the_compiled_sums_over_boxes_equal_their_plain_twin(shape, shift, cut, seed, box, products):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < 0.9
    pixels = np.where(mask, rng.normal(size=shape), 0).astype(np.float32)
    template = make_template(pixels, mask, np.ones(shape, np.float32), gaussian_low_pass(1.5), np.zeros(8))
    other = tuple(n + c for n, c in zip(shape, cut, strict=True))
    moving = rng.normal(size=other).astype(np.float32)
    usable = rng.random(other) < 0.8
    residual = Residual(template, moving, usable, np.array(shift), tuple(round(s) for s in shift), 0.9)
    (sums, n, total), (plain, m, whole) = (
        look(residual, box, products=products) for look in (compiled_box_sums, plain_box_sums)
    )
    assert n == m
    assert total == pytest.approx(whole, abs=1e-2)
    np.testing.assert_allclose(sums, plain, rtol=0, atol=1e-4 * max(1.0, np.abs(plain).max()))


# scenes that change


def spots_that_wander(seed, wander, part=1.0, side=256):
    """Two frames of 60 spots; each of `part` of them moves by `wander` px beside what all of them do."""
    rng = np.random.default_rng(seed)
    places, strength, shift = (
        rng.uniform(20, side - 20, (60, 2)),
        rng.exponential(1, 60),
        rng.uniform(-9, 9, 2),
    )
    moved = places - shift + rng.normal(0, wander, (60, 2)) * (rng.random((60, 1)) < part)
    frames, grid = [], np.arange(side)[:, None]
    for at in (places, moved):
        rows, columns = (np.exp(-((grid - x) ** 2) / 2 / 1.7**2) for x in at.T)
        frames.append(rng.poisson(3 + 400 * (rows * strength) @ columns.T).astype(np.uint16))
    return *frames, shift


@pytest.mark.parametrize(("wander", "part"), [(0.3, 1.0), (1.0, 1.0), (1.0, 0.3)])
@pytest.mark.parametrize("kind", ["counts", "behind scattered pixels", "floats"])
def test_where_spots_move_otherwise_than_the_rest_sigma_says_so(wander, part, kind):
    z, mask = [], np.random.default_rng(1).random((256, 256)) > (0.2 if kind.startswith("behind") else 0.0)
    for seed in range(cases(10, 16)):
        reference, moving, shift = spots_that_wander([seed, int(10 * wander)], wander, part)
        images = [0.37 * image + 11.3 if kind == "floats" else image for image in (reference, moving)]
        found = maskreg.register(*images, mask, mask)
        assert found.ok
        off = found.shift - shift
        z.append(off @ np.linalg.solve(found.covariance, off))
    assert np.mean(z) < 6  # 2 if sigma is what it says; hundreds if it knew of the noise alone
    assert np.max(z) < 30


@pytest.mark.parametrize("scene", [Rings, Spots, Texture])
@pytest.mark.parametrize("dose", [1.0, 30.0, 1000.0])
def test_where_nothing_changed_nothing_but_the_noise_is_asked(scene, dose, monkeypatch):
    def never(*_):
        raise AssertionError

    monkeypatch.setattr("maskreg.core.corrected._with_what_is_left", never)
    shape = (256, 256)
    mask = beam_block(shape)
    for seed in range(cases(1, 3)):
        pair = simulate_pair(scene(shape), (3.2, -4.1), dose, mask, np.random.default_rng(seed))
        images = (image.astype(np.uint32) for image in pair[:2])
        assert maskreg.register(*images, mask, mask).ok
