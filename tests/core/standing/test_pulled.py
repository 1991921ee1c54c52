"""What stands still on the detector, and nobody has masked, does not pull the shift."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.ndimage
from tests.cases import cases

from maskreg import Registrar, register
from maskreg.core import corrected
from maskreg.testing import ChromiumScan, Rings, Spots, Texture, beam_block

SHAPE = 192, 192


def behind_a_block(seed, scene, dose, drift, dtype=np.uint16):
    """Two frames whose block nobody tells of."""
    rng, block = np.random.default_rng(seed), beam_block(scene.shape)
    return [rng.poisson(dose * block * scene.render(by)).astype(dtype) for by in ((0.0, 0.0), drift)]


def as_least_squares_has_it(monkeypatch, frames):
    with monkeypatch.context() as patched:
        patched.setattr(corrected, "evidence", lambda residual: 0.0)
        return register(*frames)


EACH = [(scene, dtype) for dtype in (np.uint16, np.float32) for scene in (Rings, Spots, Texture)]


@pytest.mark.parametrize(("scene", "dtype"), cases([*EACH[:3], EACH[5]], EACH))
def test_a_block_that_is_not_masked_pulls_no_more(monkeypatch, scene, dtype):
    off, before, chi_squared, pairs = [], [], [], cases(5, 8)
    for seed in range(pairs):
        drift = tuple(np.random.default_rng([1, seed]).uniform(1, 4, 2))
        frames = behind_a_block(seed, scene(SHAPE, seed=seed), 40.0, drift, dtype)
        found, squares = register(*frames), as_least_squares_has_it(monkeypatch, frames)
        if not found.ok:
            continue
        error = found.shift + drift
        off.append(np.abs(error).max())
        before.append(np.abs(squares.shift + drift).max())
        chi_squared.append(error @ np.linalg.solve(found.covariance, error))
    assert len(off) >= 0.75 * pairs
    assert np.median(off) < 0.05 < 0.1 < np.median(before)
    assert np.median(chi_squared) < 4


@pytest.mark.parametrize("scene", [Rings, Spots, Texture])
def test_floats_are_freed_too_and_are_no_surer_of_what_is_near(monkeypatch, scene):
    monkeypatch.setattr(corrected, "_is_shaded", lambda masked, moving, known: False)  # told elsewhere
    off, before, pairs = [], [], cases(5, 8)
    for seed in range(pairs):
        drift = tuple(np.random.default_rng([1, seed]).uniform(1, 4, 2))
        frames = [
            np.float32(0.37) * frame + np.float32(11.3)
            for frame in behind_a_block(seed, scene(SHAPE, seed=seed), 40.0, drift)
        ]
        found, squares = register(*frames), as_least_squares_has_it(monkeypatch, frames)
        if not found.ok:
            continue
        off.append(np.abs(found.shift + drift).max())
        before.append(np.abs(squares.shift + drift).max())
        if np.abs(found.shift - squares.shift).max() <= 1:
            np.testing.assert_array_equal(found.covariance, squares.covariance)
    assert len(off) >= 0.6 * pairs
    assert np.median(off) < min(0.06, 0.6 * np.median(before))


def test_sharp_spots_that_a_block_holds_near_no_shift_are_freed_through_large_pixels():
    scene = Spots((512, 512), seed=1)
    for seed, drift in enumerate([(2.6, -1.4), (6.5, -3.5)]):
        found = register(*behind_a_block(seed, scene, 100.0, drift))
        assert found.ok, found
        np.testing.assert_allclose(found.shift, np.negative(drift), atol=5 * found.uncertainty.max())
        assert found.uncertainty.max() < 0.05


def test_rings_that_a_block_holds_far_from_where_they_are_are_freed():
    scan = ChromiumScan(SHAPE, scans=2)
    registrar, right = Registrar(scan.frame(0)), 0
    for k in range(12, 24):
        found, truth = registrar(scan.frame(k)), scan.shifts[k]
        if found.ok:
            right += 1
            np.testing.assert_allclose(found.shift, truth, atol=0.15)
    assert right >= 9
    assert registrar.freed


TROUBLES = "none", "parts fade", "faint", "more light", "a little turned", "no drift"


@pytest.mark.parametrize("scene", [Rings, Spots, Texture])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_where_nothing_stands_still_no_answer_gets_worse(monkeypatch, scene, trouble):
    for seed in range(cases(2, 6)):
        rng = np.random.default_rng([2, seed])
        drift = rng.uniform(-2, 2, 2) * (trouble != "no drift")
        made = scene(SHAPE, seed=seed)
        one, other = made.render((0.0, 0.0)), made.render(tuple(drift))
        if trouble == "parts fade":
            other = other * np.repeat(np.repeat(rng.uniform(0.5, 1, (6, 6)), 32, 0), 32, 1)
        if trouble == "a little turned":
            other = scipy.ndimage.rotate(other, 0.1, reshape=False, order=3, mode="nearest").clip(0)
        dose = 2.0 if trouble == "faint" else 40.0
        brighter = 3.0 if trouble == "more light" else 1.0
        frames = [rng.poisson(dose * f).astype(np.uint16) for f in (one, brighter * other)]
        found, squares = register(*frames), as_least_squares_has_it(monkeypatch, frames)
        assert found.ok or found.status == squares.status
        if found.ok and (found.shift != squares.shift).any():
            error = found.shift + drift
            assert np.abs(error).max() < np.abs(squares.shift + drift).max(), (seed, found, squares)
            assert error @ np.linalg.solve(found.covariance, error) < 20, (seed, found)


def test_images_that_are_the_same_stay_where_they_are():
    frame = behind_a_block(1, Texture(SHAPE), 40.0, (0.0, 0.0))[0]
    found = register(frame, frame)
    assert found.ok
    np.testing.assert_allclose(found.shift, 0, atol=found.uncertainty.min())


def test_where_the_parts_that_go_do_not_tell_the_shift_it_stays(monkeypatch):
    frames = behind_a_block(2, Texture(SHAPE), 40.0, (2.3, 1.4))
    squares = as_least_squares_has_it(monkeypatch, frames)
    monkeypatch.setattr(corrected, "evidence", lambda residual: math.inf)
    monkeypatch.setattr(corrected, "without_pull", lambda residual: None)
    found = register(*frames)
    np.testing.assert_array_equal(found.shift, squares.shift)
    np.testing.assert_array_equal(found.covariance, squares.covariance)
    assert found.status == squares.status


def test_volumes_too():
    rng = np.random.default_rng(6)
    grains = scipy.ndimage.gaussian_filter(rng.exponential(size=(68, 68, 68)), 1.2)
    stands = np.ones((64, 64, 64))
    stands[20:36, :40, 24:40] = 0.02
    drift = np.array([1.0, -2.0, 1.0])
    scenes = (grains[2:66, 2:66, 2:66], grains[1:65, 4:68, 1:65])
    found = register(*(rng.poisson(60 * s * stands).astype(np.uint16) for s in scenes))
    assert found.ok, found
    np.testing.assert_allclose(found.shift, -drift, atol=max(0.02, 5 * found.uncertainty.max()))
