"""What every source of frames must do: subclass, implement `store`, and pytest does the rest."""

from __future__ import annotations

import hashlib
import os
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from maskreg.errors import InputError, InputTypeError
from maskreg.frames import FrameSource
from maskreg.frames.seen import ensure_files


def some_frames(count: int, rows: int, cols: int, dtype: str = "u2", seed: int = 0) -> NDArray:
    """Frames that all differ, with values over most of what `dtype` holds."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, rows, cols))
    if np.dtype(dtype).kind == "f":
        return values.astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, (count, rows, cols), dtype=dtype, endpoint=True)


class FrameSourceContract:
    dtypes: tuple[str, ...] = ("u1", "u2", "i2", "i4", "f4", "f8")
    """What the format can hold; the last is taken for the test of memory."""

    why_it_reads_more: str = ""
    """Why the library behind the format reads more than the frame asked for."""

    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        """Put (count, rows, cols) `frames` where the source reads them from, and open it."""
        raise NotImplementedError

    @pytest.fixture
    def frames(self) -> NDArray:
        return some_frames(12, 17, 23)

    @pytest.fixture
    def source(self, tmp_path: Path, frames: NDArray) -> FrameSource:
        return self.store(tmp_path, frames)

    def test_says_what_it_holds(self, source: FrameSource, frames: NDArray) -> None:
        assert (len(source), source.shape, source.dtype) == (12, (17, 23), np.dtype("u2"))
        assert source.nbytes == frames.nbytes
        assert "12 frames of 17 x 23 px, uint16, 9.38 kB" in source.describe()

    def test_reads_every_frame_in_every_type(self, tmp_path: Path) -> None:
        for dtype in self.dtypes:
            folder = tmp_path / dtype
            folder.mkdir()
            frames = some_frames(4, 5, 7, dtype)
            source = self.store(folder, frames)
            for index, frame in enumerate(frames):
                read = source.read(index)
                assert read.dtype == np.dtype(dtype) == source.dtype
                assert read.dtype.isnative
                assert read.flags.c_contiguous
                np.testing.assert_array_equal(read, frame)

    def test_reads_in_any_order_and_again(self, source: FrameSource, frames: NDArray) -> None:
        for index in (11, 0, 5, 5, 10):
            np.testing.assert_array_equal(source.read(index), frames[index])

    def test_frames_that_are_foreseen_are_read_as_others(self, source: FrameSource, frames: NDArray) -> None:
        for index in (0, 11, 5):
            source.soon(index)
        for index in (0, 11, 5):
            np.testing.assert_array_equal(source.read(index), frames[index])

    def test_takes_numpy_integers_as_index(self, source: FrameSource, frames: NDArray) -> None:
        np.testing.assert_array_equal(source.read(np.int64(3)), frames[3])

    @pytest.mark.parametrize("index", [-1, 12, 10**9])
    def test_an_index_outside_is_named(self, source: FrameSource, index: int) -> None:
        with pytest.raises(InputError, match=rf"index is {index}; the series has the frames 0 to 11"):
            source.read(index)

    def test_is_a_sequence_of_what_it_reads(self, source: FrameSource, frames: NDArray) -> None:
        for index in (0, 11, -1, -12, np.int64(4)):
            np.testing.assert_array_equal(source[index], frames[index])
        for read, frame in zip(source, frames, strict=True):
            np.testing.assert_array_equal(read, frame)
        for index in (12, -13):
            with pytest.raises(IndexError, match=f"index is {index}; the series has the frames 0 to 11"):
                source[index]
        with pytest.raises(InputTypeError, match="index is of type tuple; give a whole number or a slice"):
            source[1, 2]

    @pytest.mark.parametrize("which", [np.s_[2:9:3], np.s_[::-1], np.s_[-2:], np.s_[:100]])
    def test_a_slice_is_a_series_of_frames_with_their_names(self, source, frames, which) -> None:
        part, numbers = source[which], range(12)[which]
        assert [part.name(index) for index in range(len(part))] == [source.name(index) for index in numbers]
        assert (part.shape, part.dtype, part.root) == (source.shape, source.dtype, source.root)
        for index, number in enumerate(numbers):
            np.testing.assert_array_equal(part.read(index), frames[number])
            assert part.metadata(index) == source.metadata(number)
        np.testing.assert_array_equal(part[1:][-1], part[-1])
        with pytest.raises(InputError, match="no frame is taken of 12"):
            source[5:5]

    def test_names_tell_the_frames_apart_and_hold_no_machine_path(
        self, source: FrameSource, tmp_path: Path
    ) -> None:
        names = [source.name(index) for index in range(len(source))]
        assert len(set(names)) == 12
        assert not any(name.startswith("/") or tmp_path.name in name for name in names)

    def test_many_threads_read_the_same(self, source: FrameSource, frames: NDArray) -> None:
        order = np.random.default_rng(1).permutation(np.repeat(np.arange(12), 10))
        with ThreadPoolExecutor(8) as pool:
            for index, read in zip(order, pool.map(source.read, order), strict=True):
                np.testing.assert_array_equal(read, frames[index])

    def test_another_process_reads_the_same(self, source: FrameSource, frames: NDArray) -> None:
        if source.folder is None:
            with pytest.raises(InputError, match="are arrays in this process"):
                ensure_files(source)
            return
        sent = pickle.loads(pickle.dumps(source))
        np.testing.assert_array_equal(sent.read(7), frames[7])
        assert sent.name(7) == source.name(7)

    def test_only_the_frame_asked_for_is_read(self, tmp_path: Path) -> None:
        if self.why_it_reads_more:
            pytest.skip(self.why_it_reads_more)
        frames = some_frames(40, 128, 128, self.dtypes[-1])
        source = self.store(tmp_path, frames)
        source.read(0)
        tracemalloc.start()
        try:
            source.read(20)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 5 * frames[0].nbytes

    def test_its_input_is_not_changed(self, source: FrameSource, tmp_path: Path) -> None:
        before = fingerprint(tmp_path)
        for index in range(len(source)):
            source.read(index)
        source.close()
        assert fingerprint(tmp_path) == before

    def test_is_a_context_manager(self, source: FrameSource, frames: NDArray) -> None:
        with source as opened:
            np.testing.assert_array_equal(opened.read(1), frames[1])

    def test_metadata_is_a_dictionary_per_frame(self, source: FrameSource) -> None:
        assert [source.metadata(index) for index in range(len(source))] == [{}] * 12


def fingerprint(folder: Path) -> dict[str, tuple[str, int]]:
    """Hash and time of last change of every file below `folder`."""
    return {
        os.fspath(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
