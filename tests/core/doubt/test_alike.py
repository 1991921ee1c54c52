"""Places of the same structure, such as the periods of a lattice: which of them a frame is at."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tests.cases import cases

from maskreg import Registrar, register
from maskreg.core.doubt.alike import _on_pixels_of_their_own, best_two
from maskreg.core.doubt.explained import explained
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import MaskPyramid
from maskreg.core.image.stabilise import detector_for
from maskreg.core.masked_side import MaskedSide
from maskreg.core.place import place
from maskreg.core.reference import ReferenceSide
from maskreg.core.search.peak import Candidate
from maskreg.options import Options
from maskreg.testing import Spots, beam_block

PERIOD = np.array([27.3, 6.1])
"""One of the lattice's vectors in a frame of 256 squared, px."""


def counts(scene, electrons, drift=(0.0, 0.0), seed=0):
    return np.random.default_rng(seed).poisson(electrons * scene.render(drift)).astype(np.uint16)


def sides(reference, mask):
    detector = detector_for(Options(), [(reference, mask)])
    masks = MaskPyramid(mask)
    image = Prepared(reference, masks, detector)
    masked = MaskedSide(ReferenceSide(image, Options()), masks)
    return masked, lambda moving: Prepared(moving, masks, detector, image.mean)


@pytest.mark.parametrize("electrons", [5, 100])
def test_frames_of_a_crystal_need_a_first_look_only(electrons):
    shape = (256, 256)
    mask, scene = beam_block(shape), Spots(shape)
    registrar = Registrar(counts(scene, electrons), mask, mask)
    drifts = np.random.default_rng(3).uniform(-20, 20, (20, 2))
    for k, drift in enumerate(drifts):
        found = registrar(counts(scene, electrons, tuple(drift), seed=k + 1))
        assert found.ok
        np.testing.assert_allclose(found.shift, -drift, atol=0.1)
    assert registrar.looks == (20, 0)


@pytest.mark.parametrize("masked", cases([True], [False, True]))
@pytest.mark.parametrize(
    ("side", "electrons", "shift", "seed"),
    [
        (768, 1.0, (-83.03475633204198, -74.55515682128566), 188639628),
        (512, 0.3, (66.8636656931789, -60.03754767992933), 819223885),
    ],
)
def test_a_look_that_has_not_met_the_right_period_is_not_believed(side, electrons, shift, seed, masked):
    shape = (side, side)
    scene, rng = Spots(shape, seed=seed % 1000, width=2.5), np.random.default_rng(seed)
    drift = tuple(-s for s in shift)
    reference, moving = (rng.poisson(electrons * scene.render(d)) for d in ((0.0, 0.0), drift))
    mask = beam_block(shape) if masked else None
    found = register(reference, moving, mask, mask)
    assert found.ok
    np.testing.assert_allclose(found.shift, shift, atol=0.5)


def test_spots_finer_than_the_pixels_of_a_level_are_found_where_they_fall_between_these():
    shape = (2048, 2048)
    scene, mask = Spots(shape, width=2.0), beam_block(shape)
    registrar = Registrar(counts(scene, 1), mask, mask)
    for drift in ((4.0, 4.0), (-4.05, 3.9), (-20.2, 28.1)):  # about half a pixel of level 8
        found = registrar(counts(scene, 1, drift, seed=1))
        assert found.ok
        np.testing.assert_allclose(found.shift, -np.array(drift), atol=0.12)


@pytest.mark.parametrize("dimmer", [1.0, 0.3])
@pytest.mark.parametrize("electrons", [1.0, 20.0])
def test_another_period_leaves_structure_unexplained_and_a_dimmer_frame_does_not(electrons, dimmer):
    shape = (512, 512)
    scene, drift = Spots(shape, width=2.5), (3.0, -7.0)
    masked, prepared = sides(counts(scene, electrons), beam_block(shape))
    moving = prepared(counts(scene, dimmer * electrons, drift, seed=1))
    assert explained(masked, moving, -np.array(drift))
    assert not explained(masked, moving, -np.array(drift) + 2 * np.rint(PERIOD))


def test_a_frame_dimmer_than_all_of_its_reference_is_not_taken_for_all_noise():
    shape, drift = (700, 700), (-27.83526481, -10.9808516)
    scene, mask = Spots(shape, seed=158, width=2.627491681990443), beam_block(shape)
    rng = np.random.default_rng(794641296)
    reference, moving = (
        rng.poisson(part * 8.820931852239426 * scene.render(d)).astype(np.uint16)
        for part, d in ((1.0, (0.0, 0.0)), (0.25, drift))
    )
    masked, prepared = sides(reference, mask)
    image = prepared(moving)
    noise = image.detector.noise_table
    expected = np.interp(
        image.detector.stabilised(0.25 * 8.820931852239426 * scene.render(drift)), *noise
    )  # of faint counts it is less than 1
    told = masked.side.noise_curve.mean_of_blocks(image.level(8))
    assert expected[mask].mean() < 0.75
    np.testing.assert_allclose(told, expected[mask].mean(), atol=0.12)
    found = register(reference, moving, mask, mask)
    assert found.ok
    np.testing.assert_allclose(found.shift, -np.array(drift), atol=0.3)


def test_of_the_periods_the_right_one_is_first_and_the_others_are_beaten():
    shape = (256, 256)
    scene, drift = Spots(shape), (-4.2, 3.3)
    masked, prepared = sides(counts(scene, 100), beam_block(shape))
    moving = prepared(counts(scene, 100, drift, seed=1))
    right = -np.array(drift)
    places = [right + PERIOD, right, right - PERIOD]
    found = best_two(masked, moving, [Candidate(np.rint(place), 1, 10.0) for place in places])
    np.testing.assert_array_equal(found.first.shift, np.rint(right))
    assert found.gap > 100
    assert len(found.beaten) == 2
    assert any(found.rival is worse for worse in found.beaten)


@pytest.mark.parametrize("ignored", [0.0, 0.2])
def test_a_place_goes_on_from_where_it_was_compared_as_from_the_beginning(ignored):
    shape = (256, 256)
    mask = np.random.default_rng(1).random(shape) >= ignored
    scene, drift = Spots(shape), (4.7, -3.2)
    masked, prepared = sides(counts(scene, 50), mask)
    moving = prepared(counts(scene, 50, drift, seed=1))
    start = np.rint(-np.array(drift))
    known = place(masked, moving, 2, start, coarse=True)
    assert known.refined
    on, anew = place(masked, moving, 2, start, known=known), place(masked, moving, 2, start)
    assert (on.bin, on.gaussian) == (anew.bin, anew.gaussian)
    np.testing.assert_allclose(on.shift, anew.shift, atol=0.03 * anew.covariance.diagonal().min() ** 0.5)
    np.testing.assert_allclose(on.covariance, anew.covariance, rtol=0.01)


def test_places_closer_than_their_level_resolves_are_never_beaten():
    shape = (256, 256)
    scene = Spots(shape)
    masked, prepared = sides(counts(scene, 100), beam_block(shape))
    moving = prepared(counts(scene, 100, seed=1))
    found = best_two(masked, moving, [Candidate(np.array([0.0, s]), 1, 10.0) for s in (0.0, 2.0)])
    assert found.beaten == []


def test_places_at_which_single_pixels_do_not_match_are_not_told_apart_by_evidence():
    rng = np.random.default_rng(5)
    shape, places = (64, 64), [np.array([3.0, 4.0]), np.array([-20.0, 9.0])]
    image = rng.normal(size=shape).astype(np.float32)
    masked, prepared = sides(image, np.ones(shape, bool))
    moving = image.copy()
    for shift in places:
        moving -= 3 * np.roll(image, tuple(-shift.astype(int)), (0, 1))
    one, other = (Candidate(shift, 8, evidence) for shift, evidence in zip(places, (90.0, 10.0), strict=True))
    assert all(prepared(moving).sums_with(masked.side.image, tuple(s.astype(int))).ncc < 0 for s in places)
    assert _on_pixels_of_their_own(masked, prepared(moving), one, other) == 0


def chessboard(seed):
    """Two frames of a crystal, their mask, and where they match: at another period far more pixels meet."""
    shape, drift = (128, 128), (-10.6, -8.63)
    rows, columns = np.indices(shape) // 2
    scene, rng = Spots(shape, seed=9544, width=1.07), np.random.default_rng(seed)
    frames = [rng.poisson(16 * scene.render(by)).astype(np.uint16) for by in ((0.0, 0.0), drift)]
    return frames, beam_block(shape) & ((rows + columns) % 2 > 0), -np.array(drift)


@pytest.mark.parametrize("seed", range(4))
def test_behind_a_chessboard_the_place_that_explains_the_images_wins_from_one_of_more_pixels(seed):
    frames, mask, shift = chessboard(seed)
    found = register(*frames, mask, mask)
    assert found.ok
    np.testing.assert_allclose(found.shift, shift, atol=0.3)


def test_which_place_explains_the_images_does_not_depend_on_their_order():
    (reference, moving), mask, shift = chessboard(0)
    masked, prepared = sides(reference, mask)
    places = [Candidate(np.array([24.0, 12.0]), 1, 2235.0), Candidate(np.rint(shift), 1, 1429.0)]
    gaps = [_on_pixels_of_their_own(masked, prepared(moving), *pair) for pair in (places, places[::-1])]
    assert gaps[0] == -gaps[1] < -100


@pytest.mark.parametrize("seed", range(12))
def test_a_peak_that_meets_another_in_a_corner_does_not_outweigh_all_of_them(seed):
    """Both places match, on hardly any pixel in common; the whole is where more of it is explained."""
    rng = np.random.default_rng([2019, seed])
    field = np.zeros((70, 70))
    field[tuple(rng.integers(0, 70, (2, 16)))] = rng.exponential(1, 16)
    field = gaussian_filter(field, rng.uniform(1, 2.5))
    shift = rng.integers(-8, 9, 2)
    views = (field[20 + i : 44 + i, 18 + j : 54 + j] for i, j in ((0, 0), shift))
    found = register(*(view / field.std() for view in views))
    assert not found.ok or np.abs(found.shift - shift).max() < 0.5


def test_the_right_one_of_many_places_may_show_on_single_pixels_only():
    """Spots of half a pixel are half as high at the start level where they lie between its pixels."""
    side, width, shift = 512, 0.51, np.array([24.9, -1.04])
    rng, grid = np.random.default_rng(1104), np.arange(512)[:, None]
    places = side / 2 + np.mgrid[-30:31, -30:31].reshape(2, -1).T @ np.array([[28.8, -5.7], [7.1, 28.8]])
    strength = rng.exponential(1, len(places)) * np.exp(-((places - side / 2) ** 2).sum(axis=1) / 2 / 200**2)
    fade = np.where(rng.random(len(places)) < 0.2, 0.7, 1.0)

    def frame(by, strength):
        rows, columns = (np.exp(-((grid - x) ** 2) / 2 / width**2) for x in (places - by).T)
        return rng.poisson(9000 * (rows * strength) @ columns.T + 0.1).astype(np.uint32)

    found = register(frame((0, 0), strength), frame(shift, strength * fade))
    assert found.ok
    np.testing.assert_allclose(found.shift, shift, atol=0.5)
