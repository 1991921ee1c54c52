"""The same work on several parts at once, on as many threads as SciPy's transforms may use."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

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

    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(take) for _ in range(threads - 1)]
        take()
        for other in others:
            other.result()
