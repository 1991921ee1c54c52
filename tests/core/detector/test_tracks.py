"""Bright tracks, as cosmic rays and X-rays leave them: in each frame elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.cases import cases

import maskreg.core.clipped as clipped_module
from maskreg import Registrar, Registration, Rival, Status, register
from maskreg.core.detector.bright import BRIGHT, ceiling, clipped
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import MaskPyramid
from maskreg.core.image.stabilise import Detector
from maskreg.core.masked_side import MaskedSide
from maskreg.core.reference import ReferenceSide
from maskreg.options import Options
from maskreg.testing import Rings, Spots, Texture, beam_block

SIDE = 192


def with_tracks(rng, frame, number, height):
    frame = frame.astype(np.float64)
    for _ in range(number):
        row, column = rng.uniform(0, SIDE, 2)
        angle, along = rng.uniform(0, np.pi), np.arange(0, rng.uniform(5, 80), 0.5)
        rows, columns = (
            (row + along * np.sin(angle)).astype(int),
            (column + along * np.cos(angle)).astype(int),
        )
        inside = (rows >= 0) & (rows < SIDE) & (columns >= 0) & (columns < SIDE)
        frame[rows[inside], columns[inside]] += height
    return frame.astype(np.uint16)


def pair(seed, scene, dose, drift, number):
    rng = np.random.default_rng(seed)
    frames = [rng.poisson(dose * scene.render(by)) for by in ((0.0, 0.0), drift)]
    height = 4 * np.quantile(frames[0], 0.999) + 20
    return [with_tracks(rng, frame, number, height) for frame in frames]


def test_tracks_that_meet_are_not_taken_for_a_match():
    rng, right, ok, pairs = np.random.default_rng(5), 0, 0, cases(18, 36)
    scenes = [kind((SIDE, SIDE)) for kind in (Rings, Spots, Texture)]
    masks = [None, beam_block((SIDE, SIDE))]
    for seed in range(pairs):
        drift = tuple(rng.uniform(-15, 15, 2))
        dose = float(np.exp(rng.uniform(np.log(0.5), np.log(50))))
        mask = masks[seed % 2]
        reference, moving = pair(seed, scenes[seed % 3], dose, drift, 6)
        found = register(reference, moving, mask, mask)
        near = found.status.keeps_shift and np.abs(found.shift + drift).max() < 1
        ok += found.ok
        right += found.ok and near
        assert near or not found.ok, (seed, drift, found)
    assert right == ok >= cases(14, 30)


@pytest.mark.parametrize("scene", [Rings, Texture])
def test_a_small_overlap_is_enough_where_there_are_no_tracks(scene):
    drift = (-95.3, 20.4)
    reference, moving = pair(1, scene((SIDE, SIDE)), 30, drift, 0)
    found = register(reference, moving)
    assert found.ok
    np.testing.assert_allclose(found.shift, -np.array(drift), atol=0.3)


def answer(status, shift, overlap=0.3):
    return Registration(np.array(shift), np.eye(2), 0.9, 20.0, overlap, None, status)


HERE, THERE, ELSEWHERE = (answer(Status.OK, shift) for shift in ((90.0, 0.0), (-3.0, 2.0), (50.0, -70.0)))
HERE_TOO, MUCH = answer(Status.OK, (90.3, 0.2)), answer(Status.OK, (4.0, 5.0), 0.9)
DOUBTFUL = answer(Status.AMBIGUOUS, (89.8, -0.1))
UNDECIDED = replace(DOUBTFUL, rival=Rival((4, 5), 0.5))
FAIR, FAIR_DOUBT = answer(Status.OK, (60.0, 0.0), 0.6), answer(Status.AMBIGUOUS, (60.2, 0.1), 0.6)
WEAK = Registration.failed(Status.WEAK, 2)


def only_tracks(monkeypatch, answers, shared=0.5, borne_out=0.5, overlap=0.3):
    """Images of which a first match explains but a part, and less if clipped."""
    monkeypatch.setattr(clipped_module, "registration_of", lambda *_: next(answers))
    monkeypatch.setattr(clipped_module, "structure_shared", lambda *_: shared)
    monkeypatch.setattr(
        clipped_module,
        "score_and_overlap",
        lambda _, __, shift: (1.0 if tuple(shift) == (4, 5) else borne_out, overlap),
    )


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([MUCH], MUCH),
        ([HERE, HERE_TOO], HERE),
        ([HERE, MUCH], MUCH),
        ([WEAK, MUCH], MUCH),
        ([HERE, THERE, HERE_TOO], HERE),
        ([HERE, WEAK, HERE_TOO], HERE),
        ([WEAK, HERE, HERE_TOO], HERE),
        ([WEAK, HERE, WEAK], WEAK),
        ([HERE, WEAK, WEAK], "ambiguous"),
        ([HERE, THERE, ELSEWHERE], "ambiguous"),
        ([HERE, DOUBTFUL, WEAK], "ambiguous"),
        ([FAIR, FAIR_DOUBT], FAIR),
        ([WEAK, FAIR_DOUBT, FAIR], FAIR),
        ([DOUBTFUL, DOUBTFUL, WEAK], DOUBTFUL),
    ],
)
def test_a_match_of_small_overlap_must_be_found_twice(answers, expected, monkeypatch):
    found, left = judged(answers, [True] * 2, monkeypatch)
    assert left == 0
    if expected == "ambiguous":
        assert found.status is Status.AMBIGUOUS
        assert "few bright pixels" in found.reason
        np.testing.assert_array_equal(found.shift, HERE.shift)
    else:
        assert found is expected


@pytest.mark.parametrize("sure", [True, False])
@pytest.mark.parametrize(("borne_out", "believed"), [(0.65, True), (0.75, False)])
def test_a_match_that_clipped_images_bear_out_is_not_given_up_for_another(
    borne_out, believed, sure, monkeypatch
):
    first = HERE if sure else UNDECIDED
    found, _ = judged([first, MUCH], [True], monkeypatch, borne_out=borne_out)
    if believed:
        assert found is MUCH
    else:
        assert found.status is Status.AMBIGUOUS
        np.testing.assert_array_equal(found.shift, (HERE if sure else UNDECIDED).shift)
        np.testing.assert_array_equal(found.rival.shift, MUCH.shift)


@pytest.mark.parametrize("rival", [THERE.shift, None])
@pytest.mark.parametrize(
    ("borne_out", "overlap", "believed"), [(0.8, 0.6, False), (0.8, 0.4, True), (0.6, 0.6, True)]
)
def test_a_doubt_between_other_places_stays_where_clipped_images_bear_out_one_of_fair_overlap(
    borne_out, overlap, believed, rival, monkeypatch
):
    first = replace(DOUBTFUL, rival=None if rival is None else Rival(tuple(map(int, rival)), 0.5))
    found, _ = judged([first, MUCH], [True], monkeypatch, borne_out=borne_out, overlap=overlap)
    assert (found is MUCH) == believed
    assert found.ok == believed


@pytest.mark.parametrize(
    ("shared", "overlap", "asked"),
    [(0.92, 0.3, 0), (0.88, 0.3, 1), (0.92, 0.2, 1), (0.82, 0.55, 0), (0.82, 0.45, 1), (0.78, 0.55, 1)],
)
def test_images_that_share_their_structure_have_no_tracks(shared, overlap, asked, monkeypatch):
    calls, first = [], answer(Status.OK, (90.0, 0.0), overlap)
    only_tracks(monkeypatch, iter([first]), shared=shared)
    monkeypatch.setattr(clipped_module, "_clipped", lambda *_: calls.append(1) or iter(()))
    assert clipped_module.robust_registration(None, None) is first
    assert len(calls) == asked


def judged(answers, wholly, monkeypatch, **given):
    """Return what is said of pairs that are answered so, and how many answers were not asked for."""
    left = iter(answers)
    pairs = [clipped_module.Clipped(None, None, every) for every in wholly]
    only_tracks(monkeypatch, left, **given)
    monkeypatch.setattr(clipped_module, "_clipped", lambda *_: iter(pairs))
    return clipped_module.robust_registration(None, None), len(list(left))


@pytest.mark.parametrize(
    ("answers", "wholly", "expected"),
    [
        ([HERE, HERE_TOO, HERE_TOO], [False, True], HERE),
        ([HERE, HERE_TOO, HERE_TOO, HERE], [False, False, False], HERE),
        ([HERE, HERE_TOO, THERE, HERE], [False, False, True], HERE),
        ([HERE, HERE_TOO, WEAK, ELSEWHERE], [False, False, True], "ambiguous"),
        ([HERE, HERE_TOO, MUCH], [False, True], MUCH),
        ([HERE, MUCH], [False, True], MUCH),
    ],
)
def test_found_again_while_tracks_are_left_it_is_asked_once_more(answers, wholly, expected, monkeypatch):
    found, left = judged(answers, wholly, monkeypatch)
    assert left == 0
    assert found is expected if expected != "ambiguous" else found.status is Status.AMBIGUOUS


def test_what_is_contradicted_is_doubtful_even_if_nothing_more_can_be_clipped(monkeypatch):
    assert judged([HERE, THERE], [True], monkeypatch)[0].status is Status.AMBIGUOUS


def test_where_nothing_can_be_clipped_a_match_is_what_it_was(monkeypatch):
    assert judged([HERE], [], monkeypatch)[0] is HERE


@pytest.mark.parametrize("part", [0.01, 0.03, 0.08])
def test_images_are_clipped_until_no_track_is_left_and_never_twice_the_same(part):
    rng = np.random.default_rng(7)
    raw = rng.poisson(20, (SIDE, SIDE)).astype(np.uint16)
    raw.flat[: round(part * raw.size)] += 500
    masks = MaskPyramid(np.ones(raw.shape, bool))
    images = [Prepared(raw, masks, Detector(counts=True), refined=True) for _ in range(2)]
    masked = MaskedSide(ReferenceSide(images[0], Options()), masks)
    greatest = [
        (int(pair.masked.side.image.raw.max()), int(pair.moving.raw.max()), pair.wholly)
        for pair in clipped_module._clipped(masked, images[1])
    ]
    assert len(greatest) == len(set(greatest))
    assert [wholly for *_, wholly in greatest] == {
        0.01: [True, True, True],
        0.03: [False, True, True],
        0.08: [False, False, True],
    }[part]
    assert greatest[-1][0] < 60


def test_frames_of_much_overlap_are_not_asked(monkeypatch):
    monkeypatch.setattr(clipped_module, "_clipped", None)  # not to be called
    scene, rng = Spots((SIDE, SIDE)), np.random.default_rng(3)
    registrar = Registrar(rng.poisson(30 * scene.render((0.0, 0.0))))
    assert registrar(rng.poisson(30 * scene.render((3.0, -4.0)))).ok


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
@pytest.mark.parametrize("time", range(len(BRIGHT)))
def test_clipping_keeps_the_type_and_all_that_is_not_bright(dtype, time):
    rng = np.random.default_rng(4)
    raw = rng.poisson(20, (SIDE, SIDE)).astype(dtype)
    raw[50, 20:80] = 250
    image = Prepared(raw, MaskPyramid(np.ones(raw.shape, bool)), Detector(counts=True), refined=True)
    limit = ceiling(image, time)
    assert 30 < limit.value < 250
    found = clipped(raw, limit)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[raw <= limit.value], raw[raw <= limit.value])
    assert found.max() <= limit.value


@pytest.mark.parametrize("mean", [None, -60.0, 40.0])
def test_what_is_bright_does_not_depend_on_what_is_taken_off(mean):
    raw = np.random.default_rng(6).poisson(20, (SIDE, SIDE)).astype(np.uint16)
    raw[50, 20:80] = 600
    masks = MaskPyramid(beam_block(raw.shape))
    own, other = (Prepared(raw, masks, Detector(counts=True), off, refined=True) for off in (None, mean))
    assert ceiling(other, 0) == ceiling(own, 0) is not None


def test_without_bright_pixels_there_is_nothing_to_clip():
    raw = np.random.default_rng(5).poisson(20, (SIDE, SIDE)).astype(np.uint16)
    image = Prepared(raw, MaskPyramid(np.ones(raw.shape, bool)), Detector(counts=True), refined=True)
    assert ceiling(image, 0) is None


def test_the_spots_of_a_crystal_are_no_tracks():
    shape = (SIDE, SIDE)
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    still = np.exp(-(rows**2 + columns**2) / 0.05)  # a bright background that stays: clipped spots leave it
    ok = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        drift, scene = tuple(rng.uniform(-80, 80, 2)), Spots(shape, seed=seed)
        reference, moving = (
            rng.poisson(30 * (scene.render(by) + still)).astype(np.uint16) for by in ((0.0, 0.0), drift)
        )
        found = register(reference, moving)
        assert found.status.keeps_shift
        assert np.abs(found.shift + drift).max() < 1, (seed, drift, found)
        ok += found.ok
    assert ok >= 8


@pytest.mark.parametrize("seed", [31, 41, 44, 80, 92, 101])
def test_a_lattice_that_drifts_over_a_bright_background_keeps_its_answer_unclipped(seed):
    """Clipped, it is less of what an image shows, and the background, which stays, more."""
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    still = 3 * np.exp(-(rows**2 + columns**2) / 0.05)
    rng = np.random.default_rng(seed)
    drift = tuple(rng.uniform(-64, 64, 2))
    dose, width = float(rng.choice([2, 5, 25])), float(rng.choice([1.2, 1.8, 2.9]))
    scene = Spots((SIDE, SIDE), seed=seed, width=width)
    reference, moving = (
        rng.poisson(dose * (scene.render(by) + still)).astype(np.uint16) for by in ((0.0, 0.0), drift)
    )
    found = register(reference, moving)
    assert found.ok
    assert np.abs(found.shift + drift).max() < 1


def test_sigma_covers_what_tracks_pull():
    rng, scenes = np.random.default_rng(11), [kind((SIDE, SIDE)) for kind in (Rings, Spots, Texture)]
    squares = []
    for seed in range(pairs := cases(15, 30)):
        drift = rng.uniform(-15, 15, 2)
        dose = float(np.exp(rng.uniform(np.log(0.5), np.log(50))))
        found = register(*pair(seed, scenes[seed % 3], dose, tuple(drift), 6))
        if found.ok:
            off = found.shift + drift
            squares.append(float(off @ np.linalg.solve(found.covariance, off)))
    assert len(squares) > 0.75 * pairs
    # two, where sigma is right; steep tracks in the reference tell no shift, and made it 10
    assert np.mean(squares) < 4
