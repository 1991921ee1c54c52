"""Frames that were delivered again: the table tells it."""

from __future__ import annotations

import numpy as np
import pytest

from maskreg import align
from maskreg.series.after.copies import Copies
from maskreg.testing import ChromiumScan, Texture

SCAN = ChromiumScan((128, 128), scans=1)


def copies(order, workers=1, **options):
    frames = np.stack([SCAN.frame(k) for k in order])
    return align(frames, SCAN.mask, workers=workers, **options).copies


def test_an_ordinary_series_has_none():
    assert copies(range(12)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_detector_that_sticks_is_told_once(workers):
    assert copies((0, 1, 2, 2, 2, 2, 3, 4, 4), workers) == [Copies(3, 5, 2), Copies(8, 8, 7)]


@pytest.mark.parametrize("reference", [0, 3])
def test_the_reference_again_is_told(reference):
    order = [1, 2, 3, 4, 5, 6]
    order[reference] = 0
    assert copies([*order, 0, 7, 0, 0], reference=reference) == [
        Copies(6, 6, reference),
        Copies(8, 9, reference),
    ]


def test_it_may_come_before_the_reference():
    assert copies((1, 0, 2, 0, 3), reference=3) == [Copies(1, 1, 3)]


def test_two_frames_at_the_same_place_are_not_the_same():
    rng, scene = np.random.default_rng(3), Texture((96, 96)).render((0.0, 0.0))
    assert align(rng.poisson(400 * scene, (6, 96, 96)), subpixel=False).copies == []


def test_frames_without_an_answer_do_not_tell():
    frames = np.stack([SCAN.frame(0), SCAN.frame(1), *np.zeros((3, 128, 128), np.uint16)])
    assert align(frames, SCAN.mask).copies == []
