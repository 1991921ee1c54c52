"""What a run has done so far, seen from outside while it is written."""

from __future__ import annotations

import time
from pathlib import Path

from maskreg.errors import RunError
from maskreg.series import read_run

PATIENCE = 60
"""How long a frame may take on a machine that is short of time, s."""


def frames_done(run: Path) -> int:
    """Return how many frames are in the record; none while the record itself is being made."""
    try:
        return len(read_run(run)[1])
    except RunError:
        return 0


def wait_until_done(run: Path, frames: int) -> None:
    """Return once so many frames are in the record."""
    deadline = time.monotonic() + PATIENCE
    while (done := frames_done(run)) < frames:
        assert time.monotonic() < deadline, f"{done} of {frames} frames after {PATIENCE} s"
        time.sleep(0.02)
