"""What runs on a worker of a cluster.

A function reaches a worker once, in a `Package`: Dask hands it from worker to worker and gives
every task of a worker the same object, in which the function is unpacked once, with all that it
computes for itself. When nobody needs the package any more, the worker lets go of both; a worker
that has had nothing to do for a while may, too, and unpacks it again with its next task.
"""

from __future__ import annotations

import pickle
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from maskreg.errors import ClusterError, RunError
from maskreg.stream.batch import Raised, results_of
from maskreg.stream.versions import difference, processor, versions


@dataclass(frozen=True)
class Report:
    """What a worker says of itself.

    Attributes
    ----------
    address, host : str
    processor : str
        Its kind, see `maskreg.stream.versions.processor`.
    problem : str or None
        Why the worker cannot be used.
    """

    address: str
    host: str
    processor: str
    problem: str | None


class UnfitError(ClusterError):
    """A task came to a worker that cannot be used; it has the worker's `Report`."""

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self.report = report


class Package:
    """A function on its way to the workers, and unpacked on each of them.

    Parameters
    ----------
    told : dict
        The versions that pickled it; a worker with others is of no use.
    pickled : bytes
        The function. If it has a method ``check()``, that is called once on every worker first, and
        raises a `ClusterError` where the function cannot work.
    """

    def __init__(self, told: dict[str, str], pickled: bytes) -> None:
        self._told = told
        self._pickled = pickled
        self._lock = Lock()
        self._unpacked: tuple[Report, Any] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Package, (self._told, self._pickled)

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + len(self._pickled)

    def report(self) -> Report:
        """Return what this worker says of itself, looked into once."""
        return self._opened()[0]

    def function(self) -> Callable[[Any], Any]:
        """Return the function, or raise `UnfitError`."""
        report, function = self._opened()
        if report.problem is not None:
            raise UnfitError(report)
        unpacked: Callable[[Any], Any] = function
        return unpacked

    def _opened(self) -> tuple[Report, Any]:
        with self._lock:
            if self._unpacked is None:
                self._unpacked = self._open()
            return self._unpacked

    def _open(self) -> tuple[Report, Any]:
        function, problem = None, difference(versions(), self._told)
        if problem is None:  # else what was pickled may mean something else here
            try:
                function = pickle.loads(self._pickled)
                if hasattr(function, "check"):
                    function.check()
            except ClusterError as error:
                problem = str(error)
            except Exception as error:
                problem = f"{type(error).__name__}: {error}"
        return Report(_address(), platform.node(), processor(), problem), function


def report(package: Package) -> Report:
    """Return what this worker says of itself: a task of its own, on each worker."""
    return package.report()


def run_batch(package: Package, batch: Sequence[Any]) -> list[Any]:
    """Return the results for a batch of items, the last one `Raised` if the function raised."""
    try:
        function = package.function()
    except UnfitError as error:
        return [Raised(error)]
    results = results_of(function, batch)
    if isinstance(results[-1], Raised) and isinstance(results[-1].error, RunError):
        results[-1] = Raised(RunError(f"worker {_address()} ({platform.node()}): {results[-1].error}"))
    return results


def run_kept(package: Package, item: Any) -> Any:
    """Return the result for an item, to be kept on the worker; errors are those of the task."""
    return package.function()(item)


def _address() -> str:
    from distributed import get_worker

    return str(get_worker().address)
