"""Work on several threads at once, as many as SciPy's transforms may use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache

import scipy.fft


def in_parallel(work: Callable[[int], object], parts: int) -> None:
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
        begun = [other for other in others if not other.cancel()]  # who has not begun finds nothing left
        wait(begun)
    for other in begun:
        other.result()


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """Do some work on another thread during the block, which ends with it; not at all on one thread alone."""
    if scipy.fft.get_workers() < 2:
        yield
        return
    beside = _pool(1).submit(work)
    try:
        yield
    finally:
        wait([beside])
    beside.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Return threads that stay: to begin and to end some takes as long as transforming a small image."""
    return ThreadPoolExecutor(threads, "maskreg")


if hasattr(os, "register_at_fork"):  # a new process has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
