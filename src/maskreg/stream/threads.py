"""The runner on threads.

The threads are daemons of our own and not those of `concurrent.futures`, because the interpreter
joins the latter before it ends: an interrupt would then wait for the slowest task. Ours are given
`PATIENCE` to finish, and are then left behind.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from maskreg.stream.foreseen import told_soon

Item = TypeVar("Item")
Result = TypeVar("Result")

PATIENCE = 0.5
"""How long running tasks are waited for when the map ends early, s."""


class _Pool:
    """A fixed number of daemon threads that work off one queue."""

    def __init__(self, workers: int) -> None:
        self._tasks: SimpleQueue[tuple[Future[Any], Callable[[Any], Any], Any] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        for number in range(workers):
            thread = threading.Thread(target=self._work, name=f"maskreg-{number}", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system allows no more; fewer give the same results
                if not self._threads:
                    raise
                break
            self._threads.append(thread)

    def submit(self, function: Callable[[Item], Result], item: Item) -> Future[Result]:
        future: Future[Result] = Future()
        self._tasks.put((future, function, item))
        return future

    def stop(self) -> None:
        """Tell every thread to end after its present task, and wait for them, but not for long."""
        for _ in self._threads:
            self._tasks.put(None)
        deadline = time.monotonic() + PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            _run(*task)
            del task  # a waiting thread must not keep its last frame alive


def _run(future: Future[Result], function: Callable[[Item], Result], item: Item) -> None:
    """Run one task unless it was cancelled; its result or exception is raised in its place."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function(item))
    except BaseException as error:
        future.set_exception(error)


def threaded_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, in_flight: int
) -> Generator[Result, None, None]:
    """Yield ``function(item)`` for every item, in order; see `maskreg.stream.ordered_map`."""
    pending: deque[Future[Result]] = deque()
    soon = told_soon(function)
    pool = _Pool(workers)
    try:
        for item in items:
            if soon is not None:
                soon(item)  # others are before it
            pending.append(pool.submit(function, item))
            if len(pending) == in_flight:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
        pool.stop()
