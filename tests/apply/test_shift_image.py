from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from maskreg import shift_image
from maskreg.errors import InputError, InputTypeError
from maskreg.masks import MaskEditor

NAN = float("nan")
ORDERS = (0, 1, 3, 5)
seeds = st.integers(0, 2**32 - 1)
shifts = st.tuples(st.floats(-9, 9), st.floats(-9, 9))
partly_whole = st.one_of(st.integers(-8, 8).map(float), st.floats(-9, 9))


def lagrange_support(step: float, order: int) -> range:
    """Which input pixels make up output pixel 0 of an axis shifted by `step`."""
    if order == 0:
        return range(int(np.floor(0.5 - step)), int(np.floor(0.5 - step)) + 1)
    if abs(step - round(step)) <= np.finfo(float).eps:
        return range(-round(step), 1 - round(step))
    base = int(np.floor(-step))
    return range(base - order // 2, base + order // 2 + 2)


@settings(derandomize=True, deadline=None)
@given(seeds, st.tuples(partly_whole, partly_whole), st.sampled_from(ORDERS))
def test_valid_is_what_is_made_of_valid_pixels_only(seed: int, shift: tuple, order: int) -> None:
    rng = np.random.default_rng(seed)
    image, mask = rng.random((15, 17)), rng.random((15, 17)) > 0.05
    expected = np.zeros_like(mask)
    supports = [lagrange_support(step, order) for step in shift]
    for place in np.ndindex(mask.shape):
        pixels = [(place[0] + r, place[1] + c) for r, c in product(*supports)]
        inside = all(0 <= r < 15 and 0 <= c < 17 for r, c in pixels)
        expected[place] = inside and all(mask[pixel] for pixel in pixels)
    moved, valid = shift_image(image, shift, mask, order=order)
    np.testing.assert_array_equal(valid, expected)
    assert np.isnan(moved[~valid]).all()
    assert np.isfinite(moved[valid]).all()


@settings(derandomize=True, deadline=None)
@given(seeds, shifts, st.sampled_from(["f4", "f8", "u2", "i4"]), st.sampled_from(ORDERS))
def test_not_a_bit_of_what_is_masked_gets_out(seed: int, shift: tuple, dtype: str, order: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 1000, (24, 25)).astype(dtype)
    mask = rng.random(image.shape) > 0.01
    spoiled = np.where(mask, image, np.nan if dtype[0] == "f" else np.iinfo(dtype).max).astype(dtype)
    first, first_valid = shift_image(image, shift, mask, order=order)
    second, second_valid = shift_image(spoiled, shift, mask, order=order)
    assert first.tobytes() == second.tobytes()
    np.testing.assert_array_equal(first_valid, second_valid)


@settings(derandomize=True, deadline=None)
@given(seeds, shifts, st.sampled_from([1, 3, 5]))
def test_polynomials_up_to_the_order_are_moved_exactly(seed: int, shift: tuple, order: int) -> None:
    factors = np.random.default_rng(seed).normal(size=(order + 1, order + 1))
    rows, cols = np.mgrid[:22, :23] / 10
    image = np.polynomial.polynomial.polyval2d(rows, cols, factors)
    expected = np.polynomial.polynomial.polyval2d(rows - shift[0] / 10, cols - shift[1] / 10, factors)
    moved, valid = shift_image(image, shift, order=order)
    assert valid.any()
    np.testing.assert_allclose(moved[valid], expected[valid], atol=1e-9 * np.abs(image).max())


@settings(derandomize=True, deadline=None)
@given(seeds, st.integers(-6, 6), st.floats(-6, 6), st.sampled_from(ORDERS))
def test_a_whole_shift_along_an_axis_does_not_interpolate_along_it(
    seed: int, whole: int, step: float, order: int
) -> None:
    image = np.random.default_rng(seed).normal(size=(14, 15))
    both, both_valid = shift_image(image, (whole, step), order=order)
    along, along_valid = shift_image(image, (0, step), order=order)
    expected = np.full_like(along, np.nan)
    kept = slice(max(0, whole), 14 + min(0, whole))
    taken = slice(max(0, -whole), 14 - max(0, whole))
    expected[kept] = along[taken]
    np.testing.assert_array_equal(both, expected)
    np.testing.assert_array_equal(both_valid[kept], along_valid[taken])


@pytest.mark.parametrize("shift", [(3, -2), (-4, 5), (0, 0)])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u4", "i8", "f2", "f4", "f8", ">u2", "?"])
def test_a_whole_shift_has_scipys_sign_and_keeps_type_and_values(shift: tuple, dtype: str) -> None:
    image = np.random.default_rng(0).integers(0, 2 if dtype == "?" else 100, (12, 13)).astype(dtype)
    moved, valid = shift_image(image, shift, fill=0)
    native = image.astype(image.dtype.newbyteorder("="))
    expected = ndimage.shift(native.astype("f8"), shift, order=0, cval=0).astype(native.dtype)
    assert moved.dtype == native.dtype
    assert moved.dtype.isnative
    np.testing.assert_array_equal(moved, expected)
    inside = ndimage.shift(np.ones(image.shape), shift, order=0, cval=0) > 0
    np.testing.assert_array_equal(valid, inside)


def test_a_smooth_image_moves_as_scipys_splines_move_it() -> None:
    rows, cols = np.mgrid[:40, :41]
    image = np.exp(-((rows - 18) ** 2 + (cols - 20) ** 2) / 50)
    moved, valid = shift_image(image, (2.3, -4.7))
    expected = ndimage.shift(image, (2.3, -4.7), order=5)
    np.testing.assert_allclose(moved[valid], expected[valid], atol=3e-5)


@pytest.mark.parametrize(
    ("dtype", "shift", "fill", "expected"),
    [
        ("u2", (1, 2), 0, "u2"),
        ("u2", (1, 2), 65535, "u2"),
        ("u2", (1, 2), 65536, "f4"),
        ("u2", (1, 2), -1, "f4"),
        ("u2", (1, 2), 0.5, "f4"),
        ("u2", (1, 2), NAN, "f4"),
        ("i4", (1, 2), NAN, "f8"),
        ("u2", (1, 2.5), 0, "f4"),
        ("i4", (1, 2.5), 0, "f8"),
        ("u1", (0.5, 0.5), 0, "f4"),
        ("f2", (1, 2), NAN, "f2"),
        ("f2", (1, 2.5), NAN, "f4"),
        ("f4", (1, 2.5), NAN, "f4"),
        ("f8", (1, 2.5), NAN, "f8"),
        ("?", (1, 2), 1, "?"),
        ("?", (1, 2), 2, "f4"),
        ("?", (1, 2.5), 0, "f4"),
    ],
)
def test_the_type_of_the_result(dtype: str, shift: tuple, fill: float, expected: str) -> None:
    moved, valid = shift_image(np.ones((9, 10), dtype), shift, fill=fill)
    assert moved.dtype == np.dtype(expected)
    np.testing.assert_array_equal(moved[~valid], np.full((~valid).sum(), fill, moved.dtype))
    np.testing.assert_allclose(moved[valid], 1, rtol=1e-6)


def test_order_0_takes_the_nearest_pixel_and_keeps_the_type() -> None:
    image = np.arange(20, dtype="u2").reshape(4, 5)
    moved, _ = shift_image(image, (0.4, -1.3), fill=0, order=0)
    assert moved.dtype == np.uint16
    np.testing.assert_array_equal(moved, shift_image(image, (0, -1), fill=0)[0])


@pytest.mark.parametrize("ndim", [1, 2, 3, 4])
def test_any_number_of_axes(ndim: int) -> None:
    rng = np.random.default_rng(ndim)
    shift = rng.uniform(-1, 1, ndim)
    places = np.indices((9,) * ndim)
    factors = rng.normal(size=ndim)
    image = np.tensordot(factors, places, 1)
    moved, valid = shift_image(image, shift)
    assert valid.sum() >= 3**ndim
    np.testing.assert_allclose(moved[valid], (image - factors @ shift)[valid], atol=1e-10)


def test_masked_arrays_have_the_other_polarity() -> None:
    image = np.arange(30.0).reshape(5, 6)
    mask = image % 7 != 0
    expected = shift_image(image, (1, 0.5), mask)
    given = shift_image(np.ma.MaskedArray(image, mask=~mask), (1, 0.5))
    np.testing.assert_array_equal(given[0], expected[0])
    np.testing.assert_array_equal(given[1], expected[1])
    assert not isinstance(given[0], np.ma.MaskedArray)


def test_both_masks_of_a_masked_array_count() -> None:
    image = np.ma.MaskedArray(np.ones((3, 3)), mask=np.eye(3, dtype=bool))
    _, valid = shift_image(image, (0, 0), np.arange(9).reshape(3, 3) != 1)
    np.testing.assert_array_equal(valid, [[0, 0, 1], [1, 0, 1], [1, 1, 0]])


def test_a_mask_of_floats_is_refused_for_nan_would_be_valid() -> None:
    mask = np.where(np.eye(3), NAN, 1.0)
    for take in (lambda: shift_image(np.ones((3, 3)), (0, 0), mask), lambda: MaskEditor((3, 3), mask)):
        with pytest.raises(InputTypeError, match=r"mask has dtype float64; .* try mask > 0"):
            take()


@pytest.mark.parametrize("bad", [NAN, np.inf, -np.inf])
def test_what_is_not_finite_is_invalid(bad: float) -> None:
    image = np.ones((12, 12))
    image[6, 6] = bad
    moved, valid = shift_image(image, (0, 0))
    assert (~valid).sum() == 1
    moved, valid = shift_image(image, (0.5, 0))
    assert not valid[4:10, 6].any()
    np.testing.assert_allclose(moved[valid], 1)


@pytest.mark.parametrize("shift", [(100, 0), (0, -7.5), (1e12, 0.5), (-1e300, 1e300)])
def test_moved_out_of_sight_nothing_is_valid(shift: tuple) -> None:
    moved, valid = shift_image(np.ones((6, 7)), shift)
    assert not valid.any()
    assert np.isnan(moved).all()


@pytest.mark.parametrize("tiny", [1e-17, -1e-17, 1e-300, -1e-300])
def test_a_shift_that_rounding_makes_whole_is_whole(tiny: float) -> None:
    image = np.random.default_rng(0).normal(size=(5, 6))
    moved, valid = shift_image(image, (tiny, 0))
    assert valid.all()
    np.testing.assert_array_equal(moved, image)


def test_there_and_back_again_gives_a_smooth_image_again() -> None:
    rows, cols = np.mgrid[:50, :50]
    image = 1000 + 100 * np.cos(rows / 5) * np.sin(cols / 6)
    away, valid = shift_image(image, (1.37, -2.61))
    back, valid = shift_image(away, (-1.37, 2.61), valid)
    assert valid.sum() > 1500
    np.testing.assert_allclose(back[valid], image[valid], atol=1e-3)


def test_the_input_is_not_changed_and_not_shared() -> None:
    image = np.ones((5, 6))
    mask = np.ones((5, 6), bool)
    mask[2, 2] = False
    moved, valid = shift_image(image, (0, 0), mask, fill=-1)
    moved[:], valid[:] = 7, False
    assert (image == 1).all()
    assert mask.sum() == 29


@pytest.mark.parametrize(
    ("arguments", "options", "why"),
    [
        (((1, 2, 3),), {}, "shift has 3 numbers .*, the image has 2 axes"),
        ((1,), {}, "shift has 1 numbers"),
        (((NAN, 0),), {}, "shift is .*nan.*; a frame without an answer cannot be moved"),
        (((0, np.inf),), {}, "shift is .*inf"),
        ((("a", "b"),), {}, "shift is .*one number per axis"),
        ((np.zeros((300, 4)),), {}, r"shift is an array of shape \(4,\); it must be one number per axis"),
        (((0, 0), np.ones((3, 3), bool)), {}, r"mask has shape \(3, 3\), the image has \(5, 6\)"),
        (((0, 0),), {"order": 2}, "order is 2; it must be 5, 3, 1 or 0"),
        (((0, 0),), {"fill": "black"}, "fill is 'black'; it must be a number"),
    ],
)
def test_what_cannot_be_used_is_named(arguments: tuple, options: dict, why: str) -> None:
    with pytest.raises(InputError, match=why):
        shift_image(np.ones((5, 6)), *arguments, **options)


def test_all_channels_of_a_picture_are_moved_by_a_zero_more() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (12, 14, 3), dtype=np.uint8)
    with pytest.raises(InputError, match="give one per axis: a 0 behind them for colours, before them for a"):
        shift_image(picture, (1.5, 2.5))
    moved, valid = shift_image(picture, (1.5, 2.5, 0))
    for channel in range(3):
        one, here = shift_image(picture[..., channel], (1.5, 2.5))
        np.testing.assert_array_equal(moved[..., channel], one)
        np.testing.assert_array_equal(valid[..., channel], here)


def test_a_fill_too_large_for_the_result_is_named() -> None:
    with pytest.raises(InputError, match=r"fill is 1e\+300, which is too large for float32"):
        shift_image(np.ones((5, 6), "f4"), (0.5, 0), fill=1e300)


@pytest.mark.parametrize("image", [np.ones((3, 3), complex), np.array([["a"]]), np.array([[None]])])
def test_only_real_numbers_are_moved(image: np.ndarray) -> None:
    with pytest.raises(InputTypeError, match=r"image holds .*; it must hold real numbers"):
        shift_image(image, (0, 0))


def test_an_order_is_any_whole_number() -> None:
    image = np.arange(100.0).reshape(10, 10)
    expected, valid = shift_image(image, (0.5, 1), order=3)
    moved, same = shift_image(image, (0.5, 1), order=3.0)
    np.testing.assert_array_equal(moved, expected)
    np.testing.assert_array_equal(same, valid)
