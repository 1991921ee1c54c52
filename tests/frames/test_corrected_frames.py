"""Dark and flat, by the contract of sources and by what they mean."""

from __future__ import annotations

import numpy as np
import pytest
from frame_source_contract import FrameSourceContract, some_frames

from maskreg.errors import InputError, InputTypeError
from maskreg.frames.array import ArrayFrames
from maskreg.frames.corrected import CorrectedFrames, calibration


class TestContract(FrameSourceContract):
    """With nothing to take off and nothing to divide by, frames come as they are, in float32."""

    dtypes = ("f4",)

    def store(self, folder, frames):
        shape = frames.shape[1:]
        return CorrectedFrames(ArrayFrames(frames), calibration(np.zeros(shape), np.ones(shape), shape))

    @pytest.fixture
    def frames(self):
        return some_frames(12, 17, 23, "f4")

    def test_says_what_it_holds(self, source, frames):
        assert (len(source), source.shape, source.dtype) == (12, (17, 23), np.dtype("f4"))


@pytest.fixture
def raw():
    return np.random.default_rng(1).integers(100, 60000, (3, 8, 9), dtype=np.uint16)


def test_dark_is_taken_off_and_flat_divided_out(raw):
    rng = np.random.default_rng(2)
    dark, flat = rng.normal(90, 2, (8, 9)), rng.uniform(0.8, 1.2, (8, 9))
    frames = CorrectedFrames(ArrayFrames(raw), calibration(dark, flat, (8, 9)))
    read = frames.read(1)
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, (raw[1] - dark) / flat, rtol=1e-6)


def test_wide_counts_lose_nothing_before_the_dark_is_off():
    raw = np.full((1, 4, 4), 2**24 + 3, np.uint32)
    frames = CorrectedFrames(ArrayFrames(raw), calibration(np.full((4, 4), 2.0**24), None, (4, 4)))
    assert (frames.read(0) == 3).all()


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_what_the_flat_does_not_know_is_invalid(raw, bad):
    flat = np.ones((8, 9))
    flat[2, 3] = bad
    by = calibration(None, flat, (8, 9))
    assert np.isnan(CorrectedFrames(ArrayFrames(raw), by).read(0)[2, 3])
    expected = np.ones((8, 9), bool)
    expected[2, 3] = False
    np.testing.assert_array_equal(by.valid, expected)


def test_masked_frames_stay_masked(raw):
    masked = np.ma.array(raw, mask=raw > 30000)
    read = CorrectedFrames(ArrayFrames(masked), calibration(np.ones((8, 9)), None, (8, 9))).read(0)
    np.testing.assert_array_equal(np.ma.getmaskarray(read), raw[0] > 30000)


@pytest.mark.parametrize(
    ("dark", "flat", "error", "message"),
    [
        (np.ones((8, 8)), None, InputError, r"dark has shape \(8, 8\), the frames have \(8, 9\)"),
        (None, np.zeros((8, 9)), InputError, "flat is nowhere positive"),
        (np.ones((8, 9), complex), None, InputTypeError, "dark holds complex128"),
        (np.full((8, 9), np.nan), None, InputError, "leave no valid pixel"),
    ],
)
def test_what_is_no_calibration_is_one_line(dark, flat, error, message):
    with pytest.raises(error, match=message):
        calibration(dark, flat, (8, 9))


def test_without_either_there_is_none():
    assert calibration(None, None, (8, 9)) is None
