"""Dask workers beside the processes and threads of one machine, and on paper what bounds many workers.

    python -m benchmarks.scale [--frames 1500] [--size 1024] [--turns 3] [--workers 2]

Processes that `align` forks on Linux, threads, which it takes elsewhere, and workers (processes of
``local:N``, one thread each) register the same files in turns, twice as many frames every second time: the
difference is the time of frames alone, without start and preparation.
Then the constants are measured that bound many workers, and the tables on paper computed from them.
"""

from __future__ import annotations

from benchmarks.machine import describe, limit_threads, print_table

limit_threads(1)

import argparse  # noqa: E402
import logging  # noqa: E402
import math  # noqa: E402
import multiprocessing  # noqa: E402
import os  # noqa: E402
import pickle  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from contextlib import closing  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import median  # noqa: E402

import numpy as np  # noqa: E402
import tifffile  # noqa: E402

from maskreg.frames import open_frames  # noqa: E402
from maskreg.options import Options  # noqa: E402
from maskreg.outputs import Record  # noqa: E402
from maskreg.series.before.prepared import SeriesRegistrar, prepare  # noqa: E402
from maskreg.series.pipeline import MOST_FRAMES, TASK_SECONDS  # noqa: E402
from maskreg.stream import can_fork  # noqa: E402
from maskreg.stream.connect import connected  # noqa: E402
from maskreg.testing import ChromiumScan  # noqa: E402

KEPT = 48
"""So many frames are different; the files of the others are links to theirs."""

WORKERS = (10, 100, 1000)
SERIES = {"300 GB": 300e9, "100 TB": 100e12}
STORAGE = {"a share, 1 GB/s": 1e9, "parallel, 10 GB/s": 10e9, "parallel, 100 GB/s": 100e9}
LINK = 1.25e9
"""From worker to worker, bytes a second: 10 Gbit/s."""


def written(folder: Path, size: int, frames: int) -> np.ndarray:
    """Write the frames and return their mask."""
    scan = ChromiumScan((size, size))
    scan.write(folder / "scan")
    rng = np.random.default_rng(0)
    sources = [tifffile.imread(file) for file in sorted((folder / "scan" / "frames").rglob("*.tif"))]
    kinds = ["few", "many"]
    for kind in kinds:
        (folder / kind).mkdir()
    for number in range(min(KEPT, 2 * frames)):
        image = rng.poisson(sources[number % len(sources)]).astype(np.uint16)
        tifffile.imwrite(folder / "many" / f"f{number:06d}.tif", image)
    for number in range(2 * frames):
        file = folder / "many" / f"f{number:06d}.tif"
        if number >= KEPT:
            os.link(folder / "many" / f"f{number % KEPT:06d}.tif", file)
        if number < frames:
            os.link(file, folder / "few" / file.name)
    return tifffile.imread(folder / "scan" / "valid_mask.tif") > 0


def seconds_of(work, *arguments, **options) -> float:
    begin = time.perf_counter()
    work(*arguments, **options)
    return time.perf_counter() - begin


class Apart:
    """A process that has no thread but its own, as `maskreg align`: only there can processes be forked."""

    def __init__(self, folder: Path, mask: np.ndarray, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_apart, args=(theirs, folder, mask, workers))
        self._process.start()

    def __call__(self, frames: int) -> float:
        """Return the time in which the first frames are registered, s."""
        self._connection.send(frames)
        return float(self._connection.recv())

    def end(self) -> None:
        """End the process."""
        self._connection.send(0)
        self._process.join()


def _apart(connection, folder: Path, mask: np.ndarray, workers: int) -> None:
    assert can_fork()
    with open_frames(folder) as source:
        series = prepare(source, mask, "first", Options())
        while frames := connection.recv():
            connection.send(seconds_of(lambda n=frames: list(series.rows(range(n), workers=workers))))


def compare(folder: Path, mask, args) -> None:
    """Print processes and threads beside workers."""
    times = {}
    forked = Apart(folder / "many", mask, args.workers)
    with connected(f"local:{args.workers}") as cluster, open_frames(folder / "many") as source:
        cluster.client.wait_for_workers(args.workers)
        series = prepare(source, mask, "first", Options())
        ways = {
            "processes": forked,
            # beside the threads of a client no process can be forked
            "threads": lambda n: seconds_of(lambda: list(series.rows(range(n), workers=args.workers))),
            "workers": lambda n: seconds_of(lambda: list(series.rows(range(n), workers=cluster))),
        }
        for turn in range(args.turns + 1):
            for name, way in ways.items():
                for kind, frames in (("few", args.frames), ("many", 2 * args.frames)):
                    taken = way(frames)
                    if turn:  # the first one warms up
                        times.setdefault((name, kind), []).append(taken)
        assert not can_fork()
    forked.end()
    few, many = ({n: median(times[n, k]) for n in ways} for k in ("few", "many"))
    a_frame = {name: (many[name] - few[name]) / args.frames for name in few}
    start = {name: few[name] - args.frames * a_frame[name] for name in few}
    print_table(
        [f"{args.size} squared, {args.workers}", "ms a frame", "start, s", f"{2 * args.frames} frames, s"],
        [[name, f"{1e3 * a_frame[name]:.2f}", f"{start[name]:.2f}", f"{many[name]:.2f}"] for name in few],
    )  # fmt: skip
    for name in ("processes", "threads"):
        print(
            f"speed of workers over {name}: {a_frame[name] / a_frame['workers']:.2f} without the start, "
            f"{many[name] / many['workers']:.2f} with it ({2 * args.frames} frames)"
        )
    print()


def constants(folder: Path, mask, args) -> dict[str, float]:
    """Measure what many workers are bound by."""
    found = {}
    with open_frames(folder / "few") as source:
        series = prepare(source, mask, "first", Options())
        registrar = SeriesRegistrar(series)
        frame = source.read(min(5, args.frames - 1))
        answer = registrar(frame)
        found["frame, s"] = median(seconds_of(registrar, source.read(n % args.frames)) for n in range(60))
        found["read, s"] = median(seconds_of(source.read, n % args.frames) for n in range(60))
        found["package, bytes"] = len(pickle.dumps(registrar))
        found["result, bytes"] = len(pickle.dumps(answer))
        with Record(folder / "run.sqlite", {}, overwrite=False) as record:
            record.number([f"f{number}.tif" for number in range(5000)])
            found["row, s"] = (
                seconds_of(lambda: [record.write(n, f"f{n}.tif", answer, {}) for n in range(5000)]) / 5000
            )
    with connected(f"local:{args.workers}") as cluster:
        cluster.client.wait_for_workers(args.workers)
        with closing(cluster.map(abs, range(20))) as warm:
            list(warm)
        found["task, s"] = seconds_of(lambda: list(cluster.map(abs, range(1500)))) / 1500
    return found


def on_paper(found: dict[str, float], size: int) -> None:
    """Print how long each bound takes, and which of them is the longest."""
    frame = 2.0 * size * size
    a_task = max(1, min(MOST_FRAMES, int(TASK_SECONDS / found["frame, s"])))
    for name, total in SERIES.items():
        frames = total / frame
        print(f"\n{name}: {frames:,.0f} frames of {size} squared, {a_task} frames a task")
        rows = []
        for workers in WORKERS:
            bounds = {
                "computing": frames * (found["frame, s"] + found["read, s"]) / workers,
                "tasks": frames / a_task * found["task, s"],
                "rows": frames * found["row, s"],
                "reference": math.ceil(math.log2(workers)) * found["package, bytes"] / LINK,
            }
            cells = [_human(bounds[key]) for key in bounds]
            for speed in STORAGE.values():
                storage = total / speed
                longest = max({**bounds, "storage": storage}.items(), key=lambda item: item[1])
                cells.append(f"{_human(longest[1])} ({longest[0]})")
            rows.append([f"{workers}", *cells])
        print_table(["workers", "computing", "tasks", "rows", "reference", *STORAGE], rows)


def _human(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.2g} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, default=1500)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--paper-size", type=int, default=2048, help="of the frames of the tables on paper")
    args = parser.parse_args()
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    print(describe("numpy", "numba", "distributed"), "\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compare(folder, written(folder, args.size, args.frames), args)
    args.size, args.frames = args.paper_size, KEPT
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = constants(folder, written(folder, args.size, args.frames), args)
    for key, value in found.items():
        print(
            f"{key.split(', ')[0]:>8}: {value * 1e3:.3g} ms"
            if key.endswith(" s")
            else f"{key.split(', ')[0]:>8}: {value:,.0f} bytes"
        )
    on_paper(found, args.size)


if __name__ == "__main__":
    main()
