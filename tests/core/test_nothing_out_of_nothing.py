"""Images with nothing to register: an answer that is not ok, with its reason and no shift."""

from __future__ import annotations

import numpy as np
import pytest
from tests.cases import cases
from tests.core.registration_law import assert_well_formed, counted

from maskreg import Registrar, Status, register
from maskreg.testing import Texture, beam_block

SHAPE = (64, 70)
FRAME = counted(Texture(SHAPE), 60.0, 1)
BLOCK = beam_block(SHAPE)
NOTHING = np.zeros(SHAPE, bool)


def assert_no_answer(found, ndim, *statuses):
    assert_well_formed(found, ndim)
    assert not found.ok, found
    assert np.isnan(found.shift).all()
    assert np.isnan(found.covariance).all()
    assert not statuses or found.status in statuses, found


def both_ways(other, *, mask=None, other_mask=None, **options):
    """The image as moving, as reference, and against itself."""
    yield register(FRAME, other, mask, other_mask, **options)
    yield register(other, FRAME, other_mask, mask, **options)
    yield register(other, other, other_mask, other_mask, **options)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_a_frame_without_a_finite_pixel_has_no_overlap(value, dtype):
    for found in both_ways(np.full(SHAPE, value, dtype)):
        assert_no_answer(found, 2, Status.NO_OVERLAP)


@pytest.mark.parametrize("masked", ["reference", "moving", "both"])
def test_masks_that_ignore_everything_leave_no_overlap(masked):
    a = None if masked == "moving" else NOTHING
    b = None if masked == "reference" else NOTHING
    assert_no_answer(register(FRAME, FRAME, a, b), 2, Status.NO_OVERLAP)
    assert_no_answer(Registrar(FRAME, a, b)(FRAME), 2, Status.NO_OVERLAP)
    assert_no_answer(Registrar(FRAME, a)(FRAME, b), 2, Status.NO_OVERLAP)
    everything_masked = np.ma.array(FRAME, mask=True)
    assert_no_answer(register(FRAME, everything_masked, a), 2, Status.NO_OVERLAP)


def test_masks_that_have_nothing_in_common_have_no_overlap_where_it_is_searched():
    left = np.arange(SHAPE[1]) < 20
    one, other = np.broadcast_to(left, SHAPE), np.broadcast_to(~left, SHAPE)
    found = register(
        FRAME, FRAME, one, np.roll(other, 20, 1) & other & (np.arange(SHAPE[1]) > 40), max_shift=5
    )
    assert_no_answer(found, 2, Status.NO_OVERLAP)


@pytest.mark.parametrize("value", [0, 1, 255, 60000])
@pytest.mark.parametrize("dtype", ["u2", "i4", "f4", "f8"])
def test_a_constant_image_is_flat(value, dtype):
    for found in both_ways(np.full(SHAPE, value).astype(dtype)):
        assert_no_answer(found, 2, Status.FLAT)


@pytest.mark.parametrize("value", [0.1, -1e300, 1e-320, 3.3e38])
def test_a_constant_that_rounds_is_flat(value):
    for found in both_ways(np.full(SHAPE, value)):
        assert_no_answer(found, 2, Status.FLAT)


@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_an_image_that_is_constant_under_its_mask_is_flat(dtype):
    constant = np.where(BLOCK, 7, FRAME).astype(dtype)
    assert np.ptp(constant) > 0
    for found in both_ways(constant, mask=BLOCK, other_mask=BLOCK):
        assert_no_answer(found, 2, Status.FLAT)
    if dtype == "f4":
        holes = np.where(BLOCK, 7.0, np.nan)
        for found in both_ways(holes):
            assert_no_answer(found, 2, Status.FLAT)


@pytest.mark.parametrize("kept", [1, 2, 5, 10])
def test_ten_pixels_are_not_enough(kept):
    few = np.zeros(SHAPE, bool)
    few.flat[np.random.default_rng(2).permutation(few.size)[:kept]] = True
    assert_no_answer(register(FRAME, FRAME, few), 2)
    assert_no_answer(register(FRAME, FRAME, None, few), 2)
    assert_no_answer(register(FRAME, FRAME, few, few), 2)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("subpixel", [False, True])
def test_nothing_stays_nothing_whatever_the_options(exact, subpixel):
    for limit in (None, 0, 8):
        options = {"exact": exact, "subpixel": subpixel, "max_shift": limit}
        for found in both_ways(np.full(SHAPE, np.nan), **options):
            assert_no_answer(found, 2, Status.NO_OVERLAP)
        for found in both_ways(np.full(SHAPE, 3.0), **options):
            assert_no_answer(found, 2, Status.FLAT)


TINY = [(1,), (2,), (3,), (7,), (12,), (1, 1), (2, 2), (3, 3), (4, 3), (7, 7), (1, 40), (40, 1), (2, 30)]
TINY += [(1, 1, 1), (2, 2, 2), (3, 4, 5), (1, 9, 9)]


@pytest.mark.parametrize("shape", TINY, ids=str)
@pytest.mark.parametrize("dtype", ["u2", "f8"])
def test_tiny_unrelated_images_are_never_ok(shape, dtype):
    rng = np.random.default_rng(3)
    for _ in range(cases(2, 5)):
        a, b = (rng.poisson(50.0, shape).astype(dtype) for _ in range(2))
        for options in ({}, {"max_shift": 1}, {"subpixel": False}):
            found = register(a, b, **options)
            assert_well_formed(found, len(shape))
            assert not found.ok, found


@pytest.mark.parametrize("shape", TINY, ids=str)
def test_tiny_copies_are_at_their_place_or_not_ok(shape):
    rng = np.random.default_rng(4)
    for _ in range(6):
        a = rng.poisson(50.0, shape).astype(np.uint16)
        found = register(a, a)
        assert_well_formed(found, len(shape))
        if found.ok:
            assert np.abs(found.shift).max() < 0.5, found


@pytest.mark.parametrize(
    ("p", "q"), [((1, 1), (64, 70)), ((7, 7), (64, 70)), ((1,), (300,)), ((2, 50), (50, 2))]
)
def test_a_tiny_image_beside_a_large_one_is_never_ok_by_chance(p, q):
    rng = np.random.default_rng(5)
    for _ in range(8):
        a, b = rng.poisson(50.0, p).astype(np.uint16), rng.poisson(50.0, q).astype(np.uint16)
        for found in (register(a, b), register(b, a)):
            assert_well_formed(found, len(p))
            assert not found.ok, found


def test_the_reason_is_a_sentence_with_figures():
    found = register(FRAME, FRAME, NOTHING)
    assert found.reason == "no shift leaves enough pixels that are valid in both images " + (
        "(reference has no valid pixel)"
    )
    assert "moving" in register(FRAME, np.ones(SHAPE)).reason
    noise = np.random.default_rng(6).normal(size=SHAPE)
    weak = register(FRAME, noise)
    assert weak.status is Status.WEAK
    assert any(character.isdigit() for character in weak.reason)
