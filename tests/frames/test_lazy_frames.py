from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
from frame_source_contract import FrameSourceContract, some_frames
from numpy.typing import NDArray

import maskreg
from maskreg.errors import FrameError, InputError
from maskreg.frames import FrameSource, as_source
from maskreg.frames.lazy import KEPT_BLOCKS

da = pytest.importorskip("dask.array", reason="dask is not installed")


class TestDask(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        return as_source(da.from_array(frames, chunks=(1, -1, -1)))


class TestDaskInUnevenBlocks(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        return as_source(da.from_array(frames, chunks=(3, 5, 7)))

    @pytest.mark.skip("a block of three frames is what is read")
    def test_only_the_frame_asked_for_is_read(self, tmp_path: Path) -> None: ...


class TestDataArray(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        xarray = pytest.importorskip("xarray", reason="xarray is not installed")
        return as_source(xarray.DataArray(frames, dims=("delay", "y", "x")))


class TestLazyDataArray(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        xarray = pytest.importorskip("xarray", reason="xarray is not installed")
        return as_source(
            xarray.DataArray(da.from_array(frames, chunks=(1, -1, -1)), dims=("delay", "y", "x"))
        )


def counted(frames: NDArray, chunks: tuple[int, int, int], computed: list[int]) -> FrameSource:
    def block(values: NDArray, block_info: dict) -> NDArray:
        computed.append(block_info[0]["chunk-location"][0])
        return values

    lazy = da.from_array(frames, chunks=chunks)
    return as_source(da.map_blocks(block, lazy, dtype=frames.dtype, meta=np.empty((0, 0, 0), frames.dtype)))


def test_a_series_read_in_order_computes_each_block_once() -> None:
    frames = some_frames(11, 6, 5)
    computed: list[int] = []
    source = counted(frames, (4, 6, 5), computed)
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(source.read(index), frame)
        assert len(source._blocks) <= KEPT_BLOCKS
    assert computed == [0, 1, 2]
    source.close()
    source.read(0)
    assert computed == [0, 1, 2, 0]


def test_a_block_that_cannot_be_computed_is_the_problem_of_its_frames() -> None:
    def broken(values: NDArray, block_info: dict) -> NDArray:
        if block_info[0]["chunk-location"][0] == 1:
            raise OSError("the disk is gone")
        return values

    frames = some_frames(4, 6, 5)
    lazy = da.map_blocks(
        broken, da.from_array(frames, chunks=(2, 6, 5)), dtype="u2", meta=np.empty((0, 0, 0), "u2")
    )
    source = as_source(lazy)
    np.testing.assert_array_equal(source.read(1), frames[1])
    with pytest.raises(FrameError, match=r"frames\[3\]: cannot be read: .*the disk is gone"):
        source.read(3)


def scan(count: int = 4) -> tuple[NDArray, NDArray]:
    rng = np.random.default_rng(4)
    whole = 200 + 400 * scipy.ndimage.gaussian_filter(rng.normal(size=(110, 120)), 2)
    drift = np.stack([np.arange(count) * 1.5, np.arange(count) * -0.75], axis=1)
    frames = [scipy.ndimage.shift(whole, step, order=3)[10:90, 10:100] for step in drift]
    return np.stack(frames), -drift


def test_lazy_series_are_aligned_as_the_same_frames_in_memory() -> None:
    frames, truth = scan()
    expected = maskreg.align(frames).shifts
    np.testing.assert_allclose(expected, truth, atol=0.05)
    lazy = da.from_array(frames, chunks=(2, 40, 45))
    np.testing.assert_array_equal(maskreg.align(lazy).shifts, expected)
    assert len(list(maskreg.align(lazy).apply())) == 4


def test_hyperspy_signals_are_frames() -> None:
    hyperspy = pytest.importorskip("hyperspy.api", reason="hyperspy is not installed")
    frames, _ = scan()
    expected = maskreg.align(frames).shifts
    signal = hyperspy.signals.Signal2D(frames)
    np.testing.assert_array_equal(maskreg.align(signal).shifts, expected)
    np.testing.assert_array_equal(maskreg.align(signal.as_lazy()).shifts, expected)
    grid = hyperspy.signals.Signal2D(frames.reshape(2, 2, *frames.shape[1:])).as_lazy()
    np.testing.assert_array_equal(maskreg.align(grid).shifts, expected)
    with pytest.raises(InputError, match="2 signal axes and 0 navigation axes"):
        maskreg.align(hyperspy.signals.Signal2D(frames[0]))
    with pytest.raises(InputError, match="1 signal axes"):
        maskreg.align(signal.as_signal1D(0))


def test_labelled_images_are_taken_and_keep_their_coordinates() -> None:
    xarray = pytest.importorskip("xarray", reason="xarray is not installed")
    frames, _ = scan()
    coords = {"delay": [0.0, 0.5, 1.0, 1.5], "y": np.arange(80) * 0.1, "x": np.arange(90) * 0.2}
    series = xarray.DataArray(
        frames, dims=("delay", "y", "x"), coords=coords, attrs={"units": "counts"}, name="scan"
    )
    answer = maskreg.register(series[0], series[2], xarray.ones_like(series[0], dtype=bool))
    np.testing.assert_array_equal(
        answer.shift, maskreg.register(frames[0], frames[2], np.ones((80, 90), bool)).shift
    )
    np.testing.assert_array_equal(maskreg.Registrar(series[0])(series[2]).shift, answer.shift)

    moved, valid = maskreg.shift_image(series[2], answer.shift)
    plain, plain_valid = maskreg.shift_image(frames[2], answer.shift)
    np.testing.assert_array_equal(moved.values, plain)
    np.testing.assert_array_equal(valid.values, plain_valid)
    assert moved.dims == valid.dims == ("y", "x")
    assert moved.attrs == {"units": "counts"}
    assert float(moved.delay) == 1.0
    np.testing.assert_array_equal(valid.x, coords["x"])

    alignment = maskreg.align(series)
    np.testing.assert_array_equal(alignment.shifts, maskreg.align(frames).shifts)
    for index, (image, mask) in enumerate(alignment.apply()):
        assert float(image.delay) == coords["delay"][index]
        np.testing.assert_array_equal(mask.y, coords["y"])


def test_chunks_of_unknown_size_are_told() -> None:
    frames, _ = scan()
    lazy = da.from_array(frames, chunks=(1, -1, -1))
    some = lazy[lazy.sum(axis=(1, 2)) > 0]
    with pytest.raises(InputError, match=r"chunks of unknown size; call frames.compute_chunk_sizes\(\)"):
        maskreg.align(some)
    assert len(maskreg.align(some.compute_chunk_sizes())) == len(frames)
