"""Killed, full disks, second processes: nothing is lost, nothing comes twice, the bytes are the same."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from maskreg.outputs import Record
from maskreg.outputs.record import COMMIT_SECONDS

KILLS = int(os.environ.get("MASKREG_KILLS", "3"))
"""How often each verb is killed; many more in ``.ci/full``."""

FRAMES = 150 * KILLS

IN_FLIGHT = 4
"""Twice the workers of a cheap run."""

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="needs kill -9"),
    pytest.mark.timeout(60 + 10 * KILLS),
]


class Run:
    """A run that is started in processes of its own."""

    def __init__(self, verb: str, folder: Path, run: Path, log: Path) -> None:
        self.command = [sys.executable, str(Path(__file__).with_name("cheap_run.py")), verb]
        self.command += [str(folder), str(run), str(log)]
        self.run, self.log = run, log

    def start(self, **how) -> subprocess.Popen:
        return subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **how
        )

    def finish(self, **how) -> tuple[int, str]:
        with self.start(**how) as process:
            err = process.stderr.read()
        return process.returncode, err

    def logged(self) -> list[tuple[int, float]]:
        """Return the numbers of all frames that were registered, and when."""
        if not self.log.exists():
            return []
        return [
            (int(number), float(time)) for number, time in map(str.split, self.log.read_text().splitlines())
        ]

    def recorded(self) -> list[int]:
        """Return the numbers of the frames in the record, which has to be sound."""
        if not (self.run / "run.sqlite").exists():
            return []
        with closing(sqlite3.connect(self.run / "run.sqlite")) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            try:
                sources = database.execute("SELECT source FROM frames").fetchall()
            except sqlite3.OperationalError:  # killed before there were any tables
                return []
        return [int(source[1:-4]) for (source,) in sources]

    @property
    def table(self) -> bytes:
        return (self.run / "shifts.csv").read_bytes()


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """Many small frames, each with its number in the first pixel."""
    folder = tmp_path_factory.mktemp("frames")
    rng = np.random.default_rng(0)
    for number in range(FRAMES):
        image = rng.integers(0, 100, (8, 8)).astype(np.uint16)
        image[0, 0] = number
        np.save(folder / f"f{number}.npy", image)
    return folder


@pytest.fixture(scope="module")
def whole(frames, tmp_path_factory):
    """The table of a run that nobody disturbed."""
    place = tmp_path_factory.mktemp("whole")
    run = Run("align", frames, place / "run", place / "log")
    assert run.finish()[0] == 0
    return run.table


@pytest.mark.parametrize("verb", ["align", "watch"])
def test_killed_at_any_moment_it_goes_on_and_ends_in_the_same_bytes(verb, frames, whole, tmp_path):
    rng = random.Random(f"{verb} {KILLS}")
    run = Run(verb, frames, tmp_path / "run", tmp_path / "log")
    for kill in range(KILLS):
        before = len(run.logged())
        with run.start() as process:
            if kill % 3:  # in the midst of the work; else anywhere, also while it starts
                while len(run.logged()) == before and process.poll() is None:
                    time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.6 if kill % 3 else 1.5))
            process.kill()
        recorded = run.recorded()
        assert len(recorded) == len(set(recorded))
        sitting = run.logged()[before:]
        lost = [moment for number, moment in sitting if number not in set(recorded)]
        last = sitting[-1][1] if sitting else 0.0
        # what is lost was in flight, or not older than a batch (with time for a busy machine)
        old = [moment for moment in lost if last - moment > COMMIT_SECONDS + 1]
        assert len(old) <= IN_FLIGHT
        assert not (tmp_path / "run" / "shifts.csv").exists() or len(recorded) == FRAMES
    code, err = run.finish()
    assert code == 0, err
    assert run.table == whole
    assert sorted(run.recorded()) == list(range(FRAMES))
    assert not list((tmp_path / "run").glob("*.part"))


@pytest.mark.parametrize(("verb", "limit"), [("align", 50_000), ("watch", 20_000)])
def test_a_full_disk_is_one_line_and_the_run_goes_on(verb, limit, frames, whole, tmp_path):
    resource = pytest.importorskip("resource")
    run = Run(verb, frames, tmp_path / "run", tmp_path / "log")
    code, err = run.finish(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert code == 1
    last = err.splitlines()[-1]
    assert last.startswith("maskreg: error: ")
    assert "give the same command again" in last
    assert "Traceback" not in err
    run.recorded()
    assert run.finish()[0] == 0
    assert run.table == whole


@pytest.mark.parametrize("verb", ["align", "watch"])
def test_a_run_in_use_is_refused(verb, frames, tmp_path):
    run = Run(verb, frames, tmp_path / "run", tmp_path / "log")
    run.run.mkdir()
    with Record(run.run / "run.sqlite", {"by": "another process"}):
        code, err = run.finish()
    assert code == 1
    assert err.splitlines()[-1].startswith(f"maskreg: error: {run.run} is in use by another maskreg process")
    assert run.logged() == []
