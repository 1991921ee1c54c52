"""What a map of the matched filter tells of a place, and when it tells none."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from maskreg.core.doubt import told
from maskreg.core.doubt.told import BETWEEN, told_place
from maskreg.core.search.peak import Candidate
from maskreg.core.search.search import LevelMap

BIN, HALF = 2, 40

LAGS = np.arange(-HALF, HALF + 1)


def peak_of(height, width, at=(0.0, 0.0)):
    """A level whose score is one Gaussian peak, at so many lags, of noise that is as smooth."""
    y, x = np.meshgrid(LAGS - at[0], LAGS - at[1], indexing="ij", sparse=True)
    score = (height * np.exp(-(y**2 + x**2) / (2 * width**2))).astype(np.float32)
    return LevelMap(
        BIN, None, None, (LAGS, LAGS), score, np.full(score.shape, 1e4), score, np.ones(score.shape, bool),
        1e-6, 5.0, reach=int(width), matched=True, slope=1 / width,
    )  # fmt: skip


def place_told(monkeypatch, level, *, common=0.1, shows=True):
    """What is told where the reference's gradient tells nothing, and the pixels correlate so much."""
    masked = SimpleNamespace(
        normal=lambda *_: None,
        side=SimpleNamespace(image=None, template=lambda _: None),
        usable=lambda _: SimpleNamespace(mask=None),
        holes=lambda _: None,
    )
    moving = SimpleNamespace(sums_with=lambda *_: SimpleNamespace(ncc=common))
    monkeypatch.setattr(told, "shows_all_directions", lambda *_: shows)
    index = np.unravel_index(level.score.argmax(), level.score.shape)
    found = Candidate(BIN * np.array(level.lag(index), np.float64), BIN, 10.0)
    return told_place(masked, moving, [level], found)


@pytest.mark.parametrize("at", [(0.0, 0.0), (3.3, -7.6)])
@pytest.mark.parametrize(("height", "width"), [(8.0, 2.0), (12.0, 4.0)])
def test_a_peak_is_as_uncertain_as_noise_of_its_own_smoothness_makes_it(monkeypatch, height, width, at):
    found = place_told(monkeypatch, peak_of(height, width, at))
    np.testing.assert_allclose(found.shift, BIN * np.array(at), atol=0.1)
    between = 1 / (12 * BETWEEN**2)
    np.testing.assert_allclose(
        found.covariance, BIN**2 * ((width / height) ** 2 + between) * np.eye(2), rtol=0.15, atol=0.01
    )
    assert found.refined
    assert not found.doubted


def test_a_peak_that_is_as_wide_as_what_is_looked_at_tells_no_place(monkeypatch):
    assert place_told(monkeypatch, peak_of(6.0, 3.0)) is not None
    assert place_told(monkeypatch, peak_of(6.0, 60.0)) is None


def test_a_peak_no_higher_than_chance_tells_no_place(monkeypatch):
    assert place_told(monkeypatch, peak_of(4.9, 2.0)) is None


@pytest.mark.parametrize("common", [0.8, np.nan])
def test_pixels_that_noise_does_not_drown_are_left_to_the_gradient(monkeypatch, common):
    assert place_told(monkeypatch, peak_of(8.0, 2.0), common=common) is None


def test_where_parallel_lines_may_make_a_long_peak_the_place_is_in_doubt(monkeypatch):
    level = peak_of(8.0, 2.0)
    ridge = (8 * np.exp(-((LAGS / 2.0)[:, None] ** 2 + (LAGS / 20.0) ** 2) / 2)).astype(np.float32)
    level.score[:] = ridge
    found = place_told(monkeypatch, level, shows=False)
    assert found.doubted
    assert found.covariance[1, 1] > 20 * found.covariance[0, 0]
    assert not place_told(monkeypatch, peak_of(8.0, 2.0), shows=False).doubted
