"""The runner on processes that are forked from this one.

Threads take turns with the interpreter; processes do not. Forked ones share what was made before: the
first items are therefore done here, and the workers begin with all that these have left in memory.
Items and results are small and go through a pipe to each worker, which has the next batch before it
is done with the last. A worker ignores Ctrl-C, which this process answers for all, and dies with this
process, however that ends. One that is killed, for want of memory perhaps, is replaced, and its batches
are done again.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from maskreg.errors import RunError
from maskreg.forking import SIGNALS, end_with, undisturbed
from maskreg.stream.batch import Raised, results_of

log = logging.getLogger(__name__)

HELD = 2
"""Batches a worker has at once: the next is there when it is done with the last."""

AT_HOME = 16
"""Most items that are done here first."""

DEATHS = 3
"""So many workers may die of one batch."""

PATIENCE = 0.5
"""How long a worker that was killed is waited for, s."""

STANDING_STILL = ("maskreg-signals", "maskreg_")
"""Names of threads, or how they begin, that hold no lock while this process is forked: they wait for this
thread, or for the end of a process (the second are those of `maskreg.core.machine`)."""

_replaceable = False


@dataclass(frozen=True)
class Forked:
    """So many processes that are forked from this one.

    Attributes
    ----------
    workers : int
    begun : callable
        Whether a result says that everything is made that the workers are to share.
    """

    workers: int
    begun: Callable[[Any], bool] = lambda _: True


def can_fork() -> bool:
    """Return whether this process may be forked: on Linux, from its main thread, beside no other.

    A lock that another thread holds stays locked for ever in a forked process.
    """
    if not sys.platform.startswith("linux") or threading.current_thread() is not threading.main_thread():
        return False
    others = (thread for thread in threading.enumerate() if thread is not threading.main_thread())
    return all(thread.name.startswith(STANDING_STILL) for thread in others)


def is_replaceable() -> bool:
    """Return whether this process is a worker: if it dies of an item, another one does the item again."""
    return _replaceable


def forked_map(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    *,
    forked: Forked,
    in_flight: int,
    batch: int,
) -> Generator[Any, None, None]:
    """Yield ``function(item)`` for every item, in order; see `maskreg.stream.ordered_map`."""
    rest = iter(items)
    for item in islice(rest, AT_HOME):
        result = function(item)
        yield result
        if forked.begun(result):
            break
    first = list(islice(rest, 1))
    if not first:
        return
    crew = _Crew(function, forked.workers)
    try:
        for result in crew.results(chain(first, rest), in_flight=in_flight, batch=batch):
            if isinstance(result, Raised):
                raise result.error
            yield result
    finally:
        crew.stop()


@dataclass
class _Batch:
    """Items under way, which batch it is, and how many workers died of it."""

    number: int
    items: list[Any]
    deaths: int = 0


class _Worker:
    """A forked process, and the batches it has.

    Parameters
    ----------
    function : callable
    others : list of Connection
        To the other workers, which a new one must not hold open.
    """

    def __init__(self, function: Callable[[Any], Any], others: Sequence[Connection]) -> None:
        context = get_context("fork")
        self.connection, theirs = context.Pipe()
        self.batches: deque[_Batch] = deque()
        inherited = [self.connection, *others]
        self._process = context.Process(
            target=_work, args=(function, theirs, inherited, os.getpid()), name="maskreg-worker", daemon=True
        )
        try:
            with undisturbed():
                self._process.start()
        except BaseException:
            if self._process.pid is not None:  # an interrupt came meanwhile
                self.end()
            raise
        theirs.close()

    def give(self, batch: _Batch) -> None:
        self.batches.append(batch)
        with suppress(ConnectionError):  # it is dead, as who waits for its results will see
            self.connection.send((batch.number, batch.items))

    def kill(self) -> None:
        """Let the process end, which has nothing to lose."""
        self._process.kill()

    def end(self) -> int | None:
        """End the process, and return its exit code."""
        self.kill()
        self._process.join(PATIENCE)
        self.connection.close()
        return self._process.exitcode


class _Crew:
    """The workers of one map."""

    def __init__(self, function: Callable[[Any], Any], workers: int) -> None:
        self._function = function
        self._workers: list[_Worker] = []
        try:
            for _ in range(workers):
                self._workers.append(self._new())
        except BaseException as error:
            # the system allows no more processes or pipes; fewer give the same results
            if isinstance(error, OSError) and self._workers:
                log.warning("%d worker processes, not %d: %s", len(self._workers), workers, error.strerror)
                return
            self.stop()
            raise

    def results(self, items: Iterator[Any], *, in_flight: int, batch: int) -> Generator[Any, None, None]:
        """Yield the results of all items; what was raised as `Raised`."""
        done: dict[int, list[Any]] = {}
        given = handed_on = under_way = 0
        more = True
        while True:
            while more and under_way + batch <= in_flight and (worker := self._free()) is not None:
                group = list(islice(items, batch))
                more = bool(group)
                if group:
                    worker.give(_Batch(given, group))
                    given, under_way = given + 1, under_way + len(group)
            if handed_on in done:
                for result in done.pop(handed_on):
                    yield result
                    under_way -= 1
                handed_on += 1
            elif handed_on < given:
                done.update(self._received())
            else:
                return

    def stop(self) -> None:
        """End all workers, which give their memory back side by side."""
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.end()

    def _new(self) -> _Worker:
        return _Worker(self._function, [worker.connection for worker in self._workers])

    def _free(self) -> _Worker | None:
        """Return the worker with the fewest batches, if it may have another."""
        least = min(self._workers, key=lambda worker: len(worker.batches))
        return least if len(least.batches) < HELD else None

    def _received(self) -> Iterator[tuple[int, list[Any]]]:
        """Wait for workers, and yield the numbers of batches with their results."""
        busy = [worker for worker in self._workers if worker.batches]
        ready = wait([worker.connection for worker in busy])
        for worker in (worker for worker in busy if worker.connection in ready):
            try:
                found = worker.connection.recv()
            except (EOFError, ConnectionError):
                self._replace(worker)
            else:
                worker.batches.popleft()
                yield found

    def _replace(self, dead: _Worker) -> None:
        code = dead.end()
        how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        dead.batches[0].deaths += 1
        self._workers.remove(dead)
        if dead.batches[0].deaths == DEATHS:
            raise RunError(
                f"{DEATHS} worker processes ended {how} at the same frames; if memory ran out, "
                "allow fewer workers or less memory, else look at these frames with one worker"
            )
        log.warning("a worker process ended %s; another one does its frames again", how)
        new = self._new()
        self._workers.append(new)
        for batch in dead.batches:
            new.give(batch)


def _work(
    function: Callable[[Any], Any], connection: Connection, inherited: Sequence[Connection], parent: int
) -> None:
    """Work off batches until the process that gives them is gone."""
    global _replaceable
    _replaceable = True
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    end_with(parent)
    for other in inherited:
        other.close()
    gc.freeze()  # collecting would write to, and so copy, what is shared
    inbox = _Inbox(connection)
    with suppress(EOFError, ConnectionError):
        while os.getppid() == parent:
            number, batch = inbox.take()
            connection.send((number, results_of(function, batch, inbox.next_items)))


class _Inbox:
    """The batches that a worker is given."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: deque[tuple[int, list[Any]]] = deque()

    def take(self) -> tuple[int, list[Any]]:
        """Return the next batch and its number, when it has come."""
        if not self._waiting:
            self._waiting.append(self._connection.recv())
        return self._waiting.popleft()

    def next_items(self) -> list[Any]:
        """Return the items of the next batch, if it has come already."""
        if not self._waiting and self._connection.poll():
            self._waiting.append(self._connection.recv())
        return self._waiting[0][1] if self._waiting else []
