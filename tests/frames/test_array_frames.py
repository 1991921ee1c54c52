from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from frame_source_contract import FrameSourceContract, some_frames
from numpy.typing import NDArray

from maskreg.errors import FrameError, FrameShapeError, InputError, InputTypeError
from maskreg.frames import FrameSource, as_source

FRAMES = some_frames(4, 6, 9)


class TestStackInMemory(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        return as_source(frames)


class TestListOfArrays(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        return as_source(list(frames))


class TestStridedBigEndian(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        doubled = np.repeat(frames, 2, axis=2).astype(frames.dtype.newbyteorder(">"))
        return as_source(doubled[..., ::2])


class TestLazyArray(FrameSourceContract):
    """An array in a file that is read where it is indexed, as of h5py, Zarr or Dask."""

    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        h5py = pytest.importorskip("h5py")
        with h5py.File(folder / "frames.h5", "w") as file:
            file["frames"] = frames
        return as_source(h5py.File(folder / "frames.h5", "r")["frames"])


class TestZarrArray(FrameSourceContract):
    """An array of Zarr 3, which has a shape and no length."""

    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        zarr = pytest.importorskip("zarr")
        return as_source(
            zarr.create_array(folder / "frames.zarr", data=frames, chunks=(1, *frames.shape[1:]))
        )


def test_nested_lists_are_frames() -> None:
    source = as_source([[[1, 2], [3, 4]], [[5, 6], [7, 8]]])
    assert (len(source), source.shape, source.name(1)) == (2, (2, 2), "frames[1]")
    np.testing.assert_array_equal(source.read(1), [[5, 6], [7, 8]])


@pytest.mark.parametrize("kind", ["stack", "list"])
def test_masked_frames_stay_masked(kind: str) -> None:
    masked = np.ma.masked_less(FRAMES.astype(">u2"), 9000)
    source = as_source(masked if kind == "stack" else list(masked))
    frame = source.read(2)
    assert isinstance(frame, np.ma.MaskedArray)
    assert frame.dtype == np.dtype("=u2")
    np.testing.assert_array_equal(frame.mask, FRAMES[2] < 9000)
    np.testing.assert_array_equal(frame.data, FRAMES[2])


def test_a_masked_frame_without_a_masked_pixel_has_a_whole_mask() -> None:
    frame = as_source([np.ma.MaskedArray(FRAMES[0])]).read(0)
    assert frame.mask.shape == FRAMES[0].shape
    assert not frame.mask.any()


def test_a_broken_frame_is_its_own_problem() -> None:
    source = as_source([None, FRAMES[0], FRAMES[1][:3], FRAMES[2] * 1j, [[1, 2], [3]]])
    assert (len(source), source.shape, source.dtype) == (5, (6, 9), np.uint16)
    np.testing.assert_array_equal(source.read(1), FRAMES[0])
    with pytest.raises(FrameError, match=r"frames\[0\]: cannot be read: its pixels are of type object"):
        source.read(0)
    with pytest.raises(FrameShapeError, match=r"frames\[2\]: shape \(3, 9\), the reference has \(6, 9\)"):
        source.read(2)
    with pytest.raises(FrameError, match=r"frames\[3\]: .*complex128"):
        source.read(3)
    with pytest.raises(FrameError, match=r"frames\[4\]: cannot be read"):
        source.read(4)


def test_when_no_frame_can_be_read_the_first_reason_is_given() -> None:
    with pytest.raises(
        FrameError, match=r"none of the 2 frames can be read; the first is frames\[0\]: .*object"
    ):
        as_source([None, "text"])
    with pytest.raises(FrameError, match=r"cannot be read: its shape is \(\); a frame has two axes$"):
        as_source([1, 2])


@pytest.mark.parametrize(
    ("frames", "error", "why"),
    [
        (FRAMES[0], InputError, r"shape \(6, 9\), which is one image; .*maskreg\.register"),
        (
            FRAMES[None],
            InputError,
            r"shape \(1, 4, 6, 9\); .*: frames\.reshape\(-1, 6, 9\); .*maskreg\.Registrar\)",
        ),
        (np.zeros((4, 6, 9, 3)), InputError, r"it takes \(frames, rows, cols\) \(convert colours to grey\)"),
        (FRAMES[:0], InputError, "frames is empty"),
        ([], InputError, "the list is empty; give at least one frame"),
        (FRAMES * 1j, InputTypeError, "frames holds complex128"),
        ((frame for frame in FRAMES), InputTypeError, "frames is of type generator; give"),
        (7, InputTypeError, "frames is of type int; give"),
        ({"a": FRAMES[0]}, InputTypeError, "frames is of type dict; give"),
    ],
)
def test_what_is_no_series_is_refused(frames: object, error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        as_source(frames)


def test_a_source_is_taken_as_it_is() -> None:
    source = as_source(FRAMES)
    assert as_source(source) is source


def test_frames_are_not_copied_without_need() -> None:
    assert np.shares_memory(as_source(FRAMES).read(1), FRAMES)


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((64, 64, 24), "the last axis that of the frames"),
        ((64, 48, 3), "one image in colour"),
        ((64, 64, 4), "one image in colour"),
        ((24, 64, 64), ""),
        ((64, 64, 64), ""),
        ((64, 64, 80), ""),
        ((1, 64, 4), ""),
    ],
)
def test_frames_or_colours_along_the_last_axis_are_suspected(shape, hint, tmp_path, caplog):
    np.save(tmp_path / "f.npy", np.zeros(shape, "u1"))
    for frames, name in ((np.zeros(shape, "u1"), "frames"), (tmp_path / "f.npy", "f.npy")):
        caplog.clear()
        as_source(frames)
        assert len(caplog.messages) == bool(hint)
        assert hint in caplog.text
        assert all(message.startswith(f"{name} has ") for message in caplog.messages)
    caplog.clear()
    as_source(list(np.zeros(shape, "u1")))
    assert caplog.messages == []
