"""A match that few electrons make is as sure as these make it, whatever stands out from an empty map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cases import cases

import maskreg
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import MaskPyramid
from maskreg.core.image.stabilise import Detector
from maskreg.core.uncertainty.few_electrons import FEW, SURELY, Gaps, are_few, longer, plain_gap
from maskreg.registration import Status

SIDE = 256
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE].astype(float)

seeds = st.integers(0, 2**32 - 1)
sides = st.tuples(st.integers(5, 24), st.integers(5, 24))


def spots(seed, electrons, *, count=12, spread=20.0, width=2.0):
    """Return two frames of spots of about so many electrons each, and their shift."""
    rng = np.random.default_rng(seed)
    shift, places = rng.uniform(-40, 40, 2), rng.normal(SIDE / 2, spread, (count, 2))

    def frame(by):
        offsets = ((ROWS - y) ** 2 + (COLUMNS - x) ** 2 for y, x in places - by)
        pattern = sum(np.exp(-off / 2 / width**2) for off in offsets)
        return rng.poisson(pattern * electrons / (count * 2 * np.pi * width**2)).astype(np.uint16)

    return frame((0, 0)), frame(shift), shift


@settings(derandomize=True, deadline=None, max_examples=40)
@given(seeds, sides, sides, st.sampled_from([0.8, 1.5, 3.0]), st.sampled_from([0.01, 0.1, 1.0]))
def test_gaps_are_those_of_all_pairs(seed, shape, moving_shape, width, dose):
    rng = np.random.default_rng(seed)
    a, b = (rng.poisson(dose, n).astype(np.float32) for n in (shape, moving_shape))
    gaps = Gaps(a, moving_shape, width)
    lag, *others = (tuple(int(rng.choice(axis)) for axis in gaps.lags) for _ in range(8))
    found = gaps(b, lag)
    first = [axis[0] for axis in gaps.lags]
    match = [float(found[tuple(np.subtract(t, first))]) for t in others]
    plain = [plain_gap(a, b, width, lag, t) for t in others]
    np.testing.assert_allclose(match, plain, rtol=1e-3, atol=1e-3 * max(1.0, float(found.max())))


@pytest.mark.parametrize("pairs", [1, 2, 5, 20])
def test_pairs_that_meet_tell_no_more_than_two_each(pairs):
    rows, columns = np.divmod(np.random.default_rng(pairs).permutation(400)[:pairs], 20)
    reference = np.zeros((420, 420), np.float32)
    reference[20 * rows + 10, 20 * columns + 10] = 1
    gaps = Gaps(reference, reference.shape, 1.5)
    found = gaps(np.roll(reference, (-3, -4), (0, 1)), (3, 4))
    assert found.max() <= 2 * pairs * (1 + 1e-3)
    # where nothing meets they tell just that
    assert found[0, 0] == pytest.approx(2 * pairs, rel=1e-3)


@pytest.mark.parametrize("electrons", cases([60, 110, 1000], [30, 60, 110, 300, 1000]))
def test_an_ok_answer_of_few_electrons_is_right(electrons):
    sure, z, pairs = 0, [], cases(12, 24)
    for seed in range(pairs):
        width, spread = [(1.0, 30.0), (2.0, 15.0), (4.0, 8.0)][seed % 3]
        reference, moving, shift = spots([electrons, seed], electrons, width=width, spread=spread)
        found = maskreg.register(reference, moving)
        if found.ok:
            off = found.shift - shift
            assert np.abs(off).max() < 2
            sure += 1
            z.append(off @ np.linalg.solve(found.covariance, off))
    assert sure >= {30: 0.0, 60: 0.25, 110: 0.5, 300: 0.66, 1000: 0.83}[electrons] * pairs
    assert not z or np.mean(z) < 4  # 2 if sigma is what it says


@pytest.mark.parametrize(("electrons", "seed"), [(30, 17), (60, 6), (110, 8), (110, 11)])
def test_a_few_electrons_that_meet_elsewhere_are_ambiguous(electrons, seed):
    width, spread = [(1.0, 30.0), (2.0, 15.0), (4.0, 8.0)][seed % 3]
    reference, moving, _ = spots([electrons, seed], electrons, width=width, spread=spread)
    found = maskreg.register(reference, moving)
    assert found.status is Status.AMBIGUOUS


@pytest.mark.parametrize("seed", range(4))
def test_frames_of_more_electrons_are_not_asked(seed, monkeypatch):
    def never(*_):
        raise AssertionError

    monkeypatch.setattr("maskreg.core.masked_side.Electrons", never)
    reference, moving, shift = spots(seed, 2 * FEW)
    found = maskreg.register(reference, moving)
    assert found.ok
    np.testing.assert_allclose(found.shift, shift, atol=0.5)


def test_behind_a_mask_and_on_a_background_it_is_the_same():
    rng = np.random.default_rng(3)
    mask = np.ones((SIDE, SIDE), bool)
    mask[100:140, 60:200] = False
    for seed in range(cases(5, 12)):
        reference, moving, shift = spots([7, seed], 400, spread=35.0)
        reference, moving = (
            image + rng.poisson(0.002, image.shape).astype(np.uint16) for image in (reference, moving)
        )
        found = maskreg.register(reference, moving, mask, mask)
        hidden = [np.where(mask, image, 1000).astype(np.uint16) for image in (reference, moving)]
        again = maskreg.register(*hidden, mask, mask)
        assert found.status is again.status
        np.testing.assert_array_equal(found.shift, again.shift)
        np.testing.assert_array_equal(found.covariance, again.covariance)
        assert not found.ok or np.abs(found.shift - shift).max() < 2


@settings(derandomize=True, deadline=None, max_examples=60)
@given(seeds, st.sampled_from([1, 2, 4]), st.floats(0.1, 4.0), st.floats(0.2, 1.0))
def test_whether_there_are_few_is_what_counting_says(seed, b, times, part):
    rng = np.random.default_rng(seed)
    mask = rng.random((64, 64)) < part
    hot = rng.random((64, 64)) < 0.02
    expected = np.where(hot, 50.0, 1.0)
    expected *= times * FEW / expected[mask].sum()
    counts = rng.poisson(expected).astype(np.uint16)
    image = Prepared(counts, MaskPyramid(mask), Detector(True))
    assert are_few(image, b) == (counts[mask].sum() <= FEW)
    assert SURELY > 1


def test_the_longer_covariance_is_as_long_as_both_and_no_longer():
    rng = np.random.default_rng(5)
    for _ in range(20):
        one, other = (a @ a.T for a in rng.normal(size=(2, 2, 2)))
        found = longer(one, other)
        for less in (one, other):
            assert np.linalg.eigvalsh(found - less).min() > -1e-6
        np.testing.assert_allclose(longer(one, one / 4), one, atol=1e-6)
        np.testing.assert_allclose(longer(one, 4 * one), 4 * one, atol=1e-6)
    flat = longer(np.zeros((2, 2)), np.diag([0.25, 0.0]))
    np.testing.assert_allclose(np.diagonal(flat), [0.25, 0.0], atol=1e-6)
