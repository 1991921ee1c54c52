"""Chunks of many frames are decoded once, within bounds, and give the frames that are stored."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskreg.frames import open_frames
from maskreg.frames.formats import slabs
from maskreg.frames.formats.slabs import Slabs
from maskreg.frames.navigation import Stack

SHAPE = (3, 4)


class Counted:
    """An array that counts how often each part of it is read."""

    def __init__(self, array):
        self.array, self.reads = array, 0

    def __call__(self, where):
        self.reads += 1
        return self.array[where]


@given(
    navigation=st.lists(st.integers(1, 7), max_size=3),
    chunks=st.lists(st.integers(1, 9), min_size=3, max_size=3),
    limit=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_every_frame_is_that_of_the_array(navigation, chunks, limit, seed):
    array = np.random.default_rng(seed).integers(0, 99, (*navigation, *SHAPE), dtype=np.uint8)
    stack = Stack(tuple(navigation), SHAPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slabs, "LIMIT", limit * 12)
        patch.setattr(slabs, "_kept", slabs._Kept())
        read = Slabs(stack, (*chunks[: len(navigation)], *SHAPE), 1, Counted(array))
        for index in np.random.default_rng(seed).permutation(len(stack)):
            np.testing.assert_array_equal(read.frame(int(index)), array.reshape(-1, *SHAPE)[index])
        assert sum(slab.nbytes for slab in slabs._kept._slabs.values()) <= max(limit * 12, 12)


def test_a_chunk_is_decoded_once_whatever_the_threads():
    array = np.arange(40 * 12, dtype=np.uint16).reshape(40, *SHAPE)
    counted = Counted(array)
    read = Slabs(Stack((40,), SHAPE), (8, 2, 2), 2, counted)
    with ThreadPoolExecutor(4) as pool:
        for index, frame in enumerate(pool.map(read.frame, range(40))):
            np.testing.assert_array_equal(frame, array[index])
    assert counted.reads == 5


def test_a_frame_keeps_no_slab():
    array = np.zeros((8, *SHAPE))
    frame = Slabs(Stack((8,), SHAPE), (8, *SHAPE), 8, array.__getitem__).frame(2)
    assert frame.base is None


@pytest.mark.parametrize("kind", ["hdf5", "zarr"])
def test_files_with_chunks_of_many_frames(tmp_path, kind, monkeypatch):
    frames = np.random.default_rng(1).integers(0, 999, (2, 10, 16, 18)).astype(np.uint16)
    if kind == "hdf5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "f.h5", "w") as file:
            file.create_dataset("d", data=frames, chunks=(1, 4, 16, 9), compression="gzip")
        path = tmp_path / "f.h5"
    else:
        zarr = pytest.importorskip("zarr")
        zarr.create_array(str(tmp_path / "f.zarr"), data=frames, chunks=(1, 4, 16, 9))
        path = tmp_path / "f.zarr"
    kept = slabs._Kept()
    monkeypatch.setattr(slabs, "_kept", kept)
    source = open_frames(path)
    for index in range(20):
        np.testing.assert_array_equal(source.read(index), frames.reshape(-1, 16, 18)[index])
    assert [slab.shape[:2] for slab in kept._slabs.values()] == [(1, 4), (1, 4), (1, 2)] * 2
    del source
    gc.collect()  # what a file's slabs are kept for goes with it
    assert not kept._slabs
