"""The contract of every runner, and the choice between them."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from maskreg.errors import InputError
from maskreg.stream.serial import serial_map
from maskreg.stream.threads import threaded_map

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int = 1,
    in_flight: int | None = None,
) -> Generator[Result, None, None]:
    """Yield ``function(item)`` for every item, in the order of the items.

    Parameters
    ----------
    function : callable
        The task; called from several threads at once when `workers` is above one.
    items : iterable
        Taken lazily, in the calling thread; it should not block, for the results of earlier
        items wait behind it.
    workers : int
        How many tasks run at once; one means in the calling thread, without any other.
    in_flight : int, optional
        Most items taken whose results have not been handed on, at least `workers`; twice
        `workers` unless told.

    Yields
    ------
    result
        An exception of a task is raised in its place in the order, after the results of all
        earlier items, and ends the map. Closing the generator (or any exception in its consumer's
        thread, such as KeyboardInterrupt) drops what has not started and waits only briefly for
        what has.
    """
    if workers < 1:
        raise InputError(f"workers is {workers}; it must be one or more")
    if in_flight is None:
        in_flight = 2 * workers
    if in_flight < workers:
        raise InputError(f"in_flight is {in_flight}; it must be at least the number of workers, {workers}")
    if workers == 1:
        return serial_map(function, items)
    return threaded_map(function, items, workers=workers, in_flight=in_flight)


def available_cores() -> int:
    """Return how many processors this process may use (fewer than the machine has, in a container)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
