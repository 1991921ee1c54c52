"""How long `align` and `watch` take to end after Ctrl-C or SIGTERM, in the midst of their work.

    python -m benchmarks.interrupts [--turns 10] [--size 1024]

Each process is interrupted at a random moment after its first rows are in the record; POSIX only.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from maskreg.errors import RunError
from maskreg.series import read_run
from maskreg.testing.chromium import ChromiumScan


def seconds_to_end(command, run, kind, delay):
    """Start a command, interrupt it once it is at work, and return its exit code and how long it took."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not _rows(run):
            time.sleep(0.02)
        time.sleep(delay)
        begin = time.monotonic()
        process.send_signal(kind)
        process.wait()
        return process.returncode, time.monotonic() - begin


def _rows(run):
    try:
        return len(read_run(run)[1])
    except RunError:  # it has not begun
        return 0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--size", type=int, default=1024)
    args = parser.parse_args()
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        scan = ChromiumScan((args.size, args.size), scans=12, delays=tuple(np.arange(40.0)))
        scan.write(folder)
        print(f"{'verb':6} {'signal':8} {'median s':>9} {'largest s':>9}  exit codes")
        for verb in ("align", "watch"):
            for kind in (signal.SIGINT, signal.SIGTERM):
                found = []
                for turn in range(args.turns):
                    run = folder / f"{verb}-{kind.name}-{turn}"
                    command = [sys.executable, "-m", "maskreg", verb, str(folder / "frames"), "-o", str(run)]
                    found.append(seconds_to_end(command, run, kind, rng.uniform(0, 0.5)))
                codes, seconds = zip(*found, strict=True)
                print(
                    f"{verb:6} {kind.name:8} {np.median(seconds):9.2f} {max(seconds):9.2f}"
                    f"  {', '.join(map(str, sorted(set(codes))))}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
