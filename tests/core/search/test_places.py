"""How a place is chosen: the greatest likelihood, of equal ones the smallest shift, a valley between."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import LevelImage, MaskPyramid, eroded
from maskreg.core.image.stabilise import Detector
from maskreg.core.lags.maxima import MOST_CANDIDATES
from maskreg.core.likelihood import likelihood
from maskreg.core.plan import make_plan
from maskreg.core.search.peak import choose
from maskreg.core.search.search import CHANCE, LevelMap, LevelSearch, significance_line
from maskreg.core.subpixel.settle import settle
from maskreg.options import Options

FLAT = LevelImage(np.zeros((1, 1), np.float32), np.ones((1, 1), bool))


def level_map(ncc, lags, *, score=None, searched=None, n=1000, b=1, line=5.0):
    """A map of lags as the search would hand it on."""
    ncc = np.asarray(ncc, float)
    score = 30 * ncc if score is None else score
    searched = np.ones(ncc.shape, bool) if searched is None else searched
    overlap = np.full(ncc.shape, float(n))
    return LevelMap(b, FLAT, FLAT, lags, ncc, overlap, score, searched, 1e-6, line)


def symmetric(radius, ndim):
    return (np.arange(-radius, radius + 1),) * ndim


@settings(derandomize=True, deadline=None)
@given(
    st.integers(1, 3),
    st.lists(st.tuples(*[st.integers(-5, 5)] * 3), min_size=2, max_size=6, unique=True),
)
def test_of_equal_maxima_the_smallest_shift_wins(ndim, places):
    lags = symmetric(5, ndim)
    ncc = np.full((11,) * ndim, 0.1)
    places = [place[:ndim] for place in places]
    for place in places:
        ncc[tuple(s + 5 for s in place)] = 0.8
    level = level_map(ncc, lags)
    expected = min(places, key=lambda place: (sum(s * s for s in place), place))
    assert level.lag(level.best) == expected
    assert level.lag(level.maxima[0]) == expected


def test_a_lag_that_is_not_searched_cannot_be_best():
    ncc = np.full((11, 11), 0.1)
    ncc[2, 3], ncc[7, 7] = 0.9, 0.5
    searched = np.ones(ncc.shape, bool)
    searched[2, 3] = False
    level = level_map(ncc, symmetric(5, 2), searched=searched)
    assert level.lag(level.best) == (2, 2)
    nothing = level_map(ncc, symmetric(5, 2), searched=np.zeros(ncc.shape, bool))
    assert nothing.best is None
    assert nothing.margin == -np.inf
    assert nothing.maxima == []


@pytest.mark.parametrize("value", [np.nan, 0.0, -0.5])
def test_without_a_positive_correlation_there_is_no_best_lag(value):
    assert level_map(np.full((5, 5), value), symmetric(2, 2)).best is None


def test_local_maxima_come_best_first_and_are_few():
    rng = np.random.default_rng(1)
    level = level_map(rng.random((41, 41)), symmetric(20, 2))
    found = level.maxima
    assert len(found) == MOST_CANDIDATES
    every = likelihood(level.ncc, level.overlap, level.floor)
    values = [every[index] for index in found]
    assert values == sorted(values, reverse=True)
    assert found[0] == level.best
    for index in found:
        window = tuple(slice(max(0, i - 1), i + 2) for i in index)
        assert every[index] == every[window].max()


@given(st.integers(-40, 40), st.integers(-40, 40), st.sampled_from([1, 2, 4]))
@settings(derandomize=True, deadline=None)
def test_a_shift_is_looked_up_at_its_nearest_lag_inside_the_map(row, column, b):
    level = level_map(np.zeros((11, 11)), symmetric(5, 2), b=b)
    for s, axis, i in zip((row, column), level.lags, level.index_of(np.array([row, column])), strict=True):
        inside = np.clip(s / b, -5, 5)
        assert abs(axis[i] - inside) <= 0.5


def two_peaks(second, distance, between):
    lags = symmetric(15, 1)
    score = np.full(31, 0.0)
    score[15] = 20.0
    score[15 + distance] = second
    score[16 : 15 + distance] = between
    return level_map(np.clip(score / 30, 0, 1), lags, score=score)


def test_a_rival_is_the_best_place_beyond_a_valley():
    choice = choose([two_peaks(18.0, 8, 2.0)])
    assert choice.winner.shift == [0]
    assert choice.rival is not None
    assert choice.rival.shift == [8]
    assert choice.gap > 0
    assert choice.alike


def test_without_a_valley_there_is_no_rival():
    choice = choose([two_peaks(18.0, 8, 17.0)])
    assert choice.winner.shift == [0]
    assert choice.rival is None
    assert choice.gap == np.inf


def test_a_chance_value_is_a_rival_but_not_alike():
    choice = choose([two_peaks(4.0, 8, 0.0)])
    assert choice.rival is not None
    assert not choice.alike
    assert choice.gap > 100


@given(st.integers(1, 10**7), st.floats(3, 1e6))
@settings(derandomize=True, deadline=None)
def test_the_line_rises_with_the_number_of_lags_and_falls_with_what_is_known_of_the_spread(lags, independent):
    line = significance_line(lags, independent, CHANCE)
    assert line >= 3.0
    assert significance_line(10 * lags, independent, CHANCE) > line
    assert significance_line(lags, 2 * independent, CHANCE) < line


def test_chance_passes_the_line_about_once_in_a_thousand():
    rng = np.random.default_rng(2)
    best = np.array([rng.standard_normal(300).max() for _ in range(20000)])
    rate = (best > significance_line(300, 1e9, CHANCE)).mean()
    assert 0.0003 < rate < 0.002


@pytest.mark.parametrize("shape", [(400,), (96, 100), (256, 256), (20, 20, 24)])
def test_all_maps_of_a_frame_together_pass_by_chance_at_most_once_in_a_thousand(shape):
    """Bonferroni: each line is passed as often as the tail beyond it says, times the lags that are tried."""
    rng = np.random.default_rng(5)
    plan, masks = make_plan(shape, shape), MaskPyramid(np.ones(shape, bool))
    reference, moving = (
        Prepared(rng.normal(size=shape).astype(np.float32), masks, Detector(False)) for _ in range(2)
    )
    tail = 0.0
    for b in plan.bins:
        level = LevelSearch(reference, masks.level(b), plan, b, Options())(moving)
        tail += np.count_nonzero(level.searched) * norm.sf(level.line)
    assert 0 < tail < CHANCE


# settling


def settling_pair(shift, shape=(60, 64), seed=3):
    rng = np.random.default_rng(seed)
    scene = rng.normal(size=(90, 94)).astype(np.float32)
    for axis in (0, 1):
        scene = (scene + np.roll(scene, 1, axis) + np.roll(scene, -1, axis)) / 2
    cut = [tuple(slice(15 + s, 15 + s + n) for s, n in zip(by, shape, strict=True)) for by in ((0, 0), shift)]
    masks = [rng.random(shape) < 0.995 for _ in range(2)]
    return [
        LevelImage(np.where(m, scene[c], 0).astype(np.float32), m) for c, m in zip(cut, masks, strict=True)
    ]


@pytest.mark.parametrize("shift", [(0, 0), (4, -7), (-9, 3)])
@pytest.mark.parametrize("off", [(0, 0), (1, -1), (-2, 1), (2, 2)])
@pytest.mark.parametrize("radius", [2, 3])
def test_settling_climbs_to_the_place_from_anywhere_near(shift, off, radius):
    reference, moving = settling_pair(shift)
    start = tuple(s + o for s, o in zip(shift, off, strict=True))
    lag, vertex, _ = settle(reference, moving, start, eroded(moving.mask, radius), radius)
    assert lag == shift
    assert vertex is not None
    assert np.abs(vertex).max() <= 0.5


def test_settling_where_nothing_meets_stays_where_it_is():
    reference, moving = settling_pair((0, 0))
    for start in [(70, 0), (-80, 90)]:
        lag, vertex, _ = settle(reference, moving, start, eroded(moving.mask, 2), 2)
        assert lag == start
        assert vertex is None
