"""A run in a process of its own, to be killed: the real machinery, but a cheap registration.

    python cheap_run.py align|watch FOLDER RUN LOG

Every frame that is registered leaves a line in LOG: its number and the time.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np

from maskreg.registration import Registration, Status

SECONDS = 0.004
"""Time that a frame takes."""


def stand_in(log: str):
    """Return what registers a frame: its first pixel is its number, and its shift follows from that."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def register(image):
        number = int(image[0, 0])
        time.sleep(SECONDS)
        os.write(file, f"{number} {time.monotonic()}\n".encode())
        shift = np.array([np.sin(number / 50), number / 300])
        return Registration(shift, 1e-4 * np.eye(2), 0.9, 20.0 + number, 1.0, None, Status.OK)

    return register


def main(verb: str, folder: str, run: str, log: str) -> int:
    """Run the command with the stand-in."""
    from maskreg.cli import main
    from maskreg.series.before.prepared import Prepared
    from maskreg.series.watch import folder as watched

    Prepared.registrar = lambda self: stand_in(log)
    watched.INTERVAL = 0.1
    when = ["--settle", "0", "--until-idle", "0.2"] if verb == "watch" else ["--no-progress"]
    return main([verb, folder, "-o", run, "--workers", "2", "--no-report", *when])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
