"""The runner on a Dask cluster: whole batches of items go to the workers, small results come back.

Dask decides which worker does what, and does again what a lost worker had not handed over. What it
does not know is here: how far the tasks may run ahead, which workers are of use, and when to give up.

- A worker is of use when it has the same versions and the function's own check finds nothing. All
  workers are asked before the first item; one that is not of use is then an error, so that it is
  mended rather than missed. One that comes later is left out, with a warning.
- Without any worker the map waits, up to the cluster's time limit, and goes on when one comes.
- Without the scheduler it ends with an error.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from maskreg.errors import ClusterError, InputTypeError
from maskreg.stream.batch import AHEAD, Raised, ensure_a_batch
from maskreg.stream.on_worker import Package, Report, UnfitError, report, run_batch, run_kept
from maskreg.stream.versions import difference, processor, versions

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

TIMEOUT = 600.0
"""How long the work may wait for workers, s."""

KEPT_AHEAD = 2
"""Tasks under way for each thread of the workers where results are large and stay there."""

TICK = 1.0
"""How often workers are counted, s."""

FETCHED_IN = 4.0
"""How long a result that is there is waited for before the workers are counted again, s; then twice that."""

ASKED_FOR = 30.0
"""How long the first answer of all workers is waited for, s; who is busy answers with its first task."""


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
        self.timeout = timeout

    @property
    def address(self) -> str:
        """Where the scheduler is."""
        scheduler = self.client.scheduler
        return "the scheduler" if scheduler is None else f"the scheduler at {scheduler.address}"

    @property
    def threads(self) -> int:
        """How many tasks its workers do at once now; one at least."""
        return max(1, sum(map(int, self.client.nthreads().values())))

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
        self._cluster = cluster
        self._client = cluster.client
        self._function = function
        self._threads: dict[str, int] = {}
        self._reports: dict[str, Report] = {}
        self._unfit: set[str] = set()
        self._asked: dict[str, Any] = {}
        self._begun_with = False
        self._restricted = False
        self._tasks: deque[_Task] = deque()
        self._others: list[Any] = []
        self._counted = 0.0

    def __enter__(self) -> Session:
        import cloudpickle

        self._ours = versions()
        pickled = cloudpickle.dumps(self._function)
        self._count()
        self._wait_for_workers()
        self._refuse_other_versions()
        try:
            self._package = self._submit(Package, self._ours, pickled)
            self._ask_all()
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
        self._others.append(self._submit(function, *arguments, workers=self._allowed()))
        return self._others[-1]

    def result(self, future: Any) -> Any:
        """Return the result of a future from `submit`."""
        while not self._is_done(future):
            pass
        self._refuse_lost(future)
        if future.status == "error":
            raise self._explained(future.exception(), _Task([None], keep=True))
        return self._fetch(future)

    def _under_way(
        self, groups: Iterable[Any], *, in_flight: int | None, size: int, keep: bool
    ) -> Iterator[_Task]:
        """Yield the task of each group of items, the oldest first, while others are under way."""
        groups = iter(groups)
        more = True
        while True:
            ahead = (KEPT_AHEAD if keep else AHEAD) * sum(self._threads.values())
            most = ahead if in_flight is None else in_flight // size
            while more and len(self._tasks) < max(1, most):
                group = next(groups, None)
                more = group is not None
                if more:
                    self._tasks.append(self._begun(_Task(group, keep)))
                    self._count_now_and_then()
            if not self._tasks:
                return
            yield self._tasks[0]
            self._tasks.popleft()

    def _begun(self, task: _Task) -> _Task:
        allowed = self._allowed()
        task.allowed = None if allowed is None else frozenset(allowed)
        task.future = self._submit(
            run_kept if task.keep else run_batch, self._package, task.items, workers=allowed
        )
        return task

    def _results(self, task: _Task) -> list[Any]:
        """Return what a batch gave, from a worker that is of use."""
        while True:
            self._settle(task)
            results: list[Any] = self._fetch(task.future)
            task.future.release()
            last = results[-1] if results else None
            if not (isinstance(last, Raised) and isinstance(last.error, UnfitError)):
                return results
            self._leave_out(last.error.report)
            self._begun(task)

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
                self._leave_out(error.report)
            elif task.keep or _killed(error) or self._restricted:
                raise self._explained(error, task)
            else:  # not the function's error: the task could not even be read there
                log.warning("a worker could not begin: %s: %s", type(error).__name__, error)
                self._restricted = True
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
            # distributed.wait would raise when time is up, and what it raises is in a cycle with the
            # future: until the garbage is collected a worker would keep the result
            done = threading.Event()
            future.add_done_callback(lambda _: done.set())
            done.wait(TICK)
            self._count_now_and_then()
        return bool(future.done())

    def _refuse_lost(self, future: Any) -> None:
        if future.status in ("cancelled", "lost"):
            raise self._lost()

    def _fetch(self, future: Any) -> Any:
        from distributed import CancelledError

        patience = FETCHED_IN
        while True:
            try:
                return future.result(timeout=patience)
            except CancelledError as error:
                raise self._lost() from error
            except TimeoutError:  # it was lost with its worker and is made again, or the way is long
                patience *= 2
                self._count()

    def _submit(
        self, function: Callable[..., Any], *arguments: Any, workers: Collection[str] | None = None
    ) -> Any:
        import dask

        # a package goes to the scheduler once; that it is large is known
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
            return self._client.submit(
                function, *arguments, workers=None if workers is None else sorted(workers), pure=False
            )

    def _count_now_and_then(self) -> None:
        if time.monotonic() - self._counted > TICK:
            self._count()

    def _count(self) -> None:
        """Look which workers there are, ask those that are new, and move what only lost ones may do."""
        self._threads = self._workers()
        self._counted = time.monotonic()
        if not self._usable():
            self._wait_for_workers()
        if self._asked or self._reports:
            self._ask(self._threads.keys() - self._asked.keys() - self._reports.keys() - self._unfit)
            self._hear()
        for task in self._tasks:
            if (
                task.allowed is not None
                and not task.allowed & self._threads.keys()
                and not task.future.done()
            ):
                task.future.cancel()
                self._begun(task)

    def _workers(self) -> dict[str, int]:
        """Return the threads of every worker by its address."""
        if self._client.status not in ("running", "connecting"):
            raise self._lost()
        try:
            return dict(self._client.nthreads())
        except (OSError, RuntimeError) as error:
            raise self._lost() from error

    def _usable(self) -> list[str]:
        known = self._reports.keys() if self._restricted else self._threads.keys()
        return [address for address in self._threads if address in known and address not in self._unfit]

    def _allowed(self) -> frozenset[str] | None:
        """Return the workers that a task may run on; None for all."""
        return frozenset(self._usable()) if self._restricted else None

    def _wait_for_workers(self) -> None:
        """Wait until there is a worker, up to the time limit."""
        if self._usable():
            return
        patience, where = self._cluster.timeout, self._cluster.address
        log.warning("there is no worker of use at %s; waiting up to %g s for one", where, patience)
        end = time.monotonic() + patience
        while not self._usable():
            if time.monotonic() > end:
                raise ClusterError(
                    f"no worker of use came to {where} within {patience:g} s; start some and give the same "
                    "command again, or wait longer: --dask-timeout"
                )
            time.sleep(min(TICK, patience))
            self._threads = self._workers()
            if self._restricted:
                self._ask(self._threads.keys() - self._asked.keys() - self._reports.keys() - self._unfit)
                self._hear()
        log.info("workers are there: %d", len(self._usable()))

    def _refuse_other_versions(self) -> None:
        """Raise if a worker cannot even say what it is, for it has no maskreg, or another one."""
        names = ["maskreg", *(name for name in self._ours if name not in ("maskreg", "python"))]
        told = self._client.get_versions(packages=names)
        here = _plain(told["client"]["packages"], names)
        for address, theirs in told["workers"].items():
            if theirs and (differ := difference(_plain(theirs["packages"], names), here)) is not None:
                raise ClusterError(
                    f"worker {address}: {differ}; install the same versions on every worker and here"
                )

    def _ask_all(self) -> None:
        """Ask every worker whether it is of use, and raise if one is not."""
        self._ask(self._threads)
        end = time.monotonic() + ASKED_FOR
        while self._asked and time.monotonic() < end and not self._unfit:
            self._is_done(next(iter(self._asked.values())))
            self._hear()
        if self._unfit:
            first = self._reports[min(self._unfit)]
            raise ClusterError(f"{_named(first)}: {first.problem}{self._how_many()}")
        self._begun_with = True

    def _how_many(self) -> str:
        return f" ({len(self._unfit)} of {len(self._threads)} workers)" if len(self._threads) > 1 else ""

    def _ask(self, addresses: Iterable[str]) -> None:
        for address in addresses:
            self._asked[address] = self._submit(report, self._package, workers=[address])

    def _hear(self) -> None:
        """Take note of what workers have said of themselves since."""
        for address, future in list(self._asked.items()):
            if future.done() and self._asked.pop(address, None) is not None:
                if future.status == "finished":
                    self._note(self._fetch(future))
                elif future.status == "error":
                    error = future.exception()
                    problem = f"{type(error).__name__}: {error}"
                    self._note(Report(address, "", "", problem))
            elif address not in self._threads:
                self._asked.pop(address, None)
                future.cancel()

    def _note(self, said: Report) -> None:
        if said.problem is None:
            seen = {processor(), *(one.processor for one in self._reports.values())}
            self._reports[said.address] = said
            if said.processor not in seen:
                log.warning(
                    "%s computes on %s, this process on %s: the last digits of a result may depend on "
                    "which of them made it", _named(said), said.processor, processor(),
                )  # fmt: skip
        elif self._begun_with:
            self._leave_out(said)
        else:
            self._reports[said.address] = said
            self._unfit.add(said.address)

    def _leave_out(self, said: Report) -> None:
        """Give no more tasks to a worker that came later and is of no use."""
        if said.address not in self._unfit:
            log.warning("%s is left out: %s", _named(said), said.problem)
        self._reports[said.address] = said
        self._unfit.add(said.address)
        self._restricted = True
        self._wait_for_workers()

    def _lost(self) -> ClusterError:
        return ClusterError(
            f"the connection to {self._cluster.address} is lost, or its tasks were cancelled; "
            "start it again and give the same command again"
        )

    def _leave(self) -> None:
        """Cancel what is under way; whatever that meets, there is nothing more to be done about it."""
        futures = [task.future for task in self._tasks] + self._others + list(self._asked.values())
        left = [future for future in futures if future is not None and not future.done()]
        self._tasks.clear()
        if left and self._client.status == "running":
            with suppress(Exception):
                self._client.cancel(left, force=True)
        self._others, self._asked, self._package = [], {}, None


def _batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch


def _killed(error: Any) -> bool:
    from distributed import KilledWorker

    return isinstance(error, KilledWorker)


def _plain(packages: dict[str, Any], names: list[str]) -> dict[str, str]:
    """Return versions as Dask tells them, of what matters; Python without its last number."""
    python = ".".join(str(packages.get("python")).split(".")[:2])
    return {"python": python, **{name: str(packages.get(name)) for name in names}}


def _named(said: Report) -> str:
    return f"worker {said.address}{f' ({said.host})' if said.host else ''}"
