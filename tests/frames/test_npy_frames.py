from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from frame_source_contract import FrameSourceContract, some_frames
from numpy.typing import NDArray

from maskreg.errors import FrameError
from maskreg.frames import FrameSource, open_frames

FRAMES = some_frames(10, 32, 48)


class TestNpyStack(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        np.save(folder / "frames.npy", frames)
        return open_frames(folder / "frames.npy")


class TestBigEndianNpy(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        np.save(folder / "frames.npy", frames.astype(frames.dtype.newbyteorder(">")))
        return open_frames(folder / "frames.npy")


class TestFortranNpy(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        np.save(folder / "frames.npy", np.asfortranarray(frames))
        return open_frames(folder / "frames.npy")


class TestNpyVersion2(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        with (folder / "frames.npy").open("wb") as file:
            np.lib.format.write_array(file, frames, version=(2, 0))
        return open_frames(folder / "frames.npy")


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_2d_array_is_one_frame_without_an_index(tmp_path: Path, order: str) -> None:
    np.save(tmp_path / "f.npy", np.array(FRAMES[0], order=order))
    source = open_frames(tmp_path / "f.npy")
    assert (len(source), source.name(0)) == (1, "f.npy")
    np.testing.assert_array_equal(source.read(0), FRAMES[0])


def test_booleans_are_numbers(tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", FRAMES > 30000)
    source = open_frames(tmp_path / "f.npy")
    assert source.dtype == np.uint8
    np.testing.assert_array_equal(source.read(2), FRAMES[2] > 30000)


def test_frames_before_the_cut_are_read(tmp_path: Path) -> None:
    path = tmp_path / "f.npy"
    np.save(path, FRAMES)
    path.write_bytes(path.read_bytes()[: -FRAMES[0].nbytes * 7 // 2])
    source = open_frames(path)
    assert len(source) == 10
    for index in range(6):
        np.testing.assert_array_equal(source.read(index), FRAMES[index])
    for index in range(6, 10):
        with pytest.raises(FrameError, match=rf"f\.npy\[{index}\]: cannot be read: the file is cut short"):
            source.read(index)


def test_of_a_cut_fortran_stack_the_complete_frames_are_read(tmp_path: Path) -> None:
    path = tmp_path / "f.npy"
    np.save(path, np.asfortranarray(FRAMES))
    path.write_bytes(path.read_bytes()[: -3 * FRAMES.itemsize])
    source = open_frames(path)
    for index in range(7):
        np.testing.assert_array_equal(source.read(index), FRAMES[index])
    for index in range(7, 10):
        with pytest.raises(FrameError, match="cut short"):
            source.read(index)


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.zeros(5), r"shape is \(5,\)"),
        (np.zeros((2, 30, 40, 3)), r"shape is \(2, 30, 40, 3\); .*convert colours to grey"),
        (np.zeros((0, 3, 4)), r"shape is \(0, 3, 4\)"),
        (np.zeros((2, 3, 4), complex), "complex128"),
        (np.zeros((2, 3), [("a", int)]), "real numbers"),
        (np.array([["text"]]), "real numbers"),
        (np.array([[None]]), "Python objects"),
    ],
)
def test_what_holds_no_images_is_named(tmp_path: Path, array: NDArray, why: str) -> None:
    np.save(tmp_path / "f.npy", array)
    with pytest.raises(FrameError, match=rf"f\.npy.*{why}"):
        open_frames(tmp_path / "f.npy")


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\x10\x00{'descr': 'rubbish'", b"\x93NUMPY\x09\x00"]
)
def test_what_is_no_npy_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f.npy").write_bytes(content)
    with pytest.raises(FrameError, match=r"^f\.npy: is no readable NPY file: "):
        open_frames(tmp_path / "f.npy")


def test_absurd_sizes_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "f.npy").open("wb") as file:
        header = {"descr": "<u2", "fortran_order": False, "shape": (10**6, 10**6, 10**6)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(FrameError, match="its header claims 2e\\+18 bytes"):
        open_frames(tmp_path / "f.npy")


@pytest.mark.parametrize("order", ["C", "F"])
def test_leading_axes_are_counted_in_c_order(tmp_path: Path, order: str) -> None:
    np.save(tmp_path / "f.npy", np.array(FRAMES.reshape(2, 5, 32, 48), order=order))
    source = open_frames(tmp_path / "f.npy")
    assert (len(source), source.name(7)) == (10, "f.npy[7]")
    for index, frame in enumerate(FRAMES):
        np.testing.assert_array_equal(source.read(index), frame)
