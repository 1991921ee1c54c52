from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from maskreg.errors import RunError
from maskreg.outputs import FileState, Record, read_record
from maskreg.registration import Registration, Rival, Status

SETTINGS = {"max_shift": None, "mask": "abc", "shape": (4, 5)}


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "run.sqlite"


def registration(seed=0, status=Status.OK):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(2, 2)) * 1e-3
    rival = Rival((3, -4), float(rng.normal())) if seed % 2 else None
    numbers = (float(number) for number in rng.random(3))
    return Registration(rng.normal(size=2), root @ root.T, *numbers, rival, status, f"seed {seed}")


def assert_same(one, other):
    np.testing.assert_array_equal(one.shift, other.shift)
    np.testing.assert_array_equal(one.covariance, other.covariance)
    np.testing.assert_array_equal(
        [one.score, one.significance, one.overlap], [other.score, other.significance, other.overlap]
    )
    assert (one.rival, one.status, one.detail) == (other.rival, other.status, other.detail)


def test_what_is_read_is_what_was_written_to_the_last_bit(path):
    written = [
        (i, f"frame {i}.tif", registration(i), {"delay": 0.1 * i, "scan": i, "name": "ä"}) for i in range(20)
    ]
    with Record(path, SETTINGS) as record:
        for entry in written:
            record.write(*entry)
    settings, entries = read_record(path)
    assert settings == {"max_shift": None, "mask": "abc", "shape": [4, 5], "frames": 0}
    assert len(entries) == 20
    for one, other in zip(written, entries, strict=True):
        assert (one[0], one[1], one[3]) == (other[0], other[1], other[3])
        assert_same(one[2], other[2])


def test_no_answer_comes_back_as_nan(path):
    with Record(path, SETTINGS) as record:
        record.write(0, "a", Registration.failed(Status.FLAT, 2, "all 7"), {})
        (entry,) = record.entries()
    assert_same(entry[2], Registration.failed(Status.FLAT, 2, "all 7"))


def test_entries_come_in_the_order_of_the_series(path):
    with Record(path, SETTINGS) as record:
        for frame, source in ((2, "c"), (0, "a"), (1, "b")):
            record.write(frame, source, registration(), {})
        assert [entry[:2] for entry in record.entries()] == [(0, "a"), (1, "b"), (2, "c")]
        assert record.statuses() == dict.fromkeys("abc", Status.OK)


def test_frames_are_numbered_anew_when_others_come_between_them(path):
    with Record(path, SETTINGS) as record:
        record.number(["a", "c"])
        for frame, source in enumerate(("a", "c")):
            record.write(frame, source, registration(), {})
        record.number(["a", "b", "c", "d"])
        record.write(1, "b", registration(), {})
    settings, entries = read_record(path)
    assert [entry[:2] for entry in entries] == [(0, "a"), (1, "b"), (2, "c")]
    assert settings["frames"] == 4
    Record(path, SETTINGS).close()  # how many frames there are identifies no run


def test_a_frame_that_is_written_again_is_replaced(path):
    with Record(path, SETTINGS) as record:
        record.write(0, "a", Registration.failed(Status.UNREADABLE, 2), {})
        record.write(0, "a", registration(3), {})
        (entry,) = record.entries()
    assert_same(entry[2], registration(3))


def test_other_metadata_are_taken_and_what_is_not_told_again_stays(path):
    with Record(path, SETTINGS) as record:
        for frame, source in enumerate("abc"):
            record.write(frame, source, registration(), {"delay": float("nan"), "lab": 1})
        told = {"a": {"delay": float("nan"), "lab": 1}, "b": {"delay": 2.0}, "d": {"delay": 3.0}}
        assert record.renew_metadata(told) == 1
        np.testing.assert_array_equal([entry[3]["delay"] for entry in record.entries()], [np.nan, 2, np.nan])
        assert [entry[3]["lab"] for entry in record.entries()] == [1, 1, 1]


def test_files_are_remembered_whatever_they_are_called(path):
    files = {
        "a.tif": FileState(2**40, 1_700_000_000_123_456_789, 3),
        "sub/ü\n'.tif": FileState(0, 0, 1),
    }
    with Record(path, SETTINGS) as record:
        for file, state in files.items():
            record.write_file(file, state, [(0, file, registration(), {})])
    with Record(path, SETTINGS) as record:
        assert record.files() == files
        assert len(record.statuses()) == 2


def test_a_file_that_is_read_again_has_its_new_frames_alone(path):
    frames = [(place, f"a.tif[{place}]", registration(), {}) for place in range(3)]
    with Record(path, SETTINGS) as record:
        record.write_file("a.tif", FileState(9, 9, 1), [(0, "a.tif", registration(), {})])
        record.write_file("a.tif", None, frames, instead_of=["a.tif"])
        assert record.files() == {}
        assert record.statuses().keys() == {"a.tif[0]", "a.tif[1]", "a.tif[2]"}


def test_a_record_is_continued(path):
    with Record(path, SETTINGS) as record:
        record.write(0, "a", registration(), {})
    with Record(path, SETTINGS) as record:
        assert record.statuses().keys() == {"a"}
        record.write(1, "b", registration(1), {})
    assert [entry[1] for entry in read_record(path)[1]] == ["a", "b"]


def test_what_was_written_is_kept_when_the_block_fails(path):
    with pytest.raises(KeyboardInterrupt), Record(path, SETTINGS) as record:
        record.write(0, "a", registration(), {})
        raise KeyboardInterrupt
    assert len(read_record(path)[1]) == 1


def test_other_settings_are_refused_and_both_shown(path):
    with Record(path, SETTINGS) as record:
        record.write(0, "a", registration(), {})
    with pytest.raises(RunError, match=r"max_shift: none → 20, mask: abc → xyz\).*--overwrite"):
        Record(path, {**SETTINGS, "max_shift": 20, "mask": "xyz"})
    Record(path, SETTINGS).close()


def test_a_record_without_a_frame_takes_other_settings(path):
    Record(path, SETTINGS).close()
    with Record(path, {**SETTINGS, "max_shift": 20}) as record:
        record.write(0, "a", registration(), {})
    assert read_record(path)[0]["max_shift"] == 20
    with pytest.raises(RunError, match="other settings"):
        Record(path, SETTINGS)


def test_overwrite_starts_anew(path):
    with Record(path, SETTINGS) as record:
        record.write(0, "a", registration(), {})
    with Record(path, {"max_shift": 3}, overwrite=True) as record:
        assert record.statuses() == {}
    assert read_record(path) == ({"max_shift": 3, "frames": 0}, [])


def test_a_second_writer_is_refused(path):
    with Record(path, SETTINGS), pytest.raises(RunError, match="in use by another maskreg process"):
        Record(path, SETTINGS)
    Record(path, SETTINGS).close()


def test_it_can_be_read_while_it_is_written(path):
    with Record(path, SETTINGS) as record:
        record.write(0, "a", registration(), {})
        record.commit()
        record.write(1, "b", registration(), {})
        assert [entry[1] for entry in read_record(path)[1]] == ["a"]


def test_a_record_at_rest_is_one_plain_file(path):
    with Record(path, SETTINGS) as record:
        record.write(0, "a", registration(), {})
    assert {file.name for file in path.parent.iterdir()} == {"run.sqlite", "run.lock"}


def test_a_reader_does_not_hold_up_the_writers_end(path):
    with Record(path, SETTINGS) as record:
        record.write(0, "a", registration(), {})
        record.commit()
        reader = sqlite3.connect(path)
        cursor = reader.execute("SELECT * FROM frames")
        cursor.fetchone()
    reader.close()
    assert len(read_record(path)[1]) == 1


KILLED_WRITER = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from maskreg.outputs import Record, record
    from maskreg.registration import Registration, Status
    record.COMMIT_SECONDS = 0
    run = Record(Path(sys.argv[1]), {"max_shift": None, "mask": "abc", "shape": (4, 5)})
    for frame in range(3):
        run.write(frame, str(frame), Registration.failed(Status.FLAT, 2), {})
    print("ready", flush=True)
    time.sleep(60)
""")


@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
def test_a_killed_writer_leaves_a_whole_record_and_no_lock(path):
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_WRITER, str(path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        with pytest.raises(RunError, match="in use"):
            Record(path, SETTINGS)
        process.send_signal(signal.SIGKILL)
    with Record(path, SETTINGS) as record:
        assert record.statuses().keys() == {"0", "1", "2"}
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_file_that_is_no_record_is_left_alone(path):
    path.write_bytes(b"precious text, not a database" * 100)
    with pytest.raises(RunError, match=r"run\.sqlite: file is not a database"):
        Record(path, SETTINGS)
    assert path.read_bytes().startswith(b"precious")


def test_another_format_is_refused(path):
    Record(path, SETTINGS).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(RunError, match="format 99, this maskreg reads format 2"):
        Record(path, SETTINGS)
    with pytest.raises(RunError, match="format 99"):
        read_record(path)


def test_a_record_that_is_only_being_made_is_told(path):
    path.touch()
    with pytest.raises(RunError, match="only being made"):
        read_record(path)
    Record(path, SETTINGS).close()
    assert read_record(path)[1] == []


def test_a_folder_without_a_record_is_no_run(tmp_path):
    with pytest.raises(RunError, match="is no run folder; align makes one"):
        read_record(tmp_path / "run.sqlite")


def test_a_file_of_a_run_in_its_place_is_told(path):
    Record(path, SETTINGS).close()
    with pytest.raises(RunError, match=rf"no run folder; did you mean {path.parent}\?"):
        read_record(path.parent / "shifts.csv" / path.name)


@pytest.mark.parametrize("how", ["deleted", "moved"])
def test_a_record_that_lost_its_folder_says_so_at_the_next_commit(tmp_path, monkeypatch, how):
    monkeypatch.setattr("maskreg.outputs.record.COMMIT_SECONDS", 0)
    run = tmp_path / "run"
    run.mkdir()
    with Record(run / "run.sqlite", SETTINGS) as record:
        record.write(0, "a", registration(), {})
        shutil.rmtree(run) if how == "deleted" else run.rename(tmp_path / "elsewhere")
        with pytest.raises(RunError, match=r"run\.sqlite was deleted or moved while it was written"):
            record.write(1, "b", registration(), {})
    assert not run.exists()
