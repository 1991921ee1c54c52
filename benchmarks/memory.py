"""What `maskreg align` takes of memory, and when its first row is there, against what was planned.

    python -m benchmarks.memory FOLDER [--sizes 512 1024 2048] [--frames 20 200] [--workers 2] [--turns 3]

Writes uncompressed NPY files of uint16 frames (simulated chromium rings behind a beam-block) into FOLDER
(2048 squared, 200 frames: 1.7 GB; deleted at the end). Each run is a process of its own, its kernels in the
cache: `maskreg align` without a report. The peak is the greatest resident size of the process and its workers
together, looked at every hundredth of a second (Linux); the time is that from its start to the first row that
was registered, the program's imports included.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.machine import describe, print_table

DISTINCT = 16
"""So many frames are simulated; the series repeats them."""

LOOK = 0.01
"""How often memory is looked at, s."""

FEWEST = 12
"""The time of a frame is taken from the eleventh to the last."""

ALIGN = """
import json, sys, time
begun = float(sys.argv[1])
from maskreg.cli.main import main
from maskreg.outputs import Record
rows, write = [], Record.write
def noted(*args, **keywords):
    write(*args, **keywords)
    rows.append(time.time())
Record.write = noted
try:
    main(sys.argv[2:])
except SystemExit:
    pass
print(json.dumps([rows[1] - begun, (rows[-1] - rows[10]) / (len(rows) - 11)]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where to put the frames")
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048], metavar="PX")
    parser.add_argument("--frames", type=int, nargs="+", default=[20, 200])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    args = parser.parse_args()
    if min(args.frames) < FEWEST:
        parser.error(f"--frames {min(args.frames)}: the time of a frame needs {FEWEST} frames")
    args.folder.mkdir(parents=True, exist_ok=True)
    print(describe("maskreg", "numpy", "numba"))
    print(f"maskreg align, {args.workers} workers, medians of {args.turns} runs")
    rows = []
    for size in args.sizes:
        folder = Path(tempfile.mkdtemp(dir=args.folder))
        try:
            rows += _measured(folder, size, args)
        finally:
            shutil.rmtree(folder)
    print_table(["frames", "planned MB", "peak MB", "first row s", "then a frame ms"], rows)


def _measured(folder: Path, size: int, args: argparse.Namespace) -> list[list[str]]:
    rows = []
    paths = _written(folder, size, args.frames)
    _run(folder, paths[0], args.workers)  # fills the cache of the compiler
    for path, count in zip(paths, args.frames, strict=True):
        planned = json.loads(_maskreg("info", str(path), "--json"))["memory_mb"]
        found = [_run(folder, path, args.workers) for _ in range(args.turns)]
        peak, first, frame = (median(one[k] for one in found) for k in range(3))
        name = f"{count} of {size} x {size}"
        rows.append([name, f"{planned:.0f}", f"{peak:.0f}", f"{first:.2f}", f"{1e3 * frame:.1f}"])
    return rows


def _written(folder: Path, size: int, frames: list[int]) -> list[Path]:
    import numpy as np

    from maskreg.testing import ChromiumScan

    scan = ChromiumScan((size, size), scans=2, delays=tuple(range(DISTINCT // 2)))
    distinct = [scan.frame(i) for i in range(DISTINCT)]
    paths = [folder / f"{count}.npy" for count in frames]
    for path, count in zip(paths, frames, strict=True):
        stack = np.lib.format.open_memmap(path, "w+", np.uint16, (count, size, size))
        for k in range(count):
            stack[k] = distinct[k % DISTINCT]
        del stack
    np.save(folder / "mask.npy", scan.mask)
    return paths


def _run(folder: Path, path: Path, workers: int) -> list[float]:
    run = ["align", path, "-o", folder / "run", "--valid", folder / "mask.npy", "--workers", workers]
    command = [
        sys.executable,
        "-c",
        ALIGN,
        str(time.time()),
        *map(str, run),
        "--overwrite",
        "--no-report",
        "-q",
    ]
    process, peak = subprocess.Popen(command, stdout=subprocess.PIPE, text=True), 0
    while process.poll() is None:
        peak = max(peak, _resident(process.pid))
        time.sleep(LOOK)
    assert process.stdout is not None
    printed = process.stdout.read()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, printed)
    found: list[float] = [peak / 1e6, *json.loads(printed.splitlines()[-1])]
    return found


def _resident(pid: int) -> int:
    """Return what a process and its children hold, bytes; shared pages count once."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        sizes = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        found = sum(1024 * int(line.split()[1]) for line in sizes if line.startswith("Pss:"))
        return found + sum(_resident(int(child)) for child in children.read_text().split())
    except OSError:  # it has just ended
        return 0


def _maskreg(*arguments: str) -> str:
    command = [sys.executable, "-m", "maskreg", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
