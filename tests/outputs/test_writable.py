"""What cannot be written is said before the work for it, and trying leaves nothing behind."""

from __future__ import annotations

import errno
import os
import tempfile

import pytest

from maskreg.errors import RunError
from maskreg.outputs import ensure_file_writable, ensure_folder_writable


def failing(number):
    def fail(**_):
        raise OSError(number, os.strerror(number))

    return fail


def test_trying_leaves_nothing_behind(tmp_path):
    (tmp_path / "kept").mkdir()
    ensure_folder_writable(tmp_path / "kept")
    ensure_folder_writable(tmp_path / "a" / "b" / "run", files=("table",), folders=("inputs",))
    ensure_file_writable(tmp_path / "kept" / "file")
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]


def test_what_others_put_there_meanwhile_stays(tmp_path, monkeypatch):
    made = tempfile.TemporaryFile

    def busy(dir):
        (dir / "theirs").touch()
        return made(dir=dir)

    monkeypatch.setattr(tempfile, "TemporaryFile", busy)
    ensure_folder_writable(tmp_path / "run")
    assert (tmp_path / "run" / "theirs").exists()


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.EROFS, "Read-only file system; take another folder"),
        (errno.EACCES, "Permission denied; take another folder"),
        (errno.ENOSPC, "make room and give the same command again; or take another folder"),
    ],
)
@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_cannot_be_written_in(number, why, there, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    if there:
        folder.mkdir()
    monkeypatch.setattr(tempfile, "TemporaryFile", failing(number))
    with pytest.raises(RunError) as caught:
        ensure_folder_writable(folder)
    assert str(caught.value).startswith(f"cannot write {folder}: ")
    assert str(caught.value).endswith(why)
    assert folder.exists() == there
    with pytest.raises(RunError, match=r"cannot write .*file: "):
        ensure_file_writable(tmp_path / "file")


@pytest.mark.parametrize("place", ["run", "run/deeper", "run/deeper/still"])
def test_a_file_in_place_of_the_folder_is_named(place, tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(RunError, match=r"cannot write .*run: it is a file, no folder; take another folder"):
        ensure_folder_writable(tmp_path / place)


def test_what_is_in_the_way_inside_is_named(tmp_path):
    (tmp_path / "table").mkdir()
    (tmp_path / "inputs").touch()
    with pytest.raises(RunError, match=r"cannot write .*table: it is a folder, no file"):
        ensure_folder_writable(tmp_path, files=("table",))
    with pytest.raises(RunError, match=r"cannot write .*inputs: it is a file, no folder"):
        ensure_folder_writable(tmp_path, folders=("inputs",))
    with pytest.raises(RunError, match=r"cannot write .*table: it is a folder, no file"):
        ensure_file_writable(tmp_path / "table")


def test_a_file_that_may_not_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "table").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(RunError, match=r"cannot write .*table: Permission denied; take another folder"):
        ensure_folder_writable(tmp_path, files=("table",))


def test_the_folder_of_a_file_must_be_there(tmp_path):
    with pytest.raises(RunError, match=r"there is no folder .*nowhere"):
        ensure_file_writable(tmp_path / "nowhere" / "file")
