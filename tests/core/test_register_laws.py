"""Laws of a registration: what may change nothing, and what must change the answer just so."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cases import cases
from tests.core.registration_law import (
    EXACT_COPY_PX,
    SIGMAS,
    assert_same_place,
    assert_well_formed,
    bits,
    counted,
    counted_pair,
    whole,
    windows,
)

from maskreg import Registrar, Status, register
from maskreg.testing import Lines, Rings, Spots, Texture, beam_block, noise_field

SHAPE = (128, 136)
BLOCK = beam_block(SHAPE)
SCENES = {"texture": Texture, "rings": Rings, "spots": Spots}
DRIFT = (3.2, -5.3)
"""Of the moving frame of a `pair`, px; far enough from half a pixel to have one nearest pixel."""


@cache
def pair(kind="texture", dose=60.0, seed=5, drift=DRIFT):
    return counted_pair(SCENES[kind](SHAPE), drift, dose, BLOCK, seed)


@cache
def large_frame(kind):
    return counted(SCENES[kind]((200, 208)), 60.0, 1)


@pytest.fixture(params=SCENES)
def kind(request):
    return request.param


# where


def test_the_answer_is_the_known_shift_within_its_uncertainty(kind):
    a, b, mask = pair(kind)
    found = register(a, b, mask, mask)
    assert_well_formed(found, 2)
    assert found.ok
    assert (np.abs(found.shift + DRIFT) <= 4 * found.uncertainty).all(), found
    assert (found.uncertainty < 0.2).all()


@settings(derandomize=True, deadline=None, max_examples=10)
@given(st.tuples(st.integers(-36, 36), st.integers(-36, 36)), st.sampled_from(["texture", "spots"]))
def test_moving_the_image_moves_the_answer(shift, kind):
    a, b, _ = windows(large_frame(kind), shift, SHAPE)
    found = register(a, b, BLOCK, BLOCK)
    assert found.ok, found
    assert whole(found) == shift
    assert np.abs(found.shift - shift).max() <= EXACT_COPY_PX
    assert_well_formed(found, 2)


def test_the_content_of_an_image_registered_to_itself_has_not_moved(kind):
    a, _, mask = pair(kind)
    found = register(a, a, mask, mask)
    assert found.ok
    assert np.abs(found.shift).max() <= EXACT_COPY_PX
    assert found.score == pytest.approx(1.0, abs=1e-5)
    assert found.overlap == pytest.approx(1.0)
    assert_well_formed(found, 2)


@pytest.mark.parametrize("shape", [(700,), (44, 40, 36)], ids=["1-D", "3-D"])
@pytest.mark.parametrize("masked", [False, True])
def test_shifts_are_found_in_one_and_three_dimensions(shape, masked):
    rng = np.random.default_rng(6)
    shift = (-61,) if len(shape) == 1 else (4, -7, 2)
    scene = noise_field(tuple(n + 2 * max(map(abs, shift)) for n in shape), 1.0, rng)
    a, b, _ = windows(scene, shift, shape)
    a, b = a + rng.normal(scale=0.1, size=shape), b + rng.normal(scale=0.1, size=shape)
    masks = [rng.random(shape) < 0.97 for _ in range(2)] if masked else [None, None]
    found = register(a, b, *masks)
    assert_well_formed(found, len(shape))
    assert found.ok, found
    assert whole(found) == shift
    assert (np.abs(found.shift - shift) <= 4 * found.uncertainty + 1e-3).all(), found


@pytest.mark.parametrize(
    ("of_reference", "of_moving"),
    [
        ((slice(10, 150), slice(20, 190)), (slice(40, 150), slice(50, 170))),
        ((slice(60, 150), slice(40, 150)), (slice(5, 195), slice(12, 200))),
        ((slice(0, 200), slice(70, 150)), (slice(30, 120), slice(0, 208))),
        ((slice(0, 120), slice(0, 120)), (slice(80, 200), slice(60, 208))),
    ],
)
def test_between_unequal_shapes_the_shift_relates_the_corners(of_reference, of_moving):
    frame = large_frame("texture")
    expected = tuple(m.start - r.start for r, m in zip(of_reference, of_moving, strict=True))
    found = register(frame[of_reference], frame[of_moving])
    assert found.ok, found
    assert whole(found) == expected
    assert np.abs(found.shift - expected).max() <= EXACT_COPY_PX


def test_only_one_image_may_have_a_mask():
    a, b, mask = pair()
    clean_a, clean_b = (np.where(mask, x, 0) for x in (a, b))
    for found in (register(a, clean_b, mask, None), register(clean_a, b, moving_mask=mask)):
        assert_well_formed(found, 2)
    frame_a, frame_b, shift = windows(large_frame("texture"), (6, -9), SHAPE)
    for masks in ((BLOCK, None), (None, BLOCK)):
        found = register(frame_a, frame_b, *masks)
        assert found.ok
        assert whole(found) == shift


def test_stripes_are_known_across_and_not_along():
    scene = Lines(SHAPE, angle=0.0)  # horizontal: the column shift is unknown
    for seed in range(8):
        a, b, _ = counted_pair(scene, (3.0, -5.0), 60.0, None, seed)
        found = register(a, b)
        assert_well_formed(found, 2)
        if found.ok:
            assert (np.abs(found.shift - (-3, 5)) <= 4 * found.uncertainty).all(), found
            assert found.uncertainty[1] > 20 * found.uncertainty[0], found


@pytest.mark.parametrize("seed", range(7, 13))
def test_a_tie_is_never_decided_by_a_coin(seed):
    tile = np.random.default_rng(seed).poisson(20.0, (16, 16)).astype(np.uint16)
    image = np.tile(tile, (8, 8))
    found = register(image, np.roll(image, 8, axis=0))  # -8 and +8 fit equally well
    assert not found.ok
    assert bits(found) == bits(register(image, np.roll(image, 8, axis=0)))


# what changes nothing


@pytest.mark.parametrize("dtype", ["u2", "i4", "f4", "f8"])
def test_masked_pixels_never_matter_to_the_bit(dtype):
    a, b, mask = pair("rings")
    a, b = a.astype(dtype), b.astype(dtype)
    expected = register(a, b, mask, mask)
    assert expected.ok
    rng = np.random.default_rng(8)
    if dtype[0] == "f":
        garbage = [np.nan, np.inf, -np.inf, np.finfo(dtype).max, np.finfo(dtype).min, -1.0]
    else:
        garbage = [np.iinfo(dtype).max, np.iinfo(dtype).min, 0]
    for value in [*garbage, rng.normal(100, 50, mask.shape)]:
        spoiled_a, spoiled_b = (np.where(mask, x, value).astype(dtype) for x in (a, b))
        assert bits(register(spoiled_a, spoiled_b, mask, mask)) == bits(expected)
        assert bits(register(spoiled_a, b, mask, mask)) == bits(expected)
        assert bits(Registrar(a, mask, mask)(spoiled_b)) == bits(expected)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_pixels_that_are_not_finite_are_masked_pixels(dtype):
    a, b, mask = pair("texture")
    a, b = a.astype(dtype), b.astype(dtype)
    holes = np.random.default_rng(9).random(mask.shape) < 0.01
    spoiled = np.where(holes, np.nan, b).astype(dtype)
    assert bits(register(a, spoiled, mask, mask)) == bits(register(a, b, mask, mask & ~holes))
    assert bits(register(spoiled, a, mask, mask)) == bits(register(b, a, mask & ~holes, mask))


def test_a_masked_array_is_its_data_with_the_opposite_mask():
    a, b, mask = pair("spots")
    masked = [np.ma.array(x, mask=~mask) for x in (a, b)]
    assert bits(register(*masked)) == bits(register(a, b, mask, mask))
    assert bits(Registrar(masked[0])(masked[1])) == bits(register(a, b, mask, mask))


def test_layout_byte_order_and_permission_to_write_change_no_bit():
    a, b, mask = pair("rings")
    expected = bits(register(a, b, mask, mask))
    frozen = [x.copy() for x in (a, b, mask)]
    for x in frozen:
        x.flags.writeable = False
    wide = np.zeros((2 * b.shape[0], 3 * b.shape[1]), b.dtype)
    wide[::2, ::3] = b
    assert bits(register(frozen[0], frozen[1], frozen[2], frozen[2])) == expected
    assert bits(register(a.astype(">u2"), b.astype(">u2"), mask, mask)) == expected
    assert bits(register(np.asfortranarray(a), wide[::2, ::3], np.asfortranarray(mask), mask)) == expected
    assert bits(register(a, b, mask.astype(np.uint8) * 255, mask.astype(int))) == expected


def test_lists_are_arrays():
    a, b, mask = (x[40:80, 40:90] for x in pair("texture"))
    assert bits(register(a.tolist(), b.tolist(), mask.tolist(), mask.tolist())) == bits(
        register(a.astype(int), b.astype(int), mask, mask)
    )


def test_inputs_are_left_as_they_were():
    a, b, mask = (x.copy() for x in pair("rings"))
    before = a.copy(), b.copy(), mask.copy()
    register(a, b, mask, mask)
    for x, y in zip((a, b, mask), before, strict=True):
        np.testing.assert_array_equal(x, y)


DTYPES = ["u1", "u4", "i8", "f2", "f8", "i2", "i4", "u8", "f4"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_finds_the_same_place(dtype):
    a, b, mask = pair("texture")
    assert a.max() < 255
    expected = register(a, b, mask, mask)
    found = register(a.astype(dtype), b.astype(dtype), mask, mask)
    assert_same_place(found, expected)
    if dtype[0] in "ui":  # all of them counts
        np.testing.assert_allclose(found.shift, expected.shift, rtol=0, atol=1e-4)


def test_images_of_two_values_are_images():
    a, b, mask = pair("spots")
    found = register(a > 40, b > 40, mask, mask)
    assert found.ok, found
    assert whole(found) == (-3, 5)


def test_gain_and_offset_leave_the_place(kind):
    a, b, mask = pair(kind)
    expected = register(a, b, mask, mask)
    scaled_a, scaled_b = (x * 0.37 + 1e5 for x in (a, b))
    assert_same_place(register(scaled_a, scaled_b, mask, mask), expected)
    assert_same_place(register(a, scaled_b, mask, mask), expected)
    assert_same_place(register(scaled_a, b, mask, mask), expected)


@pytest.mark.parametrize(("gain", "offset"), [(0.37, 1e5), (1e-12, 0.0), (1e150, -1e155), (1.0, 6e4)])
def test_gain_and_offset_of_plain_numbers_change_next_to_nothing(gain, offset):
    # whole numbers would be counts
    a, b, mask = (x if x.dtype == bool else x / 7 for x in pair("rings"))
    expected = register(a, b, mask, mask)
    found = register(a * gain + offset, b * gain + offset, mask, mask)
    assert expected.ok
    assert found.ok
    np.testing.assert_allclose(found.shift, expected.shift, rtol=0, atol=2e-3)
    np.testing.assert_allclose(found.uncertainty, expected.uncertainty, rtol=0.02)


def test_the_detector_model_undoes_gain_and_offset():
    a, b, mask = pair("rings")
    expected = register(a, b, mask, mask)
    found = register(a / 2.5 + 100, b / 2.5 + 100, mask, mask, gain=2.5, offset=100.0)
    assert found.ok
    np.testing.assert_allclose(found.shift, expected.shift, rtol=0, atol=1e-3)


@pytest.mark.parametrize("offset", [10**8, 4 * 10**9])
def test_counts_on_a_high_pedestal_keep_their_digits(offset):
    a, b, mask = pair("rings")
    expected = register(a, b, mask, mask)
    high_a, high_b = (x + np.uint32(offset) for x in (a, b))
    named = register(high_a, high_b, mask, mask, offset=offset)
    assert_same_place(register(high_a, high_b, mask, mask), expected)
    assert_same_place(named, expected)
    np.testing.assert_allclose(named.shift, expected.shift, rtol=0, atol=1e-4)


def test_swapping_the_images_turns_the_sign(kind):
    a, b, mask = pair(kind)
    assert_same_place(register(b, a, mask, mask), register(a, b, mask, mask), sign=-1)


@pytest.mark.parametrize("flip", [(0,), (1,), (0, 1)])
def test_a_mirrored_pair_has_a_mirrored_shift(flip):
    a, b, mask = pair("texture")
    expected = register(a, b, mask, mask)
    found = register(*(np.flip(x, flip) for x in (a, b, mask, mask)))
    assert found.ok
    signs = np.where(np.isin([0, 1], flip), -1, 1)
    allowed = SIGMAS * np.hypot(found.uncertainty, expected.uncertainty)
    assert (np.abs(found.shift - signs * expected.shift) <= allowed).all()


def test_a_transposed_pair_has_a_transposed_shift():
    a, b, mask = pair("spots")
    expected, found = register(a, b, mask, mask), register(a.T, b.T, mask.T, mask.T)
    assert found.ok
    allowed = SIGMAS * np.hypot(found.uncertainty[::-1], expected.uncertainty)
    assert (np.abs(found.shift[::-1] - expected.shift) <= allowed).all()


def test_every_lag_at_full_resolution_finds_the_same_pixel(kind):
    a, b, mask = pair(kind)
    assert_same_place(register(a, b, mask, mask, exact=True), register(a, b, mask, mask))


# the same question, asked otherwise


def test_a_registrar_is_register(kind):
    a, b, mask = pair(kind)
    expected = bits(register(a, b, mask, mask))
    registrar = Registrar(a, mask)
    assert bits(registrar(b, mask)) == expected
    assert bits(registrar(b, mask)) == expected
    # a static mask is a mask
    assert bits(Registrar(a, mask, mask)(b)) == expected
    assert bits(Registrar(a, mask, mask)(b, mask)) == expected


def test_a_frame_does_not_remember_the_one_before():
    a, b, mask = pair("texture")
    _, other, _ = pair("texture", seed=6, drift=(-4.0, 2.0))
    extra = mask & (np.arange(mask.shape[1]) < 100)
    registrar = Registrar(a, mask, mask)
    expected = [bits(register(a, b, mask, mask)), bits(register(a, other, mask, extra))]
    for _ in range(2):
        assert [bits(registrar(b)), bits(registrar(other, extra))] == expected
        # another detector model in between: these are no counts
        registrar(b.astype(float))


@pytest.mark.parametrize("called", [False, True])
@pytest.mark.parametrize("static", [False, True])
def test_arrays_that_the_caller_fills_anew_change_no_answer(called, static):
    a, b, mask = pair("texture")
    _, other, _ = pair("texture", seed=6, drift=(-4.0, 2.0))
    narrow = mask & (np.arange(mask.shape[1]) < 100)
    expected = [bits(register(a, moving, mask, own)) for moving, own in ((b, mask), (other, narrow))]
    frame, own, of_reference, moving_mask = a.copy(), mask.copy(), mask.copy(), mask.copy()
    registrar = Registrar(frame, of_reference, moving_mask if static else None)
    found = []
    for moving, valid in ((b, mask), (other, narrow)) if called else ((other, narrow),):
        of_reference[:] = moving_mask[:] = False
        frame[:], own[:] = moving, valid  # as a program does that reads each frame into the same memory
        found.append(bits(registrar(frame, own)))
    assert found == expected[-len(found) :]


def test_static_and_own_mask_are_combined():
    a, b, mask = pair("rings")
    extra = np.random.default_rng(10).random(mask.shape) < 0.99
    assert bits(Registrar(a, mask, mask)(b, extra)) == bits(register(a, b, mask, mask & extra))


def test_threads_give_the_same_bits():
    a, _, mask = pair("texture")
    frames = [pair("texture", seed=s, drift=(0.7 * s, -1.1 * s))[1] for s in range(6)]
    masks = [None, mask & (np.arange(mask.shape[1]) < 120)]
    tasks = [(frame, own) for frame in frames for own in masks]
    expected = [bits(register(a, f, mask, mask if m is None else m)) for f, m in tasks]
    registrar = Registrar(a, mask, mask)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda task: bits(registrar(*task)), tasks))
    assert found == expected


# limits


@pytest.mark.parametrize("shift", [(8, 0), (0, -8), (-8, 8)])
def test_a_shift_exactly_on_the_limit_is_inside(shift):
    a, b, _ = windows(large_frame("texture"), shift, SHAPE)
    for limit in (8, 8.0, (8, 8), tuple(abs(s) for s in shift)):
        found = register(a, b, BLOCK, BLOCK, max_shift=limit)
        assert found.ok, found
        assert whole(found) == shift
        assert_well_formed(found, 2)


FAR = [(10, 0), (-25, 20), (0, -12), (3, 30)]


@pytest.mark.parametrize("shift", cases(FAR[:2], FAR))
@pytest.mark.parametrize("kind", ["texture", "rings"])
def test_a_shift_beyond_the_limit_is_never_ok(shift, kind):
    a, b, _ = windows(large_frame(kind), shift, SHAPE)
    for limit in (8, 0):
        found = register(a, b, BLOCK, BLOCK, max_shift=limit)
        assert_well_formed(found, 2)
        assert found.status in (Status.AT_LIMIT, Status.WEAK), found


PERIODS = np.array([[27.3, 6.1], [-5.2, 29.7]]) * 200 / 256
"""Of `Spots` in a frame of 200 rows, px."""


@pytest.mark.parametrize("shift", cases(FAR[:2], FAR))
def test_within_a_limit_a_lattice_meets_itself_only_a_whole_period_off(shift):
    """Asked to look no further than that, a lattice has its best place there."""
    a, b, _ = windows(large_frame("spots"), shift, SHAPE)
    for limit in (8, 0):
        found = register(a, b, BLOCK, BLOCK, max_shift=limit)
        assert_well_formed(found, 2)
        if found.ok:
            periods = np.linalg.solve(PERIODS.T, found.shift - shift)
            np.testing.assert_allclose(np.rint(periods) @ PERIODS + shift, found.shift, rtol=0, atol=0.8)
            assert (np.abs(found.shift) <= limit + 0.5).all()
        else:
            assert found.status in (Status.AT_LIMIT, Status.WEAK, Status.AMBIGUOUS), found


def test_the_limit_is_one_number_per_axis():
    a, b, _ = windows(large_frame("texture"), (2, 20), SHAPE)
    assert whole(register(a, b, BLOCK, BLOCK, max_shift=(2, 20))) == (2, 20)
    assert register(a, b, BLOCK, BLOCK, max_shift=(2, 20)).ok
    assert not register(a, b, BLOCK, BLOCK, max_shift=(20, 2)).ok


def test_a_wide_limit_changes_no_bit(kind):
    a, b, mask = pair(kind)
    assert bits(register(a, b, mask, mask, max_shift=1000)) == bits(register(a, b, mask, mask))


def test_too_little_overlap_is_not_searched():
    shift = (36, -36)
    a, b, _ = windows(large_frame("texture"), shift, SHAPE)
    assert whole(register(a, b)) == shift
    part = (128 - 36) * (136 - 36) / (128 * 136)
    assert register(a, b, min_overlap=0.9 * part).ok
    assert not register(a, b, min_overlap=min(1.0, 1.3 * part)).ok


def test_whole_pixels_are_whole(kind):
    a, b, mask = pair(kind)
    found, fine = register(a, b, mask, mask, subpixel=False), register(a, b, mask, mask)
    assert found.ok
    np.testing.assert_array_equal(found.shift, np.rint(found.shift))
    assert whole(found) == whole(fine) == (-3, 5)
    # a whole pixel is uncertain by the pixel
    assert (found.uncertainty >= 0.28).all()
    assert_well_formed(found, 2)


def test_zero_is_never_negative():
    frame = large_frame("rings")
    zeros = 0
    for shift in [(0, 0), (0, 5), (-5, 0)]:
        a, b, _ = windows(frame, shift, SHAPE)
        for pair_of in ((a, b), (b, a)):
            for subpixel in (False, True):
                found = register(*pair_of, subpixel=subpixel)
                assert_well_formed(found, 2)  # looks for -0.0
                zeros += np.count_nonzero(found.shift == 0)
    assert zeros >= 8


# uncertainty


@pytest.mark.parametrize("kind", ["rings", "texture"])
def test_the_uncertainty_is_that_of_repeated_frames(kind):
    scene, drift = SCENES[kind](SHAPE), (2.3, -1.6)
    z = []
    for seed in range(cases(12, 24)):
        a, b, mask = counted_pair(scene, drift, 30.0, BLOCK, 100 + seed)
        found = register(a, b, mask, mask)
        assert found.ok
        z.append((found.shift + drift) / found.uncertainty)
    # 24 values or 48: their spread is known to 14 or 10 %
    assert 0.65 < np.sqrt(np.mean(np.square(z))) < 1.4
    assert np.abs(z).max() < 5
