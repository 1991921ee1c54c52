from __future__ import annotations

import os

import numpy as np
import pytest

from maskreg.errors import RunError
from maskreg.masks import save_mask
from maskreg.outputs import atomic_write, atomic_write_bytes


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


@pytest.mark.skipif(os.name != "posix", reason="this system has no limit of files to reach")
@pytest.mark.parametrize("written", ["array", "mask"])
def test_an_array_that_does_not_fit_says_what_to_do(tmp_path, written):
    import resource

    array = np.random.default_rng(0).integers(0, 2, (1024, 1024)).astype(bool)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(RunError, match=r"cannot write .*; make room and give the same command again"):
            if written == "mask":
                save_mask(tmp_path / "mask.tif", array)
            else:
                with atomic_write_bytes(tmp_path / "a.npy") as stream:
                    np.save(stream, array)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
