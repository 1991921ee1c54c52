"""The contract of every runner, and the choice between them."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from typing import Any, TypeVar

from maskreg.errors import InputError
from maskreg.stream.cluster import Cluster
from maskreg.stream.serial import serial_map
from maskreg.stream.threads import threaded_map

Item = TypeVar("Item")
Result = TypeVar("Result")

Workers = int | Cluster | None
"""Who runs the tasks: so many threads (one: the calling thread), a cluster, or all cores (None)."""


def ordered_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: Workers = 1,
    in_flight: int | None = None,
    batch: int = 1,
) -> Generator[Result, None, None]:
    """Yield ``function(item)`` for every item, in the order of the items.

    Parameters
    ----------
    function : callable
        The task; called from several threads at once when `workers` is above one, and on the workers
        of a cluster, to which it is sent once. Then it, items and results must be picklable.
    items : iterable
        Taken lazily, in the calling thread; it should not block, for the results of earlier
        items wait behind it.
    workers : int, Cluster or None
        How many tasks run at once; one means in the calling thread, without any other; None means
        one for each core. Or the cluster whose workers run them.
    in_flight : int, optional
        Most items taken whose results have not been handed on, at least `workers`; twice
        `workers` unless told, for a cluster some batches for each thread of its workers.
    batch : int
        So many items make a task of a cluster; threads take one at a time.

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
    if workers is None:
        workers = available_cores()
    if workers < 1:
        raise InputError(f"workers is {workers}; it must be one or more")
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
        return workers
    if workers is not None:
        raise InputError(
            f"workers is {workers}, and there is a client, whose cluster has its own workers; "
            "leave one of them out"
        )
    return client if isinstance(client, Cluster) else Cluster(client)


def available_cores() -> int:
    """Return how many processors this process may use (fewer than the machine has, in a container)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
