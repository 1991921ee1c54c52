"""What a disk or a network refuses once is asked for once more; what stays refused is told."""

from __future__ import annotations

import errno

import numpy as np
import pytest

from maskreg import Status, align
from maskreg.errors import FrameError
from maskreg.frames import open_frames, passing
from maskreg.frames.formats.npy import NpyFrames
from maskreg.frames.passing import PATIENT_FOR, once_more


@pytest.fixture(autouse=True)
def without_a_pause(monkeypatch):
    monkeypatch.setattr(passing, "PAUSE", 0.0)
    monkeypatch.setattr(passing, "_in_vain", 0)


@pytest.fixture
def path(tmp_path):
    scene = np.random.default_rng(0).normal(100, 20, (80, 80)).cumsum(0)
    frames = np.stack([scene[k % 3 : k % 3 + 64, k % 5 : k % 5 + 64] for k in range(20)])
    np.save(tmp_path / "frames.npy", np.clip(frames, 0, 60_000).astype(np.uint16))
    return tmp_path / "frames.npy"


def refusing(monkeypatch, number: int, times: int, method: str = "_fetch") -> list[int]:
    """Let each frame be refused so many times, with an error of the system."""
    asked: dict[object, int] = {}
    told: list[int] = []
    original = getattr(NpyFrames, method)

    def refused(self, *arguments):
        asked[arguments] = asked.get(arguments, 0) + 1
        if asked[arguments] <= times:
            told.append(number)
            raise OSError(number, "refused")
        return original(self, *arguments)

    monkeypatch.setattr(NpyFrames, method, refused)
    return told


@pytest.mark.parametrize("number", [errno.EIO, errno.ETIMEDOUT, errno.ECONNRESET])
def test_a_frame_that_is_refused_once_is_read(path, number, monkeypatch):
    frames = np.load(path)
    told = refusing(monkeypatch, number, 1)
    with open_frames(path) as source:
        np.testing.assert_array_equal(source.read(5), frames[5])
    assert told == [number] * 2  # the first frame was asked for its shape


def test_a_frame_that_stays_refused_is_told(path, monkeypatch):
    source = open_frames(path)
    told = refusing(monkeypatch, errno.EIO, 10)
    with pytest.raises(FrameError, match=r"frames.npy\[5\]: cannot be read: refused"):
        source.load(5)
    assert told == [errno.EIO] * 2


def test_what_does_not_pass_is_not_asked_for_again(path, monkeypatch):
    source = open_frames(path)
    told = refusing(monkeypatch, errno.EACCES, 10)
    with pytest.raises(FrameError):
        source.load(5)
    assert told == [errno.EACCES]


def test_a_file_that_is_refused_once_is_opened(path, monkeypatch):
    refusing(monkeypatch, errno.ESTALE, 1, "_read_header")
    assert len(open_frames(path)) == 20


def test_nothing_is_asked_twice_for_another_reason():
    def wrong() -> None:
        calls.append(1)
        raise ValueError

    calls: list[int] = []
    with pytest.raises(ValueError):
        once_more(wrong)
    assert calls == [1]


def test_a_disk_that_is_broken_is_not_waited_for_again_and_again(monkeypatch):
    pauses = []
    monkeypatch.setattr(passing.time, "sleep", pauses.append)

    def broken() -> None:
        raise OSError(errno.EIO, "refused")

    def fine() -> int:
        return 1

    for _ in range(2 * PATIENT_FOR):
        with pytest.raises(OSError, match="refused"):
            once_more(broken)
    assert len(pauses) == PATIENT_FOR
    assert once_more(fine) == 1
    with pytest.raises(OSError, match="refused"):
        once_more(broken)
    assert len(pauses) == PATIENT_FOR + 1


def test_a_series_whose_every_frame_is_refused_once_gives_the_same_table(path, monkeypatch):
    expected = align(path, workers=1)
    refusing(monkeypatch, errno.EIO, 1)
    found = align(path, workers=1)
    np.testing.assert_array_equal(found.shifts, expected.shifts)
    assert found.status == expected.status


def test_a_frame_that_the_first_look_cannot_read_is_told(path, monkeypatch, caplog):
    original = NpyFrames._fetch

    def broken(self, index):
        if index == 7:
            raise OSError(errno.EIO, "refused")
        return original(self, index)

    monkeypatch.setattr(NpyFrames, "_fetch", broken)
    align(path, workers=1)
    assert "frames.npy[7] cannot be read, and tells nothing of the detector" in caplog.text


def test_many_of_them_are_told_at_once(path, monkeypatch, caplog):
    original = NpyFrames._fetch

    def cut(self, index):
        if index > 4:
            raise ValueError("cut short")
        return original(self, index)

    monkeypatch.setattr(NpyFrames, "_fetch", cut)
    found = align(path, workers=1)
    told = [record.getMessage() for record in caplog.records if "of the detector" in record.getMessage()]
    others = sum(status is Status.UNREADABLE for status in found.status[:16]) - 1
    (line,) = told
    assert line.startswith(f"frames.npy[5] and {others} more of the first frames cannot be read")
