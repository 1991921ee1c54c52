"""Apply and merge killed at any moment: the same command goes on, and ends in the same bytes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.cases import cases

from maskreg.series import align_run
from maskreg.testing import Rings

KILLS = int(os.environ.get("MASKREG_KILLS", "3"))
"""How often each verb is killed; many more in ``.ci/full``."""

FRAMES, GROUPS = 60, 3

IN_FLIGHT = 4
"""Twice the workers."""

BATCH = 2

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="needs kill -9"),
    pytest.mark.timeout(120 + 10 * KILLS),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The run of a small series whose files are named by scan and delay."""
    folder = tmp_path_factory.mktemp("series")
    (folder / "frames").mkdir()
    scene, rng = Rings((32, 32)), np.random.default_rng(2)
    for number in range(FRAMES):
        frame = rng.poisson(100 * scene.render((number % 5 / 3, 0))).astype(np.uint16)
        np.save(folder / "frames" / f"s{number // GROUPS}_d{number % GROUPS}.npy", frame)
    align_run(folder / "frames", folder / "run", pattern="s{scan:d}_d{delay:d}.npy")
    return folder / "run"


def process(verb: str, run: Path, output: Path, **how) -> subprocess.Popen:
    command = [sys.executable, str(Path(__file__).with_name("stoppable.py")), verb, str(run), str(output)]
    log = str(output.parent.with_name(f"{output.parent.name}.log"))
    return subprocess.Popen(
        [*command, log], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **how
    )


def finished(verb: str, run: Path, output: Path, **how) -> tuple[int, str]:
    with process(verb, run, output, **how) as running:
        err = running.stderr.read()
    return running.returncode, err


def moved(output: Path) -> list[int]:
    """Return the frames that were moved, in all sittings."""
    log = output.parent.with_name(f"{output.parent.name}.log")
    return [int(line) for line in log.read_text().split()] if log.exists() else []


def contents(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


EACH = [(verb, suffix) for verb in ("apply", "merge", "merge_by") for suffix in (".zarr", ".h5", ".tif")]
"""Every verb in every format; in ``.ci/run`` every verb once, but apply, which writes as it goes, in each."""


@pytest.mark.parametrize(("verb", "suffix"), cases([*EACH[:3], EACH[4], EACH[8]], EACH))
def test_killed_it_goes_on_and_ends_in_the_same_bytes(run, tmp_path, verb, suffix):
    for folder in ("whole", "killed"):
        (tmp_path / folder).mkdir()
    whole, killed = tmp_path / "whole" / f"out{suffix}", tmp_path / "killed" / f"out{suffix}"
    assert finished(verb, run, whole) == (0, "")
    rng, kills = random.Random(f"{verb}{suffix}"), 0
    for _ in range(5 * KILLS):
        before = len(moved(killed))
        target = before + rng.randint(1, 2 * FRAMES // KILLS)
        running = process(verb, run, killed)
        while running.poll() is None and len(moved(killed)) < target:
            time.sleep(0.002)  # the two cores are for what is killed
        ended = running.poll() is not None
        running.kill()
        running.communicate()
        if ended:
            assert running.returncode == 0
            break
        kills += 1
        for name, data in contents(tmp_path / "killed").items():  # nothing half-written has a final name
            assert ".part" in name or data == contents(tmp_path / "whole")[name]
    else:
        assert finished(verb, run, killed)[0] == 0
    assert kills
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    if verb == "apply":  # the others keep their sums by the clock
        assert len(moved(killed)) - len(moved(whole)) <= (kills + 1) * (IN_FLIGHT + BATCH)


@pytest.mark.parametrize("suffix", [".h5", ".tif"])
def test_a_file_that_may_not_grow_is_one_line(run, tmp_path, suffix):
    """A limit on the size of files is as good as a full disk."""
    import resource

    (tmp_path / "out").mkdir()
    output, limit = tmp_path / "out" / f"out{suffix}", 100_000
    code, err = finished(
        "apply", run, output, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    assert code == 1
    assert err.count("\n") == 1
    assert f"cannot write {output}: " in err
    assert "make room and give the same command again" in err
    assert finished("apply", run, output) == (0, "")
    assert output.exists()
