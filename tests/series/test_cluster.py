"""A series on a Dask cluster of real processes: the same bytes as here, whoever did which frame."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
from argparse import Namespace
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage

import maskreg
from maskreg.cli import main
from maskreg.cli.flags.dask import cluster_of
from maskreg.errors import ClusterError, InputError
from maskreg.frames import open_frames
from maskreg.frames.seen import sent
from maskreg.outputs import Description, Layer, StackWriter, open_stack
from maskreg.series import align_run, open_run
from maskreg.stream import connect
from maskreg.stream.cluster import TIMEOUT
from real_cluster import real_cluster

SHAPE = (72, 90)
COUNT = 70


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """Frames in two files and many, one broken, one of another shape; with a delay in their names."""
    rng = np.random.default_rng(7)
    field = ndimage.gaussian_filter(rng.normal(size=(SHAPE[0] + 12, SHAPE[1] + 12)), 1.5)
    field = 1000 + 300 * field / field.std()
    folder = tmp_path_factory.mktemp("scan")
    for number in range(COUNT):
        row, col = rng.integers(0, 13, size=2) if number else (6, 6)
        window = field[row : row + SHAPE[0], col : col + SHAPE[1]]
        frame = (window + rng.normal(0, 20, SHAPE)).astype(np.uint16)
        tifffile.imwrite(folder / f"{number:03d}_{number % 3}.tif", frame)
    (folder / f"{20:03d}_2.tif").write_bytes(b"II*\0 and nothing more")
    tifffile.imwrite(folder / f"{30:03d}_0.tif", np.ones((40, 40), np.uint16))
    return folder


@pytest.fixture(scope="module")
def valid():
    mask = np.ones(SHAPE, dtype=bool)
    mask[30:40, :45] = False
    return mask


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    with real_cluster(tmp_path_factory.mktemp("cluster"), workers=1) as processes:
        yield processes


@pytest.fixture(scope="module")
def client(processes):
    """Two workers, of which one has two threads."""
    processes.start_worker("w1", threads=2)
    with processes.client(2) as client:
        yield client


@pytest.fixture(scope="module")
def here(scan, valid, tmp_path_factory):
    """The run as this process makes it, frame after frame."""
    run = tmp_path_factory.mktemp("here") / "run"
    align_run(scan, run, valid, pattern="{n:d}_{delay:d}.tif", workers=1)
    return run


def table(run: Path) -> str:
    return (run / "shifts.csv").read_text()


def content(folder: Path) -> dict[str, str]:
    """Return a fingerprint of every file below a folder."""
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_one_two_and_four_workers_give_the_table_of_this_process(
    processes, client, scan, valid, here, tmp_path
):
    assert "unreadable" in table(here)
    assert "bad_shape" in table(here)
    kinds = {"threads": {"workers": 3}, "two workers": {"client": client}}
    for name, how in kinds.items():
        align_run(scan, tmp_path / name, valid, pattern="{n:d}_{delay:d}.tif", **how)
        assert table(tmp_path / name) == table(here)
    processes.start_worker("w2")
    processes.start_worker("w3")
    client.wait_for_workers(4, timeout=60)
    align_run(scan, tmp_path / "four", valid, pattern="{n:d}_{delay:d}.tif", client=client)
    assert table(tmp_path / "four") == table(here)
    processes.kill("w1")
    processes.kill("w2")
    processes.kill("w3")
    align_run(scan, tmp_path / "one", valid, pattern="{n:d}_{delay:d}.tif", client=client)
    assert table(tmp_path / "one") == table(here)
    processes.start_worker("w1", threads=2)
    client.wait_for_workers(2, timeout=60)


def test_align_in_memory_gives_the_same_shifts(client, scan, valid, here):
    found = maskreg.align(scan, valid, client=client)
    expected = open_run(here)
    np.testing.assert_array_equal(found.shifts, expected.shifts)
    assert found.status == expected.status


@pytest.mark.parametrize("order", ["the cluster first", "threads first"])
def test_a_run_begun_by_one_kind_of_runner_is_finished_by_another(
    client, scan, valid, here, tmp_path, monkeypatch, order
):
    from maskreg.outputs import Record

    kinds = [{"client": client}, {"workers": 2}]
    first, second = kinds if order == "the cluster first" else reversed(kinds)
    write, written = Record.write, []

    def interrupted(self, *row):
        if len(written) == 25:
            raise KeyboardInterrupt
        written.append(row)
        write(self, *row)

    monkeypatch.setattr(Record, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        align_run(scan, tmp_path / "run", valid, pattern="{n:d}_{delay:d}.tif", **first)
    monkeypatch.undo()
    align_run(scan, tmp_path / "run", valid, pattern="{n:d}_{delay:d}.tif", **second)
    assert table(tmp_path / "run") == table(here)


def test_a_killed_worker_leaves_no_trace_in_the_table(
    processes, client, scan, valid, here, tmp_path, monkeypatch
):
    from maskreg.outputs import Record

    write, written = Record.write, []

    def killing(self, *row):
        written.append(row)
        if len(written) == 5:
            processes.kill("w1")
        write(self, *row)

    monkeypatch.setattr(Record, "write", killing)
    align_run(scan, tmp_path / "run", valid, pattern="{n:d}_{delay:d}.tif", client=client)
    monkeypatch.undo()
    assert table(tmp_path / "run") == table(here)
    processes.start_worker("w1", threads=2)
    client.wait_for_workers(2, timeout=60)


def test_the_mean_of_a_series_has_the_same_bytes(client, scan, valid, tmp_path):
    align_run(scan, tmp_path / "here", valid, reference="mean", workers=2)
    align_run(scan, tmp_path / "there", valid, reference="mean", client=client)
    assert "mean" in table(tmp_path / "here")
    assert table(tmp_path / "there") == table(tmp_path / "here")


@pytest.mark.parametrize("how", [{}, {"order": 0, "include": ["outlier"]}])
def test_workers_write_the_shards_of_apply(client, here, tmp_path, monkeypatch, how):
    monkeypatch.setattr("maskreg.outputs.description.BATCH_BYTES", 9 * SHAPE[0] * SHAPE[1] * 4)
    open_run(here).apply(tmp_path / "here.zarr", **how)
    open_run(here).apply(tmp_path / "there.zarr", client=client, **how)
    assert len(content(tmp_path / "here.zarr")) > 2 * COUNT // 18
    assert content(tmp_path / "there.zarr") == content(tmp_path / "here.zarr")
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("how", [{}, {"by": "delay", "halves": True}, {"by": "n", "normalise": True}])
def test_workers_add_up_and_write_what_is_merged(client, here, tmp_path, how):
    open_run(here).merge(tmp_path / "here.zarr", workers=2, **how)
    open_run(here).merge(tmp_path / "there.zarr", client=client, **how)
    assert content(tmp_path / "there.zarr") == content(tmp_path / "here.zarr")
    factors = [tmp_path / f"{name}_factors.csv" for name in ("here", "there")]
    assert [file.exists() for file in factors] == [bool(how.get("normalise"))] * 2
    if how.get("normalise"):
        assert factors[0].read_text() == factors[1].read_text()


def test_what_is_merged_without_a_file_or_into_one_file_comes_back(client, here, tmp_path):
    (one,), (two,) = open_run(here).merge(workers=1), open_run(here).merge(client=client)
    for name, image in one.images.items():
        np.testing.assert_array_equal(two.images[name], image)
    open_run(here).merge(tmp_path / "here.tif", workers=1)
    open_run(here).merge(tmp_path / "there.tif", client=client)
    for name in ("mean", "count", "sem", "var"):
        pages = [(tmp_path / f"{place}_{name}.tif").read_bytes() for place in ("here", "there")]
        assert pages[0] == pages[1]


@pytest.mark.parametrize("done", [0, 4])
def test_every_plane_is_in_one_shard_and_every_shard_has_one_writer(tmp_path, done):
    told = Description((Layer("frames", np.dtype(np.uint8)),), (4, 5), 11, batch=2)
    with pytest.raises(KeyboardInterrupt), open_stack(tmp_path / "out.zarr", told) as writer:
        for _ in range(done):
            writer.write({"frames": np.ones((4, 5), np.uint8)})
        assert [plane for begin, end in writer.batches() for plane in range(begin, end)] == list(
            range(done, 11)
        )
        assert all(begin % 2 == 0 and end - begin <= 2 for begin, end in writer.batches())
        raise KeyboardInterrupt
    assert open_stack(tmp_path / "out.h5", told).shards() is None


@pytest.mark.parametrize("verb", ["apply", "merge"])
def test_an_output_begun_by_one_kind_of_runner_is_finished_by_another(
    client, here, tmp_path, monkeypatch, verb
):
    monkeypatch.setattr("maskreg.outputs.description.BATCH_BYTES", 9 * SHAPE[0] * SHAPE[1] * 4)
    how = {"by": "n"} if verb == "merge" else {}
    getattr(open_run(here), verb)(tmp_path / "here.zarr", **how)
    written, noted = StackWriter.written, []

    def interrupted(self, *batch):
        if len(noted) == 3:
            raise KeyboardInterrupt
        noted.append(batch)
        written(self, *batch)

    monkeypatch.setattr(StackWriter, "written", interrupted)
    with pytest.raises(KeyboardInterrupt):
        getattr(open_run(here), verb)(tmp_path / "there.zarr", client=client, **how)
    assert (tmp_path / "there.zarr.part").exists()
    monkeypatch.undo()
    monkeypatch.setattr("maskreg.outputs.description.BATCH_BYTES", 9 * SHAPE[0] * SHAPE[1] * 4)
    getattr(open_run(here), verb)(tmp_path / "there.zarr", workers=2, **how)
    assert content(tmp_path / "there.zarr") == content(tmp_path / "here.zarr")


def test_one_file_cannot_be_written_by_many(client, here, tmp_path):
    with pytest.raises(InputError, match=r"out\.h5.*workers write \.zarr"):
        open_run(here).apply(tmp_path / "out.h5", client=client)
    assert not list(tmp_path.iterdir())


def test_frames_in_memory_are_refused_with_what_to_do(client, frames):
    with pytest.raises(InputError, match=r"frames are arrays in this process.*leave client out"):
        maskreg.align(frames, client=client)


def test_frames_that_are_yielded_are_made_here(client, here):
    with pytest.raises(InputError, match="client needs an output"):
        open_run(here).apply(client=client)


def test_a_process_that_does_not_see_the_files_says_which(scan, tmp_path):
    """What a worker does before its first frame, on files that have gone since they were looked at."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for file in list(scan.glob("00*.tif"))[:3]:
        (folder / file.name).write_bytes(file.read_bytes())
    with open_frames(folder) as source:
        work = sent(source.read, source)
        work.check()
        first = folder / source.name(0)
        tifffile.imwrite(first, np.zeros(SHAPE, np.uint16))
        with pytest.raises(ClusterError, match=f"another image as {first.name} in {folder}"):
            work.check()
        first.unlink()
        with pytest.raises(ClusterError, match=f"cannot read the frames in {folder}: {first.name}"):
            work.check()
        folder.rename(tmp_path / "elsewhere")
        with pytest.raises(ClusterError, match=f"does not see the folder {folder}"):
            work.check()


def test_a_share_that_is_lost_on_a_worker_names_the_worker(client, scan, valid, tmp_path, monkeypatch):
    from maskreg.outputs import Record

    folder = tmp_path / "frames"
    folder.mkdir()
    for file in scan.iterdir():
        os.link(file, folder / file.name)
    write, written = Record.write, []

    def losing(self, *row):
        written.append(row)
        if len(written) == 1:
            folder.rename(tmp_path / "lost")
        write(self, *row)

    monkeypatch.setattr(Record, "write", losing)
    monkeypatch.setattr("maskreg.series.pipeline.MOST_FRAMES", 1)
    with pytest.raises(maskreg.errors.RunError, match=r"worker tcp://.*is not there any more"):
        align_run(folder, tmp_path / "run", valid, client=client)


def test_the_command_line_takes_an_address_a_scheduler_file_or_a_number(
    processes, client, scan, here, tmp_path, capsys
):
    tifffile.imwrite(
        tmp_path / "valid.tif",
        np.where(np.arange(SHAPE[0])[:, None] < 60, 255, 0).astype(np.uint8) * np.ones(SHAPE, np.uint8),
    )
    common = ["--valid", str(tmp_path / "valid.tif"), "--no-report", "--json"]
    tables = []
    for number, where in enumerate(["1", processes.address, str(processes.scheduler_file), "local:1"]):
        how = ["--workers", where] if where == "1" else ["--dask", where]
        assert main(["align", str(scan), "-o", str(tmp_path / f"run{number}"), *common, *how]) == 3
        assert json.loads(capsys.readouterr().out)["frames"] == COUNT
        tables.append(table(tmp_path / f"run{number}"))
    assert len(set(tables)) == 1
    for verb in ("apply", "merge"):
        outputs = []
        for how in (["--workers", "1"], ["--dask", processes.address]):
            out = tmp_path / f"{verb}{len(outputs)}.zarr"
            assert main([verb, str(tmp_path / "run0"), "-o", str(out), *how]) == 3
            outputs.append(content(out))
        assert outputs[0] == outputs[1]


def test_a_scheduler_that_does_not_answer_is_one_line_and_exit_code_1(scan, tmp_path, capsys):
    code = main(
        [
            "align",
            str(scan),
            "-o",
            str(tmp_path / "run"),
            "--dask",
            "tcp://127.0.0.1:9",
            "--dask-timeout",
            "1",
        ]
    )
    assert code == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(errors) == 1
    assert "no scheduler answers at tcp://127.0.0.1:9 within 1 s" in errors[0]


WAITS_FOR_EVER = """
import time
from maskreg.cli.main import script
from maskreg.stream import connect
from maskreg.stream.cluster import Cluster
connect.LEFT_IN = 0.0  # as on a machine that is short of time
def wait(self, *work, **options):
    print("started", flush=True)
    time.sleep(600)
Cluster.map = wait
script()
"""


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_ctrl_c_with_workers_of_its_own_is_one_line_and_exit_code_130(scan, tmp_path):
    command = ["align", scan, "-o", tmp_path / "run", "--dask", "local:2", "--quiet"]
    with subprocess.Popen(
        [sys.executable, "-c", WAITS_FOR_EVER, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "maskreg: interrupted; what is done is kept, the same command goes on\n"


def test_no_time_to_wait_is_no_time(monkeypatch):
    asked = []
    monkeypatch.setattr(
        connect, "connected", lambda place, *, timeout: asked.append(timeout) or nullcontext()
    )
    for given in (0.0, None):
        with cluster_of(Namespace(dask="local:1", dask_timeout=given, workers=None)):
            pass
    assert asked == [0.0, TIMEOUT]


def test_flags_that_contradict_each_other_are_wrong_usage(scan, tmp_path, capsys):
    run = ["align", str(scan), "-o", str(tmp_path / "run")]
    assert main([*run, "--dask", "tcp://127.0.0.1:9", "--workers", "2"]) == 2
    assert "give one of them" in capsys.readouterr().err
    assert main([*run, "--dask-timeout", "5"]) == 2
    assert main([*run, "--dask", "somewhere"]) == 2
    assert "local:N or a scheduler file" in capsys.readouterr().err


def test_the_lost_scheduler_ends_a_run_that_can_go_on(scan, valid, here, tmp_path, monkeypatch, caplog):
    from maskreg.outputs import Record

    caplog.set_level(logging.CRITICAL, "distributed")
    monkeypatch.setattr("maskreg.series.pipeline.MOST_FRAMES", 1)
    with real_cluster(tmp_path / "cluster", workers=1) as processes, processes.client(1) as client:
        write, written = Record.write, []

        def losing(self, *row):
            written.append(row)
            if len(written) == 5:
                processes.kill_scheduler()
            write(self, *row)

        monkeypatch.setattr(Record, "write", losing)
        with pytest.raises(ClusterError, match="connection to the scheduler"):
            align_run(scan, tmp_path / "run", valid, pattern="{n:d}_{delay:d}.tif", client=client)
        monkeypatch.undo()
    assert len(written) < COUNT
    align_run(scan, tmp_path / "run", valid, pattern="{n:d}_{delay:d}.tif", workers=2)
    assert table(tmp_path / "run") == table(here)
