from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskreg.core.likelihood import (
    FEWEST_PIXELS,
    LEAST_UNEXPLAINED,
    fisher_z,
    likelihood,
    unexplained_floor,
)

coefficients = st.floats(-1, 1)
overlaps = st.integers(0, 10**6)
floors = st.floats(LEAST_UNEXPLAINED, 1.0)


@settings(derandomize=True, deadline=None)
@given(coefficients, overlaps, floors)
def test_the_likelihood_is_its_formula_or_forbidden(r, n, floor):
    value = float(likelihood(r, n, floor))
    if r > 0 and n > 10:
        assert value == pytest.approx(-(n - 2) / 2 * np.log(max(1 - r * r, floor)), rel=1e-12, abs=1e-300)
        assert value >= 0
        assert not np.signbit(value)
    else:
        assert value == -np.inf


@pytest.mark.parametrize("n", range(FEWEST_PIXELS + 1))
def test_so_few_pixels_say_nothing_however_well_they_correlate(n):
    assert likelihood(1.0, n) == -np.inf
    assert np.isnan(fisher_z(1.0, n))


@pytest.mark.parametrize("r", [0.0, -0.0, -1e-300, -0.5, -1.0, float("nan")])
def test_what_does_not_correlate_positively_cannot_win(r):
    assert likelihood(r, 1000) == -np.inf


def test_an_exact_copy_has_a_finite_likelihood():
    for floor in (LEAST_UNEXPLAINED, 1e-3):
        assert likelihood(1.0, 1000, floor) == pytest.approx(-499 * np.log(floor))
        # rounding may lift r above 1
        assert likelihood(1.0 + 1e-12, 1000, floor) == pytest.approx(-499 * np.log(floor))


def test_a_floor_of_one_leaves_nothing_to_choose_and_no_negative_zero():
    values = likelihood([0.1, 0.5, 1.0], 100, 1.0)
    np.testing.assert_array_equal(values, 0.0)
    assert not np.signbit(values).any()


@settings(derandomize=True, deadline=None)
@given(st.floats(0.01, 0.99), st.floats(0.001, 0.009), st.integers(11, 10**6))
def test_a_better_correlation_and_a_larger_overlap_are_likelier(r, more, n):
    assert likelihood(r + more, n) > likelihood(r, n)
    assert likelihood(r, n + 1) > likelihood(r, n)


def test_chance_reaches_a_likelihood_about_as_rarely_as_its_negative_exponential():
    """The tail of unrelated values is exp(-L), whatever n: what the factor n - 2 is for."""
    rng = np.random.default_rng(0)
    for n in (11, 30, 100):
        u, v = rng.normal(size=(2, 40000, n))
        u -= u.mean(axis=1, keepdims=True)
        v -= v.mean(axis=1, keepdims=True)
        r = (u * v).sum(axis=1) / np.sqrt((u**2).sum(axis=1) * (v**2).sum(axis=1))
        for level in (1.0, 2.0, 4.0):
            rate = float((likelihood(r, n) > level).mean())
            assert 0.1 * np.exp(-level) < rate < np.exp(-level)


def test_the_floor_of_integers_is_their_rounding():
    rng = np.random.default_rng(1)
    counts, values = rng.poisson(0.5, (40, 40)), rng.normal(size=(40, 40))
    whole = np.ones((40, 40), bool)
    assert unexplained_floor(values, values, whole, whole) == LEAST_UNEXPLAINED
    one = unexplained_floor(counts, values, whole, whole)
    assert one == pytest.approx(1 / 12 / counts.var())
    assert unexplained_floor(counts, counts, whole, whole) == pytest.approx(2 * one)
    assert unexplained_floor(counts * 10**6, values, whole, whole) == LEAST_UNEXPLAINED


def test_the_floor_sees_valid_pixels_only_and_never_exceeds_one():
    image = np.arange(100, dtype=np.uint16).reshape(10, 10)
    mask = image < 50
    spoiled = np.where(mask, image, 65535).astype(np.uint16)
    assert unexplained_floor(image, image, mask, mask) == unexplained_floor(spoiled, spoiled, mask, mask)
    constant = np.full((10, 10), 7, np.uint8)
    assert unexplained_floor(constant, constant, mask, mask) == 1.0
    nothing = np.zeros((10, 10), bool)
    assert unexplained_floor(image, image, nothing, nothing) == LEAST_UNEXPLAINED


@pytest.mark.parametrize("n", [11, 50, 1000])
def test_fisher_z_of_unrelated_white_values_has_unit_spread(n):
    rng = np.random.default_rng(2)
    u, v = rng.normal(size=(2, 20000, n))
    u -= u.mean(axis=1, keepdims=True)
    v -= v.mean(axis=1, keepdims=True)
    r = (u * v).sum(axis=1) / np.sqrt((u**2).sum(axis=1) * (v**2).sum(axis=1))
    assert fisher_z(r, n).std() == pytest.approx(1.0, abs=0.03)


def test_fisher_z_is_odd_and_capped_by_the_floor():
    r = np.linspace(-1, 1, 41)
    z = fisher_z(r, 100, 1e-4)
    assert np.isfinite(z).all()
    np.testing.assert_allclose(z, -z[::-1], atol=1e-12)
    assert z.max() == pytest.approx(np.arctanh(np.sqrt(1 - 1e-4)) * np.sqrt(97))
    assert np.isnan(fisher_z(np.nan, 100))
