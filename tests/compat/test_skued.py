"""The look-alike of scikit-ued, by its documented behaviour."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import numpy as np
import pytest
import scipy.ndimage

from maskreg.compat import skued

SHIFTS = [(0.0, 0.0), (-4.4, 3.3), (2.7, -5.6), (6.0, 1.0)]


def scene() -> np.ndarray:
    rng = np.random.default_rng(8)
    return 300 + 60 * scipy.ndimage.gaussian_filter(rng.normal(size=(200, 200)), 2) / 0.14


def block() -> np.ndarray:
    """True = valid; a beam-block that stands still."""
    mask = np.ones((140, 140), bool)
    mask[60:80, :75] = False
    return mask


def frames(dtype: str = "f8", under_block: float = 0.0) -> list[np.ndarray]:
    """Frames that the shifts land on the first one, behind a block."""
    out = []
    for shift in SHIFTS:
        moved = scipy.ndimage.shift(scene(), np.negative(shift), order=5)[30:170, 30:170]
        out.append(np.where(block(), moved, under_block).astype(dtype))
    return out


def test_signatures_are_the_documented_ones() -> None:
    expected = {
        "align": ["image", "reference", "mask", "fill_value"],
        "ialign": ["images", "reference", "mask", "fill_value"],
        "itrack_peak": ["images", "row_slice", "col_slice", "precision"],
        "mnxc": ["arr1", "arr2", "m1", "m2", "mode", "axes", "overlap_ratio"],
        "masked_register_translation": [
            "src_image", "target_image", "src_mask", "target_mask", "overlap_ratio",
        ],
    }  # fmt: skip
    assert {name: list(inspect.signature(getattr(skued, name)).parameters) for name in expected} == expected
    assert inspect.signature(skued.align).parameters["fill_value"].default == 0.0
    assert inspect.signature(skued.itrack_peak).parameters["precision"].default == 0.1


@pytest.mark.parametrize("under_block", [0.0, float("nan")])
def test_align_is_sub_pixel_and_lets_no_block_into_valid_pixels(under_block: float) -> None:
    first, *rest = frames(under_block=under_block)
    whole = scene()[30:170, 30:170]
    for image in rest:
        aligned = skued.align(image, first, block(), fill_value=-1.0)
        filled = aligned == -1
        assert 0.08 < filled.mean() < 0.3
        assert np.abs(aligned - whole)[~filled].max() < 1.0  # of a contrast of 60


def test_the_stream_is_taken_one_at_a_time_and_the_first_is_the_reference() -> None:
    taken = []

    def stream() -> Iterator[np.ndarray]:
        for index, frame in enumerate(frames()):
            taken.append(index)
            yield frame

    aligned = skued.ialign(stream(), mask=block(), fill_value=np.nan)
    assert taken == []
    np.testing.assert_array_equal(next(aligned), frames()[0])
    assert taken == [0]
    next(aligned)
    assert taken == [0, 1]
    assert len(list(aligned)) == 2
    assert list(skued.ialign(iter([]))) == []


def test_a_stream_that_reuses_one_array_is_no_harm() -> None:
    buffer = np.empty((140, 140))

    def stream() -> Iterator[np.ndarray]:
        for frame in frames():
            buffer[:] = frame
            yield buffer

    for one, other in zip(
        skued.ialign(stream(), mask=block()), skued.ialign(frames(), mask=block()), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_with_a_reference_every_image_is_aligned_to_it() -> None:
    first, *rest = frames()
    streamed = list(skued.ialign(iter(rest), first, block()))
    for one, image in zip(streamed, rest, strict=True):
        np.testing.assert_array_equal(one, skued.align(image, first, block()))


@pytest.mark.parametrize(("dtype", "fill", "result"), [("u2", 7, "u2"), ("u2", -1, "f4"), ("f4", 0, "f4")])
def test_the_type_stays_where_it_can_hold_the_fill_value(dtype: str, fill: float, result: str) -> None:
    first, second, *_ = frames(dtype)
    aligned = skued.align(second, first, block(), fill)
    assert aligned.dtype == np.dtype(result)
    assert (aligned == fill).any()
    reference = scene()[30:170, 30:170]
    assert np.abs(aligned - reference)[aligned != fill].max() < 2.5


def test_an_image_of_which_no_shift_is_known_is_all_fill_value() -> None:
    first = frames()[0]
    noise = np.random.default_rng(1).normal(size=first.shape)
    with pytest.warns(
        UserWarning, match="no shift that could be trusted .* fill_value everywhere"
    ) as records:
        aligned = skued.align(noise, first, block(), 3.0)
    assert records[0].filename == __file__
    assert (aligned == 3).all()
    with pytest.warns(UserWarning, match="flat"):
        assert np.isnan(list(skued.itrack_peak([first, np.ones_like(first)]))[1]).all()


def test_a_peak_is_tracked_with_the_sign_of_what_takes_it_back() -> None:
    rng = np.random.default_rng(3)
    rows, cols = np.mgrid[:64, :64]
    places = [(30.0, 30.0), (32.3, 29.0), (27.9, 33.6)]
    images = [rng.poisson(20 + 2000 * np.exp(-((rows - r) ** 2 + (cols - c) ** 2) / 8)) for r, c in places]
    found = list(skued.itrack_peak(iter(images), slice(14, 50), slice(12, 52)))
    np.testing.assert_array_equal(found[0], [0, 0])
    np.testing.assert_allclose(found, np.array(places[0]) - places, atol=0.1)
    with pytest.raises(ValueError, match="precision is 0"):
        list(skued.itrack_peak(images, precision=0))


def test_the_removed_functions_answer() -> None:
    first, second, *_ = frames()
    shift = skued.masked_register_translation(first, second, block())
    np.testing.assert_array_equal(shift, [-4, 3])
    values = skued.mnxc(first, second)
    assert values.shape == (279, 279)
    assert skued.mnxc(first, second, block(), block(), mode="same").shape == first.shape
    at = np.unravel_index(int(skued.mnxc(first, second, block(), block()).argmax()), values.shape)
    np.testing.assert_array_equal(np.array(at) - 139, [-4, 3])


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_the_greatest_number_of_a_wide_type_stays_the_greatest(dtype: str) -> None:
    """It overflowed to the least one, since as a float it is one more than the type holds."""
    greatest = np.iinfo(dtype).max
    image = np.full((48, 48), greatest, dtype)
    image[8:30, 10:34] = np.random.default_rng(1).integers(0, 2**60, (22, 24))
    moved = skued.align(image, scipy.ndimage.shift(image.astype(float), (0.5, 0.5), order=1, cval=2.0**62))
    assert (moved[3:6, 3:40] > greatest // 2).all()
