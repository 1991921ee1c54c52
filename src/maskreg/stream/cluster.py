"""The runner on a Dask cluster: whole batches of items go to the workers, small results come back.

Dask decides which worker does what, and does again what a lost worker had not handed over. What it
does not know is how far the tasks may run ahead (here), which workers are of use and when to give up
(`maskreg.stream.fit_workers`).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from maskreg.errors import ClusterError, InputTypeError
from maskreg.stream.batch import AHEAD, Raised, ensure_a_batch
from maskreg.stream.fit_workers import FitWorkers
from maskreg.stream.on_worker import Package, UnfitError, run_batch, run_kept
from maskreg.stream.scheduler import GoneError, Scheduler, wait_a_little
from maskreg.stream.versions import versions

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

TIMEOUT = 600.0
"""How long the work may wait for workers, s."""

KEPT_AHEAD = 2
"""Tasks under way for each thread of the workers where results are large and stay there."""


class Cluster:
    """The workers of a Dask cluster, as one client sees them.

    Parameters
    ----------
    client : distributed.Client
        It stays the caller's to close.
    timeout : float
        How long the work may wait for workers, s.

    Raises
    ------
    InputTypeError
        When it is no client, or an asynchronous one.
    """

    def __init__(self, client: Any, *, timeout: float = TIMEOUT) -> None:
        if not all(hasattr(client, name) for name in ("submit", "nthreads", "scheduler_info")):
            raise InputTypeError(f"client is of type {type(client).__name__}; give a distributed.Client")
        if client.asynchronous:
            raise InputTypeError("client is asynchronous; give a distributed.Client(..., asynchronous=False)")
        self.client = client
        self.scheduler = Scheduler(client)
        self.timeout = timeout

    @property
    def address(self) -> str:
        """Where the scheduler is."""
        return self.scheduler.address

    @property
    def threads(self) -> int:
        """How many tasks its workers do at once now; one at least."""
        return max(1, sum(self.scheduler.threads().values()))

    def map(
        self,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        in_flight: int | None = None,
        batch: int = 1,
    ) -> Generator[Result, None, None]:
        """Yield ``function(item)`` for every item, in order; see `maskreg.stream.ordered_map`."""
        ensure_a_batch(in_flight, batch)
        with self.session(function) as session:
            for results in session.batches(items, in_flight=in_flight, batch=batch):
                for result in results:
                    if isinstance(result, Raised):
                        raise result.error
                    yield result

    def session(self, function: Callable[[Any], Any]) -> Session:
        """Return a session, which is a context manager."""
        return Session(self, function)


@dataclass
class _Task:
    """A task under way: of which items, and on which workers alone it may run (None: on all)."""

    items: Any
    keep: bool
    future: Any = None
    allowed: frozenset[str] | None = None


class Session:
    """One function on the workers of a cluster, until it is left.

    Parameters
    ----------
    cluster : Cluster
    function : callable
        What can be pickled; see `maskreg.stream.on_worker.Package`.
    """

    def __init__(self, cluster: Cluster, function: Callable[[Any], Any]) -> None:
        self._scheduler = cluster.scheduler
        self._workers = FitWorkers(cluster.scheduler, cluster.timeout)
        self._function = function
        self._tasks: deque[_Task] = deque()
        self._others: list[Any] = []

    def __enter__(self) -> Session:
        ours = versions()
        pickled = _pickled(self._function)
        self._workers.count()
        self._workers.refuse_other_versions(ours)
        try:
            self._package = self._scheduler.submit(Package, ours, pickled)
            self._workers.ask_all(self._package)
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def batches(
        self, items: Iterable[Any], *, in_flight: int | None, batch: int
    ) -> Generator[list[Any], None, None]:
        """Yield the results of one batch of items after the other; the last of a batch may be `Raised`."""
        for task in self._under_way(_batched(items, batch), in_flight=in_flight, size=batch, keep=False):
            yield self._results(task)

    def kept(self, items: Iterable[Any]) -> Generator[Any, None, None]:
        """Yield the future of each item when it is done, in order; the result stays on its worker."""
        for task in self._under_way(items, in_flight=None, size=1, keep=True):
            self._settle(task)
            yield task.future

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return the future of ``function(*arguments)``, of which some may be futures."""
        self._others = [future for future in self._others if not future.done()]
        self._others.append(self._scheduler.submit(function, *arguments, workers=self._workers.allowed))
        return self._others[-1]

    def result(self, future: Any) -> Any:
        """Return the result of a future from `submit`."""
        while not self._is_done(future):
            pass
        self._refuse_lost(future)
        if future.status == "error":
            raise self._explained(future.exception(), _Task([None], keep=True))
        return self._scheduler.fetch(future, self._look_after_workers)

    def _under_way(
        self, groups: Iterable[Any], *, in_flight: int | None, size: int, keep: bool
    ) -> Iterator[_Task]:
        """Yield the task of each group of items, the oldest first, while others are under way."""
        groups = iter(groups)
        more = True
        while True:
            ahead = (KEPT_AHEAD if keep else AHEAD) * self._workers.threads
            most = ahead if in_flight is None else in_flight // size
            while more and len(self._tasks) < max(1, most):
                group = next(groups, None)
                more = group is not None
                if more:
                    self._tasks.append(self._begun(_Task(group, keep)))
                    self._look_after_workers_if_due()
            if not self._tasks:
                return
            yield self._tasks[0]
            self._tasks.popleft()

    def _begun(self, task: _Task) -> _Task:
        task.allowed = self._workers.allowed
        task.future = self._scheduler.submit(
            run_kept if task.keep else run_batch, self._package, task.items, workers=task.allowed
        )
        return task

    def _results(self, task: _Task) -> list[Any]:
        """Return what a batch gave, from a worker that is of use."""
        while True:
            self._settle(task)
            results = self._fetched(task)
            if results is None:
                continue
            task.future.release()
            last = results[-1] if results else None
            if not (isinstance(last, Raised) and isinstance(last.error, UnfitError)):
                return results
            self._workers.leave_out(last.error.report)
            self._begun(task)

    def _fetched(self, task: _Task) -> list[Any] | None:
        """Return what a batch gave, or None if that was lost and the task had to begin anew."""
        future = task.future

        def is_the_same() -> bool:
            self._look_after_workers()
            return task.future is future

        try:
            results: list[Any] = self._scheduler.fetch(future, is_the_same)
        except GoneError:
            return None
        return results

    def _settle(self, task: _Task) -> None:
        """Wait until a task is done; again on another worker if one could not do it at all."""
        while True:
            future = task.future
            if not self._is_done(future) or task.future is not future:
                continue
            self._refuse_lost(future)
            if task.future.status != "error":
                return
            error = task.future.exception()
            if isinstance(error, UnfitError):
                self._workers.leave_out(error.report)
            elif task.keep or _killed(error) or self._workers.restricted:
                raise self._explained(error, task)
            else:  # not the function's error: the task could not even be read there
                log.warning("a worker could not begin: %s: %s", type(error).__name__, error)
                self._workers.restrict()
            self._begun(task)

    def _explained(self, error: Any, task: _Task) -> BaseException:
        if _killed(error):
            first = task.items[0] if isinstance(task.items, list) else task.items
            return ClusterError(
                f"one worker after the other died while it had the same items, from {first!r} on: "
                "too little memory for a worker, or something in them ends the program?"
            )
        if task.keep:
            return error if isinstance(error, BaseException) else ClusterError(str(error))
        return ClusterError(f"the workers cannot do the work: {type(error).__name__}: {error}")

    def _is_done(self, future: Any) -> bool:
        """Wait a little for a future, look after the workers, and return whether it is done."""
        if not future.done():
            wait_a_little(future)
            self._look_after_workers_if_due()
        return bool(future.done())

    def _refuse_lost(self, future: Any) -> None:
        if future.status in ("cancelled", "lost"):
            raise self._scheduler.lost()

    def _look_after_workers_if_due(self) -> None:
        if self._workers.count_if_due():
            self._move_tasks_of_lost_workers()

    def _look_after_workers(self) -> bool:
        """Do so, and return True: what was asked for may still come."""
        self._workers.count()
        self._move_tasks_of_lost_workers()
        return True

    def _move_tasks_of_lost_workers(self) -> None:
        """Begin elsewhere the tasks that only lost workers may do."""
        there = self._workers.addresses
        for task in self._tasks:
            if task.allowed is not None and not task.allowed & there and not task.future.done():
                task.future.cancel()
                self._begun(task)

    def _leave(self) -> None:
        """Cancel what is under way; whatever that meets, there is nothing more to be done about it."""
        futures = [task.future for task in self._tasks] + self._others + self._workers.asked
        left = [future for future in futures if future is not None and not future.done()]
        self._tasks.clear()
        if left:
            with suppress(Exception):
                self._scheduler.cancel(left)
        self._workers.forget()
        self._others, self._package = [], None


def _batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch


def _killed(error: Any) -> bool:
    from distributed import KilledWorker

    return isinstance(error, KilledWorker)


def _pickled(function: Callable[[Any], Any]) -> bytes:
    """Return a function as bytes, with all that it holds: also frames, and what reads them."""
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(function))
    except Exception as error:  # whatever is in it may say in its own way that it cannot be sent
        raise ClusterError(
            f"the work cannot be sent to other processes ({type(error).__name__}: {error}); "
            "a reader of frames keeps the path of its file, and no open file: it opens that for each frame"
        ) from error
