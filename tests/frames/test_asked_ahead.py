"""Bytes that are asked for before they are read are those of the frame, and asking never does harm."""

from __future__ import annotations

import os
import time
from pathlib import Path

import format_writers as write
import numpy as np
import pytest
import tifffile
from frame_source_contract import some_frames

from maskreg.frames import ahead, file, folder, open_frames
from maskreg.frames.ahead import PIECE, ask_for, in_memory
from maskreg.frames.corrected import as_corrected, calibration
from maskreg.frames.formats import hdf5

FRAMES = some_frames(6, 64, 48)

needs_advice = pytest.mark.skipif(
    not hasattr(os, "posix_fadvise") or not hasattr(os, "RWF_NOWAIT"), reason="this system takes no advice"
)


@pytest.fixture
def asked(monkeypatch):
    """What would have been asked for: path, offset and size."""
    found: list[tuple[Path, int, int | None]] = []
    for module in (file, folder, hdf5):
        monkeypatch.setattr(module, "ask_for", lambda path, at=0, size=None: found.append((path, at, size)))
    return found


def bytes_asked_for(source, index: int, asked) -> bytes:
    asked.clear()
    source.soon(index)
    assert all(size is None or size <= 2 * FRAMES[0].nbytes + 2**16 for _, _, size in asked)
    return b"".join(path.read_bytes()[at : None if size is None else at + size] for path, at, size in asked)


def skip_unless_told(descriptor: int) -> None:
    """Skip where even a byte that has just been written or read is not said to be in memory."""
    if not in_memory(descriptor, 0):
        pytest.skip("this file system cannot tell what is in memory")


def separate_tiffs(folder: Path, frames) -> Path:
    for k, frame in enumerate(frames):
        tifffile.imwrite(folder / f"f{k}.tif", frame)
    return folder


def tiff_pages(folder: Path, frames, **options) -> Path:
    """Each page by itself, so that directories and pixels take turns."""
    with tifffile.TiffWriter(folder / "f.tif") as writer:
        for frame in frames:
            writer.write(frame, contiguous=False, metadata=None, **options)
    return folder / "f.tif"


@pytest.mark.parametrize(
    "stored",
    [write.npy, write.raw, write.mrc, write.hdf5, write.tiff, write.ome_tiff, tiff_pages, separate_tiffs],
)
def test_all_bytes_of_an_uncompressed_frame_are_asked_for(stored, tmp_path, asked):
    source = open_frames(stored(tmp_path, FRAMES))
    for index, frame in enumerate(FRAMES):
        found = bytes_asked_for(source, index, asked)
        assert frame.tobytes() in found or frame.byteswap().tobytes() in found


def test_big_endian_frames_behind_headers_are_asked_for_with_them(tmp_path, asked):
    source = open_frames(write.mib(tmp_path, FRAMES))
    for index, frame in enumerate(FRAMES):
        found = bytes_asked_for(source, index, asked)
        assert found.startswith(b"MQ1,")
        assert found.endswith(frame.astype(">u2").tobytes())


def test_chunks_of_one_frame_are_asked_for(tmp_path, asked, monkeypatch):
    monkeypatch.setattr(hdf5, "WORTH_LOOKING_UP", 1)
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "f.h5"
    with h5py.File(path, "w") as stored:
        stored.create_dataset("f", data=FRAMES, chunks=(1, 32, 48))
    source = open_frames(path)
    for index, frame in enumerate(FRAMES):
        assert frame.tobytes() in bytes_asked_for(source, index, asked)
        assert len(asked) == 2


def test_compressed_pages_are_asked_for(tmp_path, asked):
    pytest.importorskip("imagecodecs")
    path = tiff_pages(tmp_path, FRAMES, compression="zlib")
    source = open_frames(path)
    with tifffile.TiffFile(path) as tif:
        for index, page in enumerate(tif.pages):
            packed = path.read_bytes()[page.dataoffsets[0] :][: page.databytecounts[0]]
            assert packed in bytes_asked_for(source, index, asked)


def test_nothing_is_asked_for_where_nobody_knows_where_the_bytes_are(tmp_path, asked):
    h5py = pytest.importorskip("h5py")
    np.save(tmp_path / "fortran.npy", np.asfortranarray(FRAMES))
    with h5py.File(tmp_path / "many.h5", "w") as stored:
        stored.create_dataset("f", data=FRAMES, chunks=(3, 64, 48))
    for name in ("fortran.npy", "many.h5"):
        assert not bytes_asked_for(open_frames(tmp_path / name), 1, asked)


def test_frames_behind_others_are_asked_for(tmp_path, asked):
    separate_tiffs(tmp_path, FRAMES)
    table = tmp_path / "t.csv"
    table.write_text("file,time\n" + "".join(f"f{k}.tif,{-k}\n" for k in range(6)))
    backwards = open_frames(tmp_path / "*.tif", metadata=table)
    assert backwards.name(0) == "f5.tif"
    corrected = as_corrected(backwards, calibration(np.zeros((64, 48)), None, (64, 48)))
    for source in (backwards, corrected):
        for index in range(6):
            first = source.read(index).astype("u2")
            assert first.tobytes() in bytes_asked_for(source, index, asked)


def test_a_file_that_is_gone_or_short_does_no_harm(tmp_path):
    path = tmp_path / "f.npy"
    np.save(path, FRAMES)
    source = open_frames(path)
    os.truncate(path, 1000)
    source.soon(5)
    path.unlink()
    source.soon(5)
    ask_for(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(path)
        source.soon(0)  # a pipe that nobody writes to must not be waited for


@pytest.mark.parametrize("offset", [-(2**40), 2**40, 2**63, 2**70])
def test_a_place_that_is_in_no_file_does_no_harm(tmp_path, offset):
    path = tmp_path / "f.raw"
    path.write_bytes(bytes(10))
    ask_for(path, offset, 10)


def test_a_reader_that_raises_does_no_harm(tmp_path, monkeypatch):
    np.save(tmp_path / "f.npy", FRAMES)
    source = open_frames(tmp_path / "f.npy")
    for where in ((1.5, None), ("first", 1), 7):
        monkeypatch.setattr(type(source), "_where", lambda *_, where=where: where)
        source.soon(0)


def test_a_broken_hdf5_file_does_no_harm(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5, "WORTH_LOOKING_UP", 1)
    source = open_frames(write.hdf5_chunked(tmp_path, FRAMES))
    for path in tmp_path.iterdir():
        path.write_bytes(b"something else")
    source.soon(0)


@needs_advice
def test_what_is_asked_for_comes(tmp_path):
    path = tmp_path / "f.raw"
    path.write_bytes(bytes(5 * PIECE + 17))
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
        skip_unless_told(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        ask_for(path, 1, 5 * PIECE)
        places = range(1, 5 * PIECE, PIECE // 2)
        until = time.monotonic() + 10
        while not all(in_memory(stream.fileno(), at) for at in places) and time.monotonic() < until:
            time.sleep(0.01)
        assert all(in_memory(stream.fileno(), at) for at in places)


@needs_advice
def test_what_is_in_memory_is_not_asked_for_again(tmp_path, monkeypatch):
    path = tmp_path / "f.raw"
    path.write_bytes(bytes(3 * PIECE))
    pieces = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _, at, size, advice: pieces.append((at, size)))
    with path.open("rb") as stream:
        stream.read()
        skip_unless_told(stream.fileno())
    ask_for(path)
    assert pieces == []
    monkeypatch.setattr(ahead, "in_memory", lambda *_: False)
    ask_for(path, 5)
    assert pieces == [(5, PIECE), (5 + PIECE, PIECE), (5 + 2 * PIECE, PIECE - 5)]


def test_a_system_that_takes_no_advice_is_not_asked(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fadvise", raising=False)
    np.save(tmp_path / "f.npy", FRAMES)
    open_frames(tmp_path / "f.npy").soon(0)
