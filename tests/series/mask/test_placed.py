"""Where the frames of a sample are, however far the pattern drifts."""

from __future__ import annotations

import numpy as np
import pytest

from maskreg.series.mask.placed import place
from maskreg.series.mask.sampled import Sample
from maskreg.testing import Texture, beam_block

SHAPE = (128, 128)


def sample_of(drifts, seed=1):
    rng, scene = np.random.default_rng(seed), Texture(SHAPE, 4)
    return Sample(np.array([rng.poisson(40 * scene.render(d)) for d in drifts], np.uint16), True)


def assert_placed(placed, drifts):
    truth = -drifts[placed.ok]
    np.testing.assert_allclose(placed.shifts - placed.shifts[0], truth - truth[0], atol=0.3)


def test_the_ends_of_a_series_may_share_nothing():
    drifts = np.linspace(-75, 75, 21)[:, None] * [1.0, 0.4]
    placed = place(sample_of(drifts), beam_block(SHAPE), 1)
    assert placed.ok.all()
    assert_placed(placed, drifts)
    assert placed.drift == pytest.approx(np.hypot(150, 60), abs=0.5)


def test_a_frame_that_shows_nothing_is_left_out_and_in_nobody_s_way():
    drifts = np.linspace(-10, 10, 12)[:, None] * [1.0, 0.4]
    sample = sample_of(drifts)
    sample.frames[[3, 6]] = np.random.default_rng(2).poisson(1, (2, *SHAPE))
    placed = place(sample, np.ones(SHAPE, bool), 1)
    np.testing.assert_array_equal(np.flatnonzero(~placed.ok), [3, 6])
    assert_placed(placed, drifts)


def test_workers_never_change_a_place():
    sample = sample_of(np.linspace(0, 60, 9)[:, None] * [1.0, 0.4])
    one, three = (place(sample, beam_block(SHAPE), workers) for workers in (1, 3))
    np.testing.assert_array_equal(one.shifts, three.shifts)
