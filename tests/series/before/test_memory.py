"""What aligning takes is what was planned, however many frames there are."""

from __future__ import annotations

import logging
import subprocess
import sys

import numpy as np
import pytest
from tests.cases import cases

from maskreg.core.plan import make_plan
from maskreg.errors import InputError
from maskreg.frames import as_source, open_frames
from maskreg.series.before.memory import predicted, workers_within
from maskreg.testing import Texture

SIDE = 768

ALIGN = """
import sys
from maskreg import align
align(sys.argv[1], workers=2)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def series(count, side=SIDE, dtype=np.uint16):
    """Return a view of a few frames that come again and again."""
    rng = np.random.default_rng(0)
    scene = Texture((side, side))
    few = [rng.poisson(40 * scene.render((0.7 * k, -k))).astype(dtype) for k in range(6)]
    return np.stack([few[k % 6] for k in range(count)])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells what a process took")
def test_align_takes_what_was_planned_however_many_frames_there_are(tmp_path):
    taken = {20: [], 120: []}
    # the first time kernels may be compiled, and which frames meet differs: each takes memory of its own
    for count in (20, 20, 120, 120):
        path = tmp_path / f"{count}.npy"
        np.save(path, series(count))
        command = [sys.executable, "-c", ALIGN, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        taken[count].append(int(done.stdout) * 1024 / 1e6)
    with open_frames(path) as source:
        assert max(taken[120]) <= predicted(source).megabytes
    assert min(taken[120]) < 1.15 * min(taken[20])


def stripes(rows, columns):
    return (rows % 8 < 4) & (columns % 8 < 6)


def chessboard(rows, columns):
    return (rows + columns) % 2 == 0


def half_at_random(rows, columns):
    return np.random.default_rng(3).random(rows.shape) < 0.5


def one_corner(rows, columns):
    return (rows < 60) & (columns < 60)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells what a process took")
@pytest.mark.parametrize(
    "valid", cases([None, half_at_random], [None, stripes, chessboard, half_at_random, one_corner])
)
def test_frames_in_which_nothing_is_sure_take_what_was_planned_behind_any_mask(valid, tmp_path):
    rng = np.random.default_rng(1)
    frames = series(20)
    frames[[4, 17, 18]] = rng.poisson(3.0, (3, *frames.shape[1:]))
    path = tmp_path / "frames.npy"
    np.save(path, frames)
    script = ALIGN
    if valid is not None:
        np.save(tmp_path / "mask.npy", valid(*np.indices(frames.shape[1:])))
        script = ALIGN.replace("import sys", "import sys, numpy").replace(
            "sys.argv[1], ", f"sys.argv[1], numpy.load({str(tmp_path / 'mask.npy')!r}), "
        )
    command, taken = [sys.executable, "-c", script, str(path)], []
    for _ in range(4):  # the first time kernels may be compiled; which frames meet is chance
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        taken.append(int(done.stdout) * 1024 / 1e6)
        with open_frames(path) as source:
            if taken[-1] <= predicted(source).megabytes:
                return
    pytest.fail(f"took {taken} MB, planned were {predicted(source).megabytes:.0f}")


def test_chunks_of_many_frames_are_planned(tmp_path):
    h5py = pytest.importorskip("h5py")
    look = predicted(as_source(np.zeros((20, 64, 64), np.uint16))).megabytes
    for chunks, more in (((1, 64, 64), 0), ((20, 64, 64), 256)):
        path = tmp_path / f"{chunks[0]}.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("frames", data=np.zeros((20, 64, 64), np.uint16), chunks=chunks)
        with open_frames(path) as source:
            assert predicted(source).megabytes == pytest.approx(look + more)


def test_fewer_workers_are_taken_where_memory_is_short_and_it_is_said(caplog):
    source = as_source(np.zeros((20, 512, 512), np.uint16))
    assert workers_within(1000, 4, source) == 4
    with caplog.at_level(logging.WARNING):
        assert workers_within(400, 64, source) < 20
        assert "at once, not 20" in caplog.text  # more would have nothing to do
        assert workers_within(100, 4, source) == 1
        assert "more than memory allows (100 MB)" in caplog.text
        large = as_source(np.zeros((20, 2048, 2048), np.uint16))
        assert workers_within(1000, 2, large) == 2
        assert workers_within(1000, 2, large, mean=True) == 1
    with pytest.raises(InputError, match="memory is -1"):
        workers_within(-1, 2, source)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells what a process took")
def test_frames_that_are_looked_for_in_the_mean_take_what_was_planned(tmp_path):
    rng = np.random.default_rng(2)
    frames = series(20)
    frames[[4, 17, 18]] = rng.poisson(3.0, (3, *frames.shape[1:]))
    path = tmp_path / "frames.npy"
    np.save(path, frames)
    script = ALIGN.replace("workers=2", "workers=1, reference='mean'")
    for _ in range(2):  # the first time kernels may be compiled, which takes memory of its own
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
        )
    plan = make_plan(frames.shape[1:], frames.shape[1:])
    compared = 16 * frames[0].nbytes
    assert int(done.stdout) * 1024 <= plan.bytes_for(1, compared=compared, mean=True)
