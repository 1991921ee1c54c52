"""A long run of small frames: memory, open files and rate from beginning to end.

    python -m benchmarks.soak [--frames 20000] [--size 64]

First `watch` registers frames while they are written, then `align` the same folder. Each runs in a
process of its own, which is looked at from outside (Linux). Exit code 1 when memory or open files
grow, the rate falls, or the two tables differ.
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

PARTS = 10
"""How many lines the table has."""


class Sample(NamedTuple):
    """A process at one moment."""

    seconds: float
    frames: int
    memory: float
    """MB."""
    files: int


def write_frames(folder, frames, size, *, rate=None):
    """Write small frames of a scene that drifts, at most `rate` a second, each whole at once."""
    rng = np.random.default_rng(0)
    scene = np.kron(rng.integers(50, 400, (3 * size // 4, 3 * size // 4)), np.ones((4, 4)))
    begin = time.monotonic()
    for number in range(frames):
        row, col = (size + 6 * np.sin([number / 900, number / 700])).astype(int)
        image = rng.poisson(scene[row : row + size, col : col + size]).astype(np.uint16)
        part = folder / f".f{number}.npy"
        np.save(part, image)
        part.rename(folder / f"f{number}.npy")
        if rate is not None:
            time.sleep(max(0.0, begin + number / rate - time.monotonic()))


def sample(process, run, begin):
    """Return what a process is like now, or None when it has ended or not begun."""
    status = Path(f"/proc/{process.pid}/status")
    try:
        memory = next(int(line.split()[1]) for line in status.read_text().splitlines() if "VmRSS" in line)
        files = sum(1 for _ in Path(f"/proc/{process.pid}/fd").iterdir())
        uri = f"file:{run}/run.sqlite?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as database:
            (frames,) = database.execute("SELECT count(*) FROM frames").fetchone()
    except (OSError, StopIteration, sqlite3.Error):
        return None
    return Sample(time.monotonic() - begin, frames, memory / 1000, files)


def followed(arguments, run, frames):
    """Run the command line and return its exit code and samples, about one for each part of the frames."""
    samples, due = [], frames / (PARTS + 1)
    begin = time.monotonic()
    command = [sys.executable, "-m", "maskreg", *arguments, "-o", str(run), "-q"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            now = sample(process, run, begin)
            if now and now.frames >= due:
                samples.append(now)
                due = now.frames + frames / (PARTS + 1)
            time.sleep(0.02)
    return process.returncode, samples


def judge(samples):
    """Return what is not constant, from the second sample on (the first is while all is loaded)."""
    if not samples:
        return ["it was never seen at work"]
    settled, last, problems = samples[min(1, len(samples) - 1)], samples[-1], []
    if last.memory > 1.15 * settled.memory + 10:
        problems.append(f"memory grew from {settled.memory:.0f} to {last.memory:.0f} MB")
    if last.files > settled.files + 2:
        problems.append(f"open files grew from {settled.files} to {last.files}")
    return problems


def rates(samples):
    """Return the frames a second between each two samples."""
    return [(b.frames - a.frames) / (b.seconds - a.seconds) for a, b in pairwise(samples)]


def soak(folder, frames, size, rate):
    """Run both verbs on the frames; return the samples of each, and what is wrong."""
    inbox = folder / "frames"
    inbox.mkdir()
    writer = threading.Thread(target=write_frames, args=(inbox, frames, size), kwargs={"rate": rate})
    writer.start()
    code, watched = followed(["watch", str(inbox), "--until-idle", "8"], folder / "watched", frames)
    writer.join()
    # the report loads libraries of its own, once
    again, aligned = followed(["align", str(inbox), "--no-report"], folder / "aligned", frames)
    problems = [f"watch: {problem}" for problem in judge(watched)]
    problems += [f"align: {problem}" for problem in judge(aligned)]
    if code not in (0, 3) or again != code:
        problems.append(f"exit codes {code} and {again}")
    elif (folder / "watched/shifts.csv").read_bytes() != (folder / "aligned/shifts.csv").read_bytes():
        problems.append("the two tables differ")
    return {"watch": watched, "align": aligned}, problems


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--rate", type=float, default=300, help="frames written a second, while watched")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        samples, problems = soak(Path(folder), args.frames, args.size, args.rate)
    for verb, found in samples.items():
        print(f"{verb}: {args.frames} frames of {args.size} x {args.size} px")
        print(f"{'frames':>8} {'seconds':>8} {'a second':>9} {'MB':>6} {'files':>6}")
        for now, speed in zip(found, [float("nan"), *rates(found)], strict=True):
            print(f"{now.frames:8} {now.seconds:8.1f} {speed:9.1f} {now.memory:6.0f} {now.files:6}")
        if len(found) < 4:
            problems.append(f"{verb}: too few samples to tell a rate from; take more frames")
        else:
            before, after = rates([found[1], found[len(found) // 2], found[-1]])
            if after < 0.6 * before:
                problems.append(f"{verb}: the rate fell from {before:.0f} to {after:.0f} a second")
    print("\n".join(problems) or "memory, open files and rate are constant, and both tables are the same")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
