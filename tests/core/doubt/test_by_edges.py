"""Edges of things that have nothing in common may meet somewhere: that is no registration."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from tests.cases import cases

from maskreg import Status, register

ROWS, COLUMNS = 160, 150


def pieces(seed: int, width: float) -> NDArray[np.bool_]:
    """Return a few large pieces with sharp edges, over two fifths of an image."""
    field = gaussian_filter(np.random.default_rng(seed).normal(size=(ROWS, COLUMNS)), width)
    return field > np.percentile(field, 60)


def beneath_clouds(ground: NDArray[np.float64], seed: int) -> NDArray[np.float32]:
    """Return ground beneath bright clouds of a day, with noise."""
    rng = np.random.default_rng(seed + 500)
    clear = ground + 0.005 * rng.normal(size=ground.shape)
    cloudy = 0.9 + 0.02 * rng.normal(size=ground.shape)
    return np.where(pieces(seed, 14), cloudy, clear).astype(np.float32)


@pytest.mark.parametrize("width", cases([14], [14, 25]))
def test_unrelated_pieces_seldom_match(width: float) -> None:
    answers = []
    for seed in range(pairs := cases(8, 15)):
        rng = np.random.default_rng(seed + 900)
        one, other = (
            (pieces(2 * seed + k, width) + 0.01 * rng.normal(size=(ROWS, COLUMNS))).astype(np.float32)
            for k in range(2)
        )
        answers.append(register(one, other))
    # half of them and more, before it was asked what the images share
    assert sum(answer.ok for answer in answers) <= 0.27 * pairs
    doubted = [answer for answer in answers if answer.status is Status.AMBIGUOUS]
    assert any("of the structure is shared" in answer.reason for answer in doubted)


def test_clouds_that_nobody_has_masked_do_not_register_the_ground() -> None:
    field = gaussian_filter(np.random.default_rng(3).normal(size=(ROWS + 40, COLUMNS + 40)), 2)
    ground = 0.3 + 0.05 * field / field.std()
    one = beneath_clouds(ground[20:-20, 20:-20], 0)
    for seed in range(1, 13):
        down, right = np.random.default_rng(seed).integers(-12, 12, 2)
        moved = ground[20 + down : 20 + down + ROWS, 20 + right : 20 + right + COLUMNS]
        answer = register(one, beneath_clouds(moved, seed))
        assert not answer.ok or np.abs(answer.shift - (down, right)).max() < 1


@pytest.mark.parametrize("part", [0.15, 0.3, 0.5])
def test_pieces_of_one_scene_do_match(part: float) -> None:
    field = gaussian_filter(np.random.default_rng(8).normal(size=(300, 300)), 8)
    scene = 1 + gaussian_filter((field > 0).astype(float), 0.8)
    rng, down = np.random.default_rng(9), round(128 * (1 - part))
    cuts = scene[10:138, 10:138], scene[10 + down : 138 + down, 13:141]
    answer = register(*(rng.poisson(50 * cut).astype(np.uint16) for cut in cuts))
    assert answer.ok
    assert answer.shift == pytest.approx([down, 3], abs=0.3)
