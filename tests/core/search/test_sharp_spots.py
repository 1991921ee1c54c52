"""Crystals whose spots are smaller than the pixels of the levels that find them: right, and at once."""

from __future__ import annotations

import numpy as np
import pytest
from tests.core.level_maps import level_of

from maskreg import Registrar
from maskreg.core.plan import CHEAP_PIXELS
from maskreg.core.reference import ReferenceSide
from maskreg.core.search.peak import choose
from maskreg.core.search.search import LevelMap
from maskreg.testing import Spots, beam_block, simulate_pair


@pytest.fixture
def wide_templates(monkeypatch):
    """Which templates of many pixels are made beside the best one of their level."""
    made, make = [], ReferenceSide._template

    def noted(side, b, gaussian):
        if gaussian is not None and side.image.level(b).pixels.size > CHEAP_PIXELS:
            made.append((b, gaussian))
        return make(side, b, gaussian)

    monkeypatch.setattr(ReferenceSide, "_template", noted)
    return made


@pytest.mark.parametrize(
    ("size", "width", "part"), [(512, 0.56, 4.0), (1024, 0.8, 0.5), (1024, 0.8, 1.7), (1024, 0.8, 4.0)]
)
def test_wrong_places_of_sharp_spots_take_no_template(size, width, part, wide_templates):
    scene, mask = Spots((size, size), 1, width=width), beam_block((size, size))
    drift = (1.3 * part, -0.7 * part)
    pair = simulate_pair(scene, drift, 100, mask, np.random.default_rng(3))
    pixels = [np.where(mask, image, 0).astype(np.uint16) for image in (pair.reference, pair.moving)]
    found = Registrar(pixels[0], mask)(pixels[1])
    assert found.ok
    assert np.abs(found.shift + drift).max() < 5 * found.uncertainty.max()
    assert wide_templates == []


def peaks(b, heights):
    """A level at which some lags stand out."""
    level = level_of(0, (41, 41), 0.1, False, 0.0)
    score, ncc = np.zeros_like(level.score), np.zeros_like(level.ncc)
    for (row, column), height in heights.items():
        score[row + 20, column + 20], ncc[row + 20, column + 20] = height, height / 400
    fields = (level.reference, level.moving, level.lags, ncc, level.overlap, score, level.searched)
    return LevelMap(b, *fields, 1e-6, 5.0, 1, again=5.0)


def test_what_a_coarse_level_puts_first_is_compared_first_if_others_are_alike():
    many = {(15, k): 100.0 - k for k in range(-18, 19, 3)}
    fine = peaks(4, {**many, (1, 1): 50.0})
    coarse = peaks(16, {(0, 0): 10.0})
    alone, both = choose([fine]), choose([fine, coarse])
    assert not any(np.array_equal(c.shift, [4, 4]) for c in alone.alike)
    np.testing.assert_array_equal(both.winner.shift, alone.winner.shift)
    np.testing.assert_array_equal(both.alike[0].shift, [4, 4])
    assert both.alike[0].foremost
    assert [tuple(c.shift) for c in both.alike[1:]] == [tuple(c.shift) for c in alone.alike]


def test_where_no_place_is_alike_what_a_coarse_level_puts_first_is_none_either():
    fine, coarse = peaks(4, {(15, 0): 100.0, (1, 1): 40.0}), peaks(16, {(0, 0): 10.0})
    assert choose([fine, coarse]).alike == []
