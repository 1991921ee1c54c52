"""Align a series that is not in memory: how near the rate is to that of reading alone.

    python -m benchmarks.cold FOLDER [--frames 550] [--workers 2] [--turns 3]

Writes an uncompressed NPY file of 2048 x 2048 uint16 frames into FOLDER (550: 4.6 GB; deleted at the end) and
a file of its first 50. Before each turn the page cache of both is dropped (posix_fadvise). Then, taking
turns: reading the large file in blocks of one frame, `maskreg align` of the large one, and of the small one.
The rate of aligning is that of the frames beyond the first 50: start, first look and compiler are left out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.machine import describe

FIRST = 50
"""Frames that are left out."""

DISTINCT = 16
"""So many frames are simulated; the series repeats them."""

CEILING = 768.0
"""MB/s, beyond which no disk is waited for."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where to put the frames")
    parser.add_argument("--frames", type=int, default=550)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    args = parser.parse_args()
    if args.frames <= FIRST:
        parser.error(f"--frames {args.frames}: the first {FIRST} are left out")
    args.folder.mkdir(parents=True, exist_ok=True)
    print(describe("maskreg", "numpy", "numba"))
    folder = Path(tempfile.mkdtemp(dir=args.folder))
    try:
        large, small, mask = _written(folder, args.frames)
        _timed(lambda: _align(small, mask, folder / "warm", args.workers))
        turns: dict[str, list[float]] = {"read": [], "large": [], "small": []}
        for k in range(args.turns):
            for path in (large, small):
                _dropped(path)
            turns["read"].append(_timed(lambda: _read(large)))
            _dropped(large)
            turns["large"].append(_timed(lambda k=k: _align(large, mask, folder / f"l{k}", args.workers)))
            turns["small"].append(_timed(lambda k=k: _align(small, mask, folder / f"s{k}", args.workers)))
    finally:
        shutil.rmtree(folder)
    megabytes = 2048 * 2048 * 2 / 1e6
    read = args.frames * megabytes / median(turns["read"])
    beyond = (args.frames - FIRST) * megabytes
    longer = [one - few for one, few in zip(turns["large"], turns["small"], strict=True)]
    if min(longer) <= 0:
        sys.exit(f"{args.frames} frames took no longer than the first {FIRST}; take more of them")
    align = median(beyond / seconds for seconds in longer)
    print(f"{args.frames} frames of 2048 x 2048 uint16, page cache dropped, medians of {args.turns} turns")
    print(f"reading alone {read:.0f} MB/s")
    print(f"maskreg align, {args.workers} workers: {align:.0f} MB/s, {align / megabytes:.0f} frames a second")
    print(f"{align / min(read, CEILING):.2f} of the lesser of reading and {CEILING:.0f} MB/s")


def _written(folder: Path, frames: int) -> tuple[Path, Path, Path]:
    import numpy as np

    from maskreg.testing import ChromiumScan

    scan = ChromiumScan((2048, 2048), scans=2, delays=tuple(range(DISTINCT // 2)))
    distinct = [scan.frame(i) for i in range(DISTINCT)]
    paths = folder / "large.npy", folder / "small.npy"
    for path, count in zip(paths, (frames, FIRST), strict=True):
        stack = np.lib.format.open_memmap(path, "w+", np.uint16, (count, 2048, 2048))
        for k in range(count):
            stack[k] = distinct[k % DISTINCT]
        stack.flush()
        del stack
    np.save(folder / "mask.npy", scan.mask)
    return *paths, folder / "mask.npy"


def _dropped(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _read(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        block = bytearray(2048 * 2048 * 2)
        while file.readinto(block):
            pass


def _align(path: Path, mask: Path, run: Path, workers: int) -> None:
    command = [sys.executable, "-m", "maskreg", "align", str(path), "-o", str(run), "--valid", str(mask)]
    done = subprocess.run(
        [*command, "--workers", str(workers), "-q", "--no-report"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 3):
        sys.exit(done.stderr)


def _timed(run) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
