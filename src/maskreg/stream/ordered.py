"""The contract of every runner, and the choice between them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from operator import index as as_index
from typing import Any, TypeVar

from maskreg.cores import available_cores, most_workers
from maskreg.errors import InputError
from maskreg.stream.batch import AHEAD, ensure_a_batch
from maskreg.stream.cluster import Cluster
from maskreg.stream.forked import Forked, forked_map
from maskreg.stream.serial import serial_map
from maskreg.stream.threads import threaded_map

Item = TypeVar("Item")
Result = TypeVar("Result")

Workers = int | Cluster | None
"""Who a user lets run the tasks: so many threads (None: one for each core), or a cluster."""

Runner = Workers | Forked
"""Who runs them: these (one thread: the calling one), or processes."""


def ordered_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: Runner = 1,
    in_flight: int | None = None,
    batch: int = 1,
) -> Generator[Result, None, None]:
    """Yield ``function(item)`` for every item, in the order of the items.

    Parameters
    ----------
    function : callable
        The task; called from several threads at once when `workers` is above one, in forked processes,
        or on the workers of a cluster, to which it is sent once. Items and results must be picklable for
        processes, for a cluster the task as well. If it has a method ``soon``, it is told of items before
        their turn (see `maskreg.stream.foreseen`).
    items : iterable
        Taken lazily, in the calling thread; it should not block, for the results of earlier
        items wait behind it.
    workers : int, Forked, Cluster or None
        How many tasks run at once; one means in the calling thread, without any other; None means
        one for each core. Or processes that are forked from this one, after the first items were done
        here. Or the cluster whose workers run them.
    in_flight : int, optional
        Most items taken whose results have not been handed on, at least `workers`; twice
        `workers` unless told, for processes and clusters some batches for each of them.
    batch : int
        So many items make a task of a process or of a cluster; threads take one at a time.

    Yields
    ------
    result
        An exception of a task is raised in its place in the order, after the results of all
        earlier items, and ends the map. Closing the generator (or any exception in its consumer's
        thread, such as KeyboardInterrupt) drops what has not started and waits only briefly for
        what has.
    """
    if isinstance(workers, Cluster):
        return workers.map(function, items, in_flight=in_flight, batch=batch)
    if isinstance(workers, Forked):
        ensure_a_batch(in_flight, batch)
        in_flight = AHEAD * batch * workers.workers if in_flight is None else in_flight
        return forked_map(function, items, forked=workers, in_flight=in_flight, batch=batch)
    if workers is None:
        workers = available_cores()
    workers = _number_of(workers)
    if in_flight is None:
        in_flight = 2 * workers
    if in_flight < workers:
        raise InputError(f"in_flight is {in_flight}; it must be at least the number of workers, {workers}")
    if workers == 1:
        return serial_map(function, items)
    return threaded_map(function, items, workers=workers, in_flight=in_flight)


def workers_of(workers: int | None, client: Any) -> Workers:
    """Return who runs the tasks, from what a user says: so many threads, or the client of a cluster."""
    if client is None:
        return None if workers is None else _number_of(workers)
    if workers is not None:
        raise InputError(
            f"workers is {workers}, and there is a client, whose cluster has its own workers; "
            "leave one of them out"
        )
    return client if isinstance(client, Cluster) else Cluster(client)


def _number_of(workers: Any) -> int:
    try:
        number = as_index(workers)
    except TypeError:
        number = 0
    if number < 1:
        raise InputError(f"workers is {workers!r}; it must be a whole number, one or more")
    if number > most_workers():
        raise InputError(
            f"workers is {number}; it may be at most {most_workers()} "
            f"({available_cores()} cores are there; leave workers out to use all of them)"
        )
    return number
