"""A shift is told along a direction only if moving has the slopes there that the reference has."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from maskreg import Status, register
from maskreg.testing import Texture

SIZE = 128
RIGHT = 4


def streaks(edge: int, down: int, height: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the means of a pair: streaks down the columns, and an edge across, in a row of the reference."""
    rng = np.random.default_rng(5)
    across = gaussian_filter(rng.normal(size=SIZE + 60), 3)
    along = np.zeros(SIZE + 120)
    along[: 60 + edge] = height
    scene = np.maximum(3 + across / across.std() / 2 + gaussian_filter(along, 1.0)[:, None], 0.1)
    reference = scene[60 : 60 + SIZE, 30 : 30 + SIZE]
    return reference, scene[60 + down :, 30 + RIGHT :][:SIZE, :SIZE]


def drawn(means: tuple[NDArray[np.float64], ...], electrons: float, seed: int) -> list[NDArray[np.uint16]]:
    rng = np.random.default_rng(seed)
    return [rng.poisson(electrons * mean).astype(np.uint16) for mean in means]


@pytest.mark.parametrize(("edge", "down"), [(5, 20), (5, 8)])
def test_an_edge_that_has_left_tells_no_shift(edge: int, down: int) -> None:
    told = set()
    for seed in range(8):
        answer = register(*drawn(streaks(edge, down, 0.3), 300, seed))
        assert not answer.ok
        told.add(answer.status)
        if answer.status is Status.AMBIGUOUS:  # what the streaks tell is kept
            assert answer.shift[1] == pytest.approx(RIGHT, abs=0.1)
            assert answer.uncertainty[0] > SIZE / 4
    assert Status.AMBIGUOUS in told


@pytest.mark.parametrize("electrons", [3, 30, 300])
def test_an_edge_that_both_have_does(electrons: float) -> None:
    answers = [register(*drawn(streaks(8, -30, 1.5), electrons, seed)) for seed in range(6)]
    sure = [answer for answer in answers if answer.ok]
    assert len(sure) >= 3
    for answer in sure:
        assert np.abs(answer.shift - (-30, RIGHT)).max() < max(0.05, 5 * answer.uncertainty.max())


def test_a_blurred_image_tells_its_shift() -> None:
    scene = Texture((256, 256))
    sharp, smeared = scene.render((0.0, 0.0)), gaussian_filter(scene.render((6.0, -9.0)), (2.0, 0.0))
    answer = register(*drawn((sharp, smeared), 100, 1))
    assert answer.ok
    assert np.abs(np.abs(answer.shift) - (6.0, 9.0)).max() < 0.1


def test_a_volume_whose_only_face_across_an_axis_has_left() -> None:
    scene = np.ones((48, 48, 48))
    scene[:7] += 0.2  # in row 2 of the reference; moving begins at its row 5
    scene[:, 12:30] += 0.1
    scene[:, :, 15:24] += 0.4
    scene = gaussian_filter(scene, 0.75)
    pair = scene[5:37, 5:37, 5:37], scene[10:42, 8:40, 7:39]
    for seed in range(6):
        answer = register(*drawn(pair, 100, seed))
        assert not answer.ok
        if answer.status is Status.AMBIGUOUS:
            assert answer.uncertainty[0] > 8
