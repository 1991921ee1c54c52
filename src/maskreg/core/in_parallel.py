"""The same work on several parts at once, on as many threads as SciPy's transforms may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache

import scipy.fft


def in_parallel(work: Callable[[int], None], parts: int) -> None:
    """Call `work` for each number below `parts`; each part has a result of its own to write to.

    Within `scipy.fft.set_workers(n)` on n threads, this one among them; a transform in a part has one. Where
    there is one part alone, its transforms have them all.
    """
    threads = min(scipy.fft.get_workers(), parts)
    if threads < 2:
        for part in range(parts):
            work(part)
        return
    left = iter(range(parts))  # each thread takes the next one

    def take() -> None:
        with scipy.fft.set_workers(1):
            for part in left:
                work(part)

    pool = _pool(threads - 1)
    others = [pool.submit(take) for _ in range(threads - 1)]
    try:
        take()
    finally:
        wait(others)
    for other in others:
        other.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Return threads that stay: to begin and to end some takes as long as transforming a small image."""
    return ThreadPoolExecutor(threads, "maskreg")


if hasattr(os, "register_at_fork"):  # a new process has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
