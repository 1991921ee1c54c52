"""The Fourier path against the oracle: every lag, awkward sizes, every dtype, hostile images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.core.oracle_law import TOLERANCE, assert_follows_the_oracle

from maskreg import correlate
from maskreg.core.likelihood import FEWEST_PIXELS

INTEGERS = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"]
FLOATS = ["f2", "f4", "f8"]
DTYPES = ["?", *INTEGERS, *FLOATS]
SIZES = [1, 2, 7, 31]


def random_image(rng, shape, dtype):
    """Values over most of the range of a dtype, related enough to have a best lag."""
    if dtype == "?":
        return rng.random(shape) < 0.4
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return rng.normal(3.0, 2.0, shape).astype(kind)
    limits = np.iinfo(kind)
    # as floats: the limits of 64 bits do not fit a draw of integers of both signs
    return (rng.random(shape) * 0.9 * limits.max + 0.05 * limits.min).astype(kind)


def random_mask(rng, shape, part):
    return rng.random(shape) < part


def lags(p, q):
    return int(np.prod([i + j - 1 for i, j in zip(p, q, strict=True)]))


@st.composite
def shape_pairs(draw):
    ndim = draw(st.integers(1, 3))
    sizes = [*SIZES, 127] if ndim == 1 else SIZES
    shapes = [tuple(draw(st.sampled_from(sizes)) for _ in range(ndim)) for _ in range(2)]
    assume(lags(*shapes) <= 2000)
    return shapes


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    shape_pairs(),
    st.integers(0, 2**32 - 1),
    st.tuples(st.sampled_from(DTYPES), st.sampled_from(DTYPES)),
    st.tuples(st.sampled_from([1.0, 0.8, 0.3]), st.sampled_from([1.0, 0.8, 0.3])),
)
def test_every_lag_equals_the_definition(shapes, seed, dtypes, parts):
    rng = np.random.default_rng(seed)
    images = [random_image(rng, shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
    masks = [random_mask(rng, shape, part) for shape, part in zip(shapes, parts, strict=True)]
    # few pixels have no lag that is allowed: then only overlap and prohibition are compared
    assert_follows_the_oracle(*images, *masks, compared=0)


@pytest.mark.parametrize(
    ("reference_shape", "moving_shape"),
    [
        ((127,), (127,)),
        ((127,), (31,)),
        ((31,), (127,)),
        ((127,), (2,)),
        ((31, 31), (31, 31)),
        ((31, 7), (7, 31)),
        ((127, 7), (31, 7)),
        ((1, 127), (1, 127)),
        ((2, 31), (31, 2)),
        ((31, 1), (31, 7)),
        ((7, 7, 7), (7, 7, 7)),
        ((7, 2, 31), (2, 7, 7)),
        ((1, 7, 31), (1, 31, 7)),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_awkward_sizes_equal_the_definition(reference_shape, moving_shape, dtype):
    rng = np.random.default_rng(11)
    images = [random_image(rng, shape, dtype) for shape in (reference_shape, moving_shape)]
    greatest = np.prod([min(p, q) for p, q in zip(reference_shape, moving_shape, strict=True)])
    compared = 5 if greatest > FEWEST_PIXELS else 0
    assert_follows_the_oracle(*images, compared=compared)
    masks = [random_mask(rng, image.shape, 0.8) for image in images]
    assert_follows_the_oracle(*images, *masks, compared=compared)
    assert_follows_the_oracle(*images, masks[0], compared=compared)
    assert_follows_the_oracle(*images, None, masks[1], compared=compared)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_equals_the_definition(dtype):
    rng = np.random.default_rng(12)
    scene = random_image(rng, (24, 26), dtype)
    reference, moving = scene[:17, 3:20], scene[2:19, :16]
    masks = [random_mask(rng, image.shape, 0.9) for image in (reference, moving)]
    found = assert_follows_the_oracle(reference, moving, *masks, compared=300)
    best = np.unravel_index(np.argmax(found.likelihood), found.ncc.shape)
    assert tuple(axis[i] for axis, i in zip(found.lags, best, strict=True)) == (2, -3)
    wide = np.dtype(dtype).itemsize > (4 if np.dtype(dtype).kind == "f" else 2)
    assert found.ncc.dtype == (np.float64 if wide else np.float32)


def bits(found):
    return found.ncc.tobytes(), found.overlap.tobytes(), found.likelihood.tobytes()


@pytest.mark.parametrize("dtype", ["u2", "i4", "f2", "f4", "f8"])
def test_byte_order_memory_layout_and_permission_to_write_change_no_bit(dtype):
    rng = np.random.default_rng(13)
    image, other = (random_image(rng, (13, 16), dtype) for _ in range(2))
    mask = random_mask(rng, image.shape, 0.8)
    expected = bits(correlate(image, other, mask, mask))
    frozen = image.copy()
    frozen.flags.writeable = False
    wide = np.zeros((26, 48), image.dtype)
    wide[::2, ::3] = image
    for variant in (
        image.astype(image.dtype.newbyteorder(">")),
        image.astype(image.dtype.newbyteorder("<")),
        np.asfortranarray(image),
        image[::-1, ::-1].copy()[::-1, ::-1],
        wide[::2, ::3],
        frozen,
        image.tolist() if dtype in ("f8",) else image,
    ):
        assert bits(correlate(variant, other, mask, mask)) == expected
        assert_follows_the_oracle(other, variant, mask, mask, compared=100)


@pytest.mark.parametrize("dtype", ["u2", "f4", "f8"])
def test_a_masked_array_is_its_data_with_the_opposite_mask(dtype):
    rng = np.random.default_rng(14)
    image, other = (random_image(rng, (13, 16), dtype) for _ in range(2))
    valid, extra = random_mask(rng, image.shape, 0.8), random_mask(rng, image.shape, 0.9)
    masked = np.ma.array(image, mask=~valid)
    assert bits(correlate(masked, other)) == bits(correlate(image, other, valid))
    assert bits(correlate(other, masked)) == bits(correlate(other, image, None, valid))
    # both masks count
    assert bits(correlate(masked, other, extra)) == bits(correlate(image, other, valid & extra))
    assert bits(correlate(np.ma.array(image), other)) == bits(correlate(image, other))
    assert_follows_the_oracle(masked, other, extra, compared=100)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("garbage", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_masked_pixels(dtype, garbage):
    rng = np.random.default_rng(15)
    image, other = (random_image(rng, (13, 16), dtype) for _ in range(2))
    valid = random_mask(rng, image.shape, 0.8)
    spoiled = np.where(valid, image, garbage).astype(dtype)
    assert bits(correlate(spoiled, other)) == bits(correlate(image, other, valid))
    assert bits(correlate(other, spoiled)) == bits(correlate(other, image, None, valid))
    assert bits(correlate(other, spoiled, None, np.ones_like(valid))) == bits(
        correlate(other, image, None, valid)
    )
    assert_follows_the_oracle(spoiled, other, compared=100)


@pytest.mark.parametrize("dtype", DTYPES)
def test_masked_pixels_do_not_matter_to_the_bit(dtype):
    rng = np.random.default_rng(16)
    image, other = (random_image(rng, (13, 16), dtype) for _ in range(2))
    valid = random_mask(rng, image.shape, 0.7)
    expected = bits(correlate(image, other, valid, valid))
    worst = {"b": [True, False], "f": [np.nan, np.inf, np.finfo(dtype).max] if dtype[0] == "f" else []}
    kind = np.dtype(dtype).kind
    values = worst[kind] if kind in worst else [np.iinfo(dtype).max, np.iinfo(dtype).min]
    for value in values:
        spoiled, spoiled_other = (np.where(valid, x, value).astype(dtype) for x in (image, other))
        assert bits(correlate(spoiled, spoiled_other, valid, valid)) == expected


# images that break sums which are not centred, or trusted too far


def bright_and_flat(dtype):
    rng = np.random.default_rng(17)
    scene = 60000 + rng.integers(-5, 6, (29, 30))
    return scene[2:25, :24].astype(dtype), scene[:23, 3:27].astype(dtype)


def hot_pixel(dtype):
    rng = np.random.default_rng(18)
    scene = rng.integers(90, 111, (28, 29))
    a, b = scene[:22, 2:25].astype(dtype), scene[3:25, :23].astype(dtype)
    a[5, 7] = b[11, 3] = 60000
    return a, b


def bright_spot(dtype):
    rng = np.random.default_rng(19)
    scene = rng.integers(0, 12, (28, 29))
    scene[10:14, 12:16] = 50000
    return scene[:22, 2:25].astype(dtype), scene[3:25, :23].astype(dtype)


def half_constant(dtype):
    rng = np.random.default_rng(20)
    scene = rng.integers(0, 200, (26, 27))
    scene[:, 13:] = 77
    return scene[:21, 1:24].astype(dtype), scene[2:23, :23].astype(dtype)


def both_halves_constant(dtype):
    rng = np.random.default_rng(21)
    a, b = rng.integers(0, 200, (2, 18, 20))
    a[:9], b[9:] = 12, 250
    return a.astype(dtype), b.astype(dtype)


HOSTILE = [bright_and_flat, hot_pixel, bright_spot, half_constant, both_halves_constant]


@pytest.mark.parametrize("dtype", ["u2", "f4", "f8", "i4"])
@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
@pytest.mark.parametrize("part", [1.0, 0.85])
def test_hostile_images_equal_the_definition(make, dtype, part):
    a, b = make(dtype)
    rng = np.random.default_rng(22)
    masks = [random_mask(rng, image.shape, part) for image in (a, b)]
    assert_follows_the_oracle(a, b, *masks, compared=50)


@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_a_bright_image_of_little_contrast_finds_its_lag(dtype):
    found = correlate(*bright_and_flat(dtype))
    best = np.unravel_index(np.argmax(found.likelihood), found.ncc.shape)
    assert tuple(axis[i] for axis, i in zip(found.lags, best, strict=True)) == (-2, 3)
    assert found.ncc[best] == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("pixels", [0, 1, 10, 11, 12, 30])
def test_nearly_empty_masks_equal_the_definition(pixels):
    rng = np.random.default_rng(23)
    scene = rng.normal(size=(20, 22))
    a, b = scene[:18, :20], scene[1:19, 2:22]
    mask = np.zeros(a.shape, bool)
    mask.flat[rng.permutation(mask.size)[:pixels]] = True
    found = assert_follows_the_oracle(a, b, mask, compared=1 if pixels > 10 else 0)
    assert found.overlap.max() == pixels
    assert np.isfinite(found.ncc).any() == (pixels > 10)
    assert_follows_the_oracle(a, b, mask, mask, compared=1 if pixels > 10 else 0)


@pytest.mark.parametrize("value", [0, 1, 255])
def test_an_image_without_variance_forbids_every_lag(value):
    a, b = np.full((9, 9), value, np.uint8), np.random.default_rng(24).integers(0, 255, (9, 9), np.uint8)
    for found in (correlate(a, b), correlate(b, a), correlate(a, a), correlate(a * 0.1, b / 3)):
        assert np.isnan(found.ncc).all()
        assert np.isneginf(found.likelihood).all()
        assert found.overlap.max() == 81


# limits, axes and batches


@pytest.mark.parametrize("max_shift", [0, 1, 3.5, (2, 9), [4, 0], np.array([5.0, 6.5]), 1000, (3, 1000)])
@pytest.mark.parametrize("dtype", ["u2", "f8"])
def test_max_shift_crops_the_map_of_all_lags(max_shift, dtype):
    rng = np.random.default_rng(25)
    a, b = random_image(rng, (19, 31), dtype), random_image(rng, (23, 26), dtype)
    masks = [random_mask(rng, image.shape, 0.8) for image in (a, b)]
    full, cropped = correlate(a, b, *masks), correlate(a, b, *masks, max_shift=max_shift)
    limits = np.broadcast_to(max_shift, 2)
    inside = [np.abs(axis) <= limit for axis, limit in zip(full.lags, limits, strict=True)]
    for axis, every, keep in zip(cropped.lags, full.lags, inside, strict=True):
        np.testing.assert_array_equal(axis, every[keep])
    crop = np.ix_(*inside)
    np.testing.assert_array_equal(cropped.overlap, full.overlap[crop])
    known = np.isfinite(cropped.ncc)
    assert known.any()
    np.testing.assert_array_equal(known, np.isfinite(full.ncc[crop]))
    # the transform has another length, so rounding differs; these lags have a kappa of at most ~30
    loose = (cropped.overlap > 60) & known
    assert loose.any()
    atol = 30 * TOLERANCE[full.ncc.dtype]
    np.testing.assert_allclose(cropped.ncc[loose], full.ncc[crop][loose], rtol=0, atol=atol)


@pytest.mark.parametrize("axes", [(1, 2), (2,), [-1], (0, 2), (2, 0), (-3, 1)])
def test_a_batch_is_a_loop(axes):
    rng = np.random.default_rng(26)
    a, b = rng.normal(size=(3, 8, 21)), rng.normal(size=(3, 8, 21))
    a_mask, b_mask = rng.random(a.shape) < 0.8, rng.random(b.shape) < 0.9
    found = correlate(a, b, a_mask, b_mask, axes=axes, max_shift=9)
    chosen = sorted(axis % 3 for axis in axes)
    batch = [axis for axis in range(3) if axis not in chosen]
    compared = 0
    for index in np.ndindex(*(a.shape[axis] for axis in batch)):
        pick = tuple(index[batch.index(axis)] if axis in batch else slice(None) for axis in range(3))
        one = correlate(a[pick], b[pick], a_mask[pick], b_mask[pick], max_shift=9)
        for name in ("ncc", "overlap", "likelihood"):
            np.testing.assert_array_equal(getattr(found, name)[index], getattr(one, name))
        assert all(map(np.array_equal, found.lags, one.lags))
        compared += np.isfinite(one.ncc).sum()
    assert compared > 50


def test_only_the_correlated_axes_may_differ_in_length():
    rng = np.random.default_rng(27)
    found = correlate(rng.normal(size=(3, 9, 12)), rng.normal(size=(3, 11, 7)), axes=(1, 2))
    assert found.ncc.shape == (3, 19, 18)
    assert [axis[0] for axis in found.lags] == [-10, -6]


def test_swapping_the_images_turns_the_map_round():
    rng = np.random.default_rng(28)
    a, b = rng.normal(size=(14, 17)), rng.normal(size=(11, 19))
    masks = [random_mask(rng, image.shape, 0.8) for image in (a, b)]
    one, other = correlate(a, b, *masks), correlate(b, a, *reversed(masks))
    for axis, swapped in zip(one.lags, other.lags, strict=True):
        np.testing.assert_array_equal(axis, -swapped[::-1])
    np.testing.assert_array_equal(one.overlap, other.overlap[::-1, ::-1])
    large = one.overlap > 40
    assert large.any()
    np.testing.assert_allclose(one.ncc[large], other.ncc[::-1, ::-1][large], rtol=0, atol=1e-11)


def test_the_lags_of_a_map_are_the_shifts_that_make_the_images_meet():
    rng = np.random.default_rng(29)
    for p, q in [((7,), (3,)), ((2, 5), (6, 1)), ((1, 1, 2), (2, 3, 1))]:
        found = correlate(rng.normal(size=p), rng.normal(size=q))
        for axis, of_reference, of_moving in zip(found.lags, p, q, strict=True):
            np.testing.assert_array_equal(axis, np.arange(-(of_moving - 1), of_reference))
        assert (found.overlap > 0).all()
