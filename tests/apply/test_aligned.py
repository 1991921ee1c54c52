"""The laws of moving a series: once, nothing invented, nothing lost without being told."""

from __future__ import annotations

import numpy as np
import pytest

from maskreg.apply.aligned import AlignedFrames, Moving, describe_left_out, describe_range
from maskreg.apply.write import write_aligned
from maskreg.errors import InputError
from maskreg.frames.array import ArrayFrames
from maskreg.registration import Registration, Status
from maskreg.shifts import FrameRow, ShiftTable

SHIFTS = [(0, 0), (2, -3), (0.5, -1.25), (-1.3, 0), (4, 4)]
STATUSES = [Status.REFERENCE, Status.OK, Status.OK, Status.AMBIGUOUS, Status.WEAK]


def row(frame, shift, status, metadata=None):
    shift = np.array(shift, float) if status.keeps_shift else np.full(2, np.nan)
    answer = Registration(shift, np.eye(2) * 1e-4, 1.0, 9.0, 1.0, None, status)
    return FrameRow(frame, f"frames[{frame}]", answer, metadata or {})


@pytest.fixture
def stack():
    return np.random.default_rng(2).integers(0, 60000, (5, 24, 31), dtype=np.uint16)


@pytest.fixture
def table():
    return ShiftTable(
        row(i, s, status, {"delay": i * 0.5})
        for i, (s, status) in enumerate(zip(SHIFTS, STATUSES, strict=True))
    )


@pytest.fixture
def mask():
    valid = np.ones((24, 31), bool)
    valid[10:13, :15] = False
    return valid


def aligned(stack, table, mask=None, **how):
    return AlignedFrames(ArrayFrames(stack), table, mask, Moving(**how))


def test_whole_pixel_shifts_change_no_value(stack, table):
    image, valid = aligned(stack, table)[1]
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image[2:, :-3], stack[1][:-2, 3:])
    assert valid[2:, :-3].all()
    assert not valid[:2].any()
    assert not valid[:, -3:].any()


@pytest.mark.parametrize("order", [0, 1, 3, 5])
def test_what_is_masked_never_shows(stack, table, mask, order):
    spoiled = stack.copy()
    spoiled[:, ~mask] = 65535
    for (a, valid), (b, other) in zip(
        aligned(stack, table, mask, order=order), aligned(spoiled, table, mask, order=order), strict=True
    ):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(valid, other)
        assert np.isnan(a[~valid]).all() if a.dtype.kind == "f" else (a[~valid] == 0).all()


def test_order_0_keeps_type_and_values(stack, table):
    frames = aligned(stack, table, order=0)
    assert frames.dtype == np.uint16
    for position in range(3):
        image, valid = frames[position]
        assert np.isin(image[valid], stack[position]).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32"])
def test_integers_are_rounded_and_kept_in_range(stack, table, dtype):
    exact, valid = aligned(stack, table)[2]
    image, same = aligned(stack, table, dtype=dtype, fill=7)[2]
    limits = np.iinfo(dtype)
    np.testing.assert_array_equal(valid, same)
    np.testing.assert_array_equal(image[valid], np.clip(np.rint(exact[valid]), limits.min, limits.max))
    assert (image[~valid] == 7).all()


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint32", "uint64", "int8"])
@pytest.mark.parametrize("raw", [np.float32, np.float64])
def test_what_lies_beyond_an_integer_type_is_its_limit(table, dtype, raw):
    limits = np.iinfo(dtype)
    values = np.array([-1e30, limits.min, -0.5, 1.5, limits.max, 1e30], raw)
    frames = np.tile(values, (5, 24, 5))[:, :, :24]
    image, valid = aligned(frames, table, dtype=dtype)[0]
    assert valid.all()
    expected = [limits.min, limits.min, 0, 2, limits.max, limits.max]
    np.testing.assert_array_equal(image[0, :6], np.array(expected, dtype))
    told = describe_range(np.dtype(raw), np.dtype(dtype))
    assert told.startswith(f"{dtype} holds {limits.min} to {limits.max}: ")


@pytest.mark.parametrize(
    ("dtype", "raw"), [("float16", "uint32"), ("float16", "float32"), ("float32", "float64")]
)
@pytest.mark.parametrize("order", [0, 5])
def test_what_lies_beyond_a_float_type_is_its_limit_and_not_infinite(table, dtype, raw, order):
    """Pixels above 65504 were infinite in float16, and called valid."""
    greatest = min(float(np.finfo(raw).max) if raw[0] == "f" else 2e9, 1e300)
    frames = np.full((5, 24, 24), greatest).astype(raw)
    image, valid = aligned(frames, table, dtype=dtype, order=order)[0]
    assert valid.all()
    assert (image == np.finfo(dtype).max).all()


def test_a_half_that_cannot_hold_the_counts_is_told():
    assert describe_range(np.dtype("u2"), np.dtype("f2")).startswith("float16 holds -65504 to 65504: ")
    assert describe_range(np.dtype("u1"), np.dtype("f2")) == ""


def test_a_wider_type_needs_no_warning():
    assert describe_range(np.dtype("u2"), np.dtype("i4")) == ""
    assert describe_range(np.dtype("u2"), np.dtype("f4")) == ""
    assert describe_range(np.dtype("u2"), np.dtype("i2")) != ""


def test_a_frame_of_a_wider_type_than_the_first_is_told_once(stack, table, caplog):
    """Whole pixels keep the type of the first frame: what later ones had beyond it was cut without a word."""
    frames = [(stack[0] // 256).astype("u1"), *stack[1:]]
    list(aligned(frames, table, order=5))
    assert caplog.messages == []
    list(aligned(frames, table, order=0))
    (message,) = caplog.messages
    assert message.startswith("frames[1] and perhaps others: uint8 holds 0 to 255: what the frames (uint16)")


def test_frames_that_are_not_ok_are_wholly_invalid_unless_included(stack, table):
    frames = aligned(stack, table)
    assert [valid.any() for _, valid in frames] == [True, True, True, False, False]
    assert frames.left_out() == {Status.AMBIGUOUS: 1, Status.WEAK: 1}
    included = aligned(stack, table, include=["ambiguous"])
    assert [valid.any() for _, valid in included] == [True, True, True, True, False]
    assert describe_left_out(included.left_out(), 5) == ("4 of 5 frames are used; left out are 1 weak")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"include": ["weak"]}, "include is 'weak': such frames are used anyway, or have no shift"),
        ({"include": ["week"]}, "include is 'week': there is no such status; it is one of ambiguous"),
        ({"order": 2}, "order is 2; it must be 5, 3, 1 or 0"),
        ({"dtype": "complex64"}, "dtype is complex64; aligned frames are integers or floats"),
        ({"dtype": "count"}, "dtype is 'count'; try float32 or uint16"),
        ({"dtype": "uint8", "fill": -1}, "fill is -1, which uint8 cannot hold"),
        ({"dtype": "longdouble"}, "aligned frames are integers or floats, of 64 bits at most"),
        ({"fill": 1e300}, r"fill is 1e\+300, which float32 cannot hold"),
        ({"fill": "x"}, "fill is 'x'; it must be a number, or NaN"),
    ],
)
def test_what_cannot_be_is_one_line(stack, table, how, message):
    with pytest.raises(InputError, match=message):
        aligned(stack, table, **how)


@pytest.mark.parametrize("suffix", [".zarr", ".h5", ".tif"])
def test_workers_never_change_a_byte(stack, table, mask, tmp_path, suffix):
    written = []
    for workers in (1, 3):
        folder = tmp_path / str(workers)
        folder.mkdir()
        write_aligned(aligned(stack, table, mask), folder / f"out{suffix}", workers=workers)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        written.append({path.relative_to(folder): path.read_bytes() for path in files})
    assert written[0] == written[1] != {}


def test_one_status_to_include_may_be_given_as_a_text(stack, table):
    assert aligned(stack, table, include="ambiguous")[3][1].any()
    with pytest.raises(InputError, match="include is 'weak'"):
        Moving(include="weak")


def test_a_status_is_as_good_as_its_label_and_any_whole_number_an_order(stack, table, tmp_path):
    """What is written beside the frames tells of both: a Status, or a number of NumPy's, was no JSON."""
    expected = Moving(3, include=["ambiguous", "outlier"])
    given = Moving(np.int64(3), include={Status.AMBIGUOUS, Status.OUTLIER})
    assert (given.order, sorted(given.include)) == (3, sorted(expected.include))
    assert Moving(include=Status.OUTLIER).include == ("outlier",)
    write_aligned(aligned(stack, table, order=3.0, include=[Status.AMBIGUOUS]), tmp_path / "out.h5")


def test_a_lazy_view_is_the_same(stack, table, mask):
    pytest.importorskip("dask")
    xarray = pytest.importorskip("xarray")
    from maskreg.apply.lazy import as_dask, as_xarray

    frames = aligned(stack, table, mask)
    images, valid = as_dask(frames)
    assert (images.shape, images.chunks[0]) == ((5, 24, 31), (1,) * 5)
    for position, (image, use) in enumerate(frames):
        np.testing.assert_array_equal(images[position].compute(scheduler="synchronous"), image)
        np.testing.assert_array_equal(valid[position].compute(scheduler="synchronous"), use)
    data = as_xarray(frames)
    assert isinstance(data, xarray.Dataset)
    np.testing.assert_array_equal(data.delay, [0, 0.5, 1, 1.5, 2])
    assert data.frames.dims == ("frame", "y", "x")
