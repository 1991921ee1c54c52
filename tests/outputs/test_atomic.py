from __future__ import annotations

import pytest

from maskreg.errors import RunError
from maskreg.outputs import atomic_write


def test_the_file_gets_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "table.csv"
    with atomic_write(path) as stream:
        stream.write("ä\n")
        assert not path.exists()
    assert path.read_bytes() == "ä\n".encode()
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_a_failure_leaves_what_was_there_before(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(LookupError), atomic_write(path) as stream:
        stream.write("half")
        raise LookupError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with (
        pytest.raises(RunError, match=r"cannot write .*table\.csv: No such file"),
        atomic_write(tmp_path / "no" / "table.csv"),
    ):
        pass
