"""Arguments that cannot be used: a typed error, in one line, that names the argument."""

from __future__ import annotations

import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import numpy as np
import pytest

from maskreg import Registrar, correlate, register
from maskreg.errors import InputError, InputTypeError
from maskreg.options import Options

RNG = np.random.default_rng(1)
A = RNG.poisson(20.0, (24, 26)).astype(np.uint16)
B = RNG.poisson(20.0, (24, 26)).astype(np.uint16)
VALID = np.ones(A.shape, bool)


def refused(error, name, call):
    with pytest.raises(InputError) as caught:
        call()
    assert isinstance(caught.value, error)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


NO_IMAGES = {
    "complex": A + 1j,
    "complex without imaginary part": A.astype(np.complex64),
    "objects": A.astype(object),
    "text": A.astype(str),
    "bytes": A.astype("S5"),
    "dates": np.zeros(A.shape, "datetime64[s]"),
    "durations": np.zeros(A.shape, "timedelta64[s]"),
    "records": np.zeros(A.shape, [("x", float)]),
    "nothing": None,
    "a string": "frame.tif",
    "a dictionary": {"image": A},
}


@pytest.mark.parametrize("function", [register, correlate])
@pytest.mark.parametrize("image", NO_IMAGES.values(), ids=NO_IMAGES)
def test_what_holds_no_real_numbers_is_no_image(function, image):
    refused(InputTypeError, "reference", lambda: function(image, B))
    refused(InputTypeError, "moving", lambda: function(A, image))


def test_a_path_is_told_how_it_is_read():
    refused(InputTypeError, "open_frames", lambda: register("frame.tif", B))
    refused(InputTypeError, "load_mask", lambda: register(A, B, "mask.tif"))


def test_a_keyword_that_there_is_not_is_one_of_the_function_called():
    with pytest.raises(TypeError, match=r"^register\(\) got an unexpected keyword argument 'mask'"):
        register(A, B, mask=VALID)


NO_SHAPES = {
    "a number": 3.0,
    "0-d": np.array(3.0),
    "no pixels": np.zeros((0, 5)),
    "an empty list": [],
    "an empty volume": np.zeros((4, 0, 3)),
    "ragged lists": [[1, 2, 3], [4, 5]],
    "deeply ragged lists": [[[1, 2], [3]], [[4, 5], [6, 7]]],
}


@pytest.mark.parametrize("function", [register, correlate])
@pytest.mark.parametrize("image", NO_SHAPES.values(), ids=NO_SHAPES)
def test_what_has_no_pixels_or_no_shape_is_no_image(function, image):
    refused(InputError, "reference", lambda: function(image, B))
    refused(InputError, "moving", lambda: function(A, image))


@pytest.mark.parametrize("function", [register, correlate])
@pytest.mark.parametrize(("p", "q"), [((9, 9), (9,)), ((9,), (3, 3)), ((4, 4, 4), (8, 8)), ((5, 1), (5,))])
def test_the_images_have_the_same_number_of_axes(function, p, q):
    refused(InputError, "reference", lambda: function(np.ones(p), np.ones(q)))
    refused(InputError, "moving", lambda: function(np.ones(p), np.ones(q)))


NO_MASKS = {
    "another shape": (VALID[1:], InputError),
    "transposed": (VALID.T, InputError),
    "a row": (VALID[0], InputError),
    "a truth value": (True, InputError),
    "empty": (np.zeros((0, 26), bool), InputError),
    "floats": (VALID.astype(float), InputTypeError),
    "complex": (VALID.astype(complex), InputTypeError),
    "text": ("block.tif", InputTypeError),
    "objects": (VALID.astype(object), InputTypeError),
    "ragged lists": ([[True, False], [True]], InputError),
}


@pytest.mark.parametrize("mask", NO_MASKS)
def test_a_mask_holds_truth_values_in_its_images_shape(mask):
    value, error = NO_MASKS[mask]
    for function in (register, correlate):
        refused(error, "reference_mask", lambda f=function: f(A, B, value, VALID))
        refused(error, "reference_mask", lambda f=function: f(A, B, value))
        refused(error, "moving_mask", lambda f=function: f(A, B, VALID, value))
        refused(error, "moving_mask", lambda f=function: f(A, B, moving_mask=value))
    refused(error, "reference_mask", lambda: Registrar(A, value))
    refused(error, "moving_mask", lambda: Registrar(A)(B, value))


@pytest.mark.parametrize("mask", NO_MASKS)
def test_a_static_mask_is_a_mask(mask):
    value, _ = NO_MASKS[mask]
    # frames may have another shape than the reference, so a mask's shape is known wrong only beside one
    refused(InputError, "moving_mask", lambda: Registrar(A, VALID, value)(B))


NO_LIMITS = {
    "negative": -1,
    "slightly negative": -1e-9,
    "negative along one axis": (3, -2),
    "NaN": np.nan,
    "NaN along one axis": (3, np.nan),
    "infinite": np.inf,
    "text": "8",
    "a word": "all",
    "complex": 3j,
    "too few": (3,),
    "too many": (3, 3, 3),
    "none at all": (),
    "nested": [[1, 2], [3, 4]],
    "nothing along one axis": (3, None),
    "an object": object(),
}


@pytest.mark.parametrize("limit", NO_LIMITS.values(), ids=NO_LIMITS)
def test_max_shift_is_pixels_zero_or_more(limit):
    refused(InputError, "max_shift", lambda: register(A, B, max_shift=limit))
    refused(InputError, "max_shift", lambda: Registrar(A, max_shift=limit))
    refused(InputError, "max_shift", lambda: correlate(A, B, max_shift=limit))


@pytest.mark.parametrize(
    "limit", [3, 3.0, np.float32(3), np.int8(3), np.array(3), (3, 3), [3, 3], np.array([3, 3])], ids=repr
)
def test_max_shift_is_any_kind_of_number_or_one_per_axis(limit):
    expected = register(A, A, max_shift=3)
    assert register(A, A, max_shift=limit).status == expected.status
    np.testing.assert_array_equal(register(A, A, max_shift=limit).shift, expected.shift)
    assert correlate(A, B, max_shift=limit).ncc.shape == (7, 7)


@pytest.mark.parametrize("value", [0, -0.1, 1.0001, 50, np.nan, np.inf, "half", 1j, [0.5], object()])
def test_min_overlap_is_a_fraction(value):
    refused(InputError, "min_overlap", lambda: register(A, B, min_overlap=value))
    refused(InputError, "min_overlap", lambda: Registrar(A, min_overlap=value))


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("gain", [0, -2, np.nan, np.inf, "high", 1j, 1e-300, 1e300]),
        ("offset", [np.nan, -np.inf, "dark", 1j, [1, 2], 1e300, -1e300]),
        ("read_noise", [-1, np.nan, np.inf, "low", 1j, 1e8]),
        ("smoothing", [0, -1.0, np.nan, np.inf, "automatic", "", None, 1j]),
        ("exact", ["no", "", None, 2, np.array([True, False])]),
        ("subpixel", ["no", "False", None, 2]),
    ],
)
def test_the_other_options_make_sense(option, values):
    for value in values:
        refused(InputError, option, lambda value=value: register(A, B, **{option: value}))


def test_options_hold_plain_values_as_a_record_can():
    """A run with a gain of NumPy's float32 ended in "not JSON serializable"."""
    given = Options(np.int64(20), np.float32(0.5), np.True_, 1, Decimal("2.0"), np.float32(8), np.int16(1), 3)
    values = list(vars(given).values())
    assert values == [20, 0.5, True, True, 2, 8, 1, 3]
    assert {type(value) for value in values} == {bool, float}


def test_an_option_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match="overlap_ratio"):
        register(A, B, overlap_ratio=0.3)


@pytest.mark.parametrize("axes", [(), (2,), (-3,), (0, 0), (0, -2), ("row",), "01x", object(), (0.5,)])
def test_axes_name_each_axis_at_most_once(axes):
    refused(InputError, "axes", lambda: correlate(A, B, axes=axes))


def test_the_batch_has_the_same_shape_in_both_images():
    refused(InputError, "axes", lambda: correlate(np.ones((3, 8, 8)), np.ones((4, 8, 8)), axes=(1, 2)))


def test_a_frame_of_another_shape_than_its_static_mask_is_refused():
    registrar = Registrar(A, VALID, VALID)
    refused(InputError, "moving", lambda: registrar(B[:-1]))
    # and the next one is not the worse for it
    assert registrar(A).status == register(A, A, VALID, VALID).status


def test_a_pool_of_processes_is_told_to_be_one_of_threads():
    registrar = Registrar(A)
    with pytest.raises(TypeError, match="a Registrar is not pickled; use threads"):
        pickle.dumps(registrar)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(registrar, [A, B]))
    assert [answer.status for answer in answers] == [registrar(A).status, registrar(B).status]


RGB = np.stack([A, A // 2, A // 3], axis=-1)
RGBA = np.stack([A, A // 2, A // 3, np.full_like(A, 255)], axis=-1) / 255.0
COLOUR = r"reference has shape \(24, 26, [34]\) and is taken for a volume; is it a picture in colour\?"


@pytest.mark.parametrize("picture", [RGB, RGBA], ids=["RGB", "RGBA"])
def test_a_picture_in_colour_is_not_taken_for_a_volume_in_silence(picture, caplog):
    for function in (register, correlate):
        caplog.clear()
        function(picture, picture)
        (said,) = [message for message in caplog.messages if "colour" in message]
        assert re.match(COLOUR, said)
        assert "reference[..., 1]" in said
    caplog.clear()
    registrar = Registrar(picture)
    registrar(picture)
    registrar(picture)
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("shape", [(3, 24, 26), (24, 26, 2), (24, 26, 5), (24, 12, 3), (24, 26)])
def test_other_thin_volumes_are_taken_as_they_are(shape, caplog):
    Registrar(RNG.poisson(20.0, shape))
    correlate(RNG.poisson(20.0, shape), RNG.poisson(20.0, shape))
    assert caplog.messages == []


def test_channels_that_are_a_batch_are_no_mistake(caplog):
    correlate(RGB, RGB, axes=(0, 1))
    assert caplog.messages == []


def test_a_grey_image_and_one_in_colour_are_told_apart():
    refused(InputError, "in colour is converted to grey first", lambda: register(A, RGB))
    refused(InputError, "in colour is converted to grey first", lambda: register(RGB, A))
    refused(InputError, "is reference in colour? Then convert it", lambda: register(RGB, RGB, VALID, VALID))


@pytest.mark.parametrize("values", [(254, 255), (1, 2)])
@pytest.mark.parametrize("name", ["reference_mask", "moving_mask"])
def test_a_mask_of_numbers_that_ignores_nothing_is_doubted(name, values, caplog):
    image = np.random.default_rng(0).poisson(50, (64, 64))
    mask = np.where(np.arange(64 * 64).reshape(64, 64) < 500, *values).astype(np.uint8)
    register(image, image, **{name: mask})
    assert f"{name} holds {values[0]} and {values[1]}, and no 0" in caplog.text


@pytest.mark.parametrize("values", [(0, 255), (1, 1)])
def test_a_mask_of_zeros_and_others_is_not(values, caplog):
    image = np.random.default_rng(0).poisson(50, (64, 64))
    mask = np.where(np.arange(64 * 64).reshape(64, 64) < 500, *values).astype(np.uint8)
    register(image, image, mask, mask)
    assert not caplog.text
