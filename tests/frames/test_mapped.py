"""A worker that is replaced if it dies maps large frames: as they are read, whatever becomes of the file."""

from __future__ import annotations

import faulthandler
import mmap
import os
from pathlib import Path

import numpy as np
import pytest

from maskreg.errors import FrameError
from maskreg.frames import ahead, open_frames
from maskreg.frames import mapped as module
from maskreg.frames.ahead import ask_for
from maskreg.frames.mapped import mapped
from maskreg.frames.plain import read_plain
from maskreg.stream import Forked, can_fork, is_replaceable, ordered_map

needs_fork = pytest.mark.skipif(not can_fork(), reason="this system does not fork safely")

PAGE = mmap.ALLOCATIONGRANULARITY
FRAMES = np.random.default_rng(5).integers(0, 2**16, (4, 96, 80)).astype(np.uint16)


@pytest.fixture
def as_a_worker(monkeypatch):
    monkeypatch.setattr(module, "is_replaceable", lambda: True)
    monkeypatch.setattr(module, "WORTH_MAPPING", 1)


@needs_fork
@pytest.mark.usefixtures("as_a_worker")
@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("offset", [0, 128, PAGE - 8, PAGE, 3 * PAGE + 64])
def test_a_mapped_frame_is_the_one_that_is_read(dtype, offset, tmp_path):
    rng = np.random.default_rng(offset)
    expected = rng.integers(0, 256, (37, 53, np.dtype(dtype).itemsize), np.uint8).view(dtype)[..., 0]
    path = tmp_path / "frames.raw"
    path.write_bytes(bytes(offset) + expected.tobytes() + b"what follows")
    found = mapped(path, offset, expected.shape, np.dtype(dtype))
    assert found is not None
    assert found.dtype == expected.dtype
    assert found.tobytes() == expected.tobytes()
    flags, read = found.flags, np.empty(1).flags
    for flag in ("C_CONTIGUOUS", "ALIGNED", "WRITEABLE"):  # kernels compiled for arrays that were read serve
        assert flags[flag] == read[flag]


@needs_fork
@pytest.mark.usefixtures("as_a_worker")
def test_the_file_stays_as_it_is_whatever_is_written_into_a_mapped_frame(tmp_path):
    path = tmp_path / "frames.raw"
    path.write_bytes(FRAMES.tobytes())
    found = mapped(path, 0, FRAMES[0].shape, FRAMES.dtype)
    assert found is not None
    found[:] = 0
    assert path.read_bytes() == FRAMES.tobytes()


def _mapped_first(path: Path) -> np.ndarray | None:
    return mapped(path, 0, FRAMES[0].shape, FRAMES.dtype)


def test_a_process_that_nobody_replaces_does_not_map(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WORTH_MAPPING", 1)
    path = tmp_path / "frames.raw"
    path.write_bytes(FRAMES.tobytes())
    assert not is_replaceable()
    assert _mapped_first(path) is None


@needs_fork
@pytest.mark.usefixtures("as_a_worker")
def test_frames_that_are_better_read_are_read(tmp_path, monkeypatch):
    path = tmp_path / "frames.raw"
    path.write_bytes(b"x" + FRAMES.tobytes())
    assert mapped(path, 1, FRAMES[0].shape, FRAMES.dtype) is None, "numbers that do not lie evenly"
    assert mapped(path, 0, FRAMES[0].shape, np.dtype(">u2")) is None, "numbers of another byte order"
    monkeypatch.setattr(module, "WORTH_MAPPING", FRAMES[0].nbytes + 1)
    assert _mapped_first(path) is None, "small ones"


@needs_fork
@pytest.mark.usefixtures("as_a_worker")
@pytest.mark.parametrize(
    ("owner", "name", "error"),
    [
        (os, "preadv", BlockingIOError("it is on the disk")),
        (os, "preadv", OSError("this file system cannot tell")),
        (mmap, "mmap", OSError("this file system has no maps")),
        (mmap, "mmap", ValueError("mmap length is greater than file size")),
    ],
)
def test_where_a_file_cannot_be_mapped_at_once_it_is_read(owner, name, error, tmp_path, monkeypatch):
    path = tmp_path / "frames.raw"
    path.write_bytes(FRAMES.tobytes())

    def refused(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(owner, name, refused)
    assert _mapped_first(path) is None
    np.testing.assert_array_equal(read_plain(path, 0, FRAMES[0].shape, FRAMES.dtype), FRAMES[0])


@needs_fork
@pytest.mark.usefixtures("as_a_worker")
def test_a_file_that_was_cut_short_says_so(tmp_path):
    path = tmp_path / "frames.raw"
    path.write_bytes(FRAMES[0].tobytes()[:-1])
    with pytest.raises(ValueError, match="the file is cut short"):
        read_plain(path, 0, FRAMES[0].shape, FRAMES.dtype)


@needs_fork
def test_a_file_that_shrinks_while_it_is_mapped_ends_a_worker_and_not_the_series(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(module, "WORTH_MAPPING", 1)
    path = tmp_path / "frames.npy"
    np.save(path, FRAMES)
    source, whole = open_frames(path), path.stat().st_size

    def total(index: int) -> int | str:
        try:
            frame = source.read(index)
        except FrameError as error:
            return str(error)
        if index == 3 and is_replaceable():
            faulthandler.disable()  # the tests' own report of a crash that is meant
            os.truncate(path, whole - frame.nbytes)
        return int(frame.sum())

    found = list(ordered_map(total, range(4), workers=Forked(2)))
    assert found[:3] == [int(frame.sum()) for frame in FRAMES[:3]]
    assert "frames.npy[3]: cannot be read: the file is cut short" in str(found[3])
    assert "a worker process ended by signal 7; another one does its frames again" in caplog.text


@needs_fork
def test_workers_map_what_they_read(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WORTH_MAPPING", 1)
    path = tmp_path / "frames.npy"
    np.save(path, FRAMES)
    source = open_frames(path)

    def told(index: int) -> tuple[bool, bytes]:
        frame = source.read(index)
        base: object = frame
        while isinstance(base, np.ndarray):
            base = base.base
        return isinstance(base, mmap.mmap | memoryview), frame.tobytes()

    found = list(ordered_map(told, range(4), workers=Forked(2)))
    assert [frame for _, frame in found] == [frame.tobytes() for frame in FRAMES]
    assert [is_map for is_map, _ in found] == [False, True, True, True], "the first one is done here"


@needs_fork
@pytest.mark.usefixtures("as_a_worker")
def test_what_has_just_come_from_a_disk_is_read(tmp_path, monkeypatch):
    path = tmp_path / "frames.raw"
    path.write_bytes(FRAMES.tobytes())
    with monkeypatch.context() as patched:
        patched.setattr(ahead, "in_memory", lambda *_: False)
        ask_for(path, FRAMES[0].nbytes, FRAMES[0].nbytes)
    assert mapped(path, FRAMES[0].nbytes, FRAMES[0].shape, FRAMES.dtype) is None
    assert _mapped_first(path) is not None
