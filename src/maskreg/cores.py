"""How many processors there are for this process, and for one call."""

from __future__ import annotations

import os
import sys
import threading

_MOST_WORKERS = 1024
"""More frames at once than this only cost memory, unless a machine has more cores."""


def most_workers() -> int:
    """Return how many frames may be worked on at once, at most: more are a slip of the pen."""
    return max(_MOST_WORKERS, available_cores())


def available_cores() -> int:
    """Return how many processors this process may use (fewer than the machine has, in a container)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cores_of_a_call() -> int:
    """Return how many processors one call may use that was not told a number.

    All, or as many as OMP_NUM_THREADS says, as for the linear algebra beneath NumPy. One where somebody has
    started this thread, or this process, to work beside others: the processors are theirs as well.
    """
    if threading.current_thread() is not threading.main_thread() or _is_a_worker():
        return 1
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(available_cores(), int(told)) if told.isdecimal() and int(told) else available_cores()


def _is_a_worker() -> bool:
    """Whether the standard library's multiprocessing has started this process."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    return multiprocessing is not None and multiprocessing.parent_process() is not None
