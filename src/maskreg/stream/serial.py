"""The runner without threads: one item taken, one result handed on, but for those that are foreseen."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from maskreg.stream.foreseen import foreseen

Item = TypeVar("Item")
Result = TypeVar("Result")


def serial_map(function: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result, None, None]:
    """Yield ``function(item)`` for every item; see `maskreg.stream.ordered_map`."""
    for item in foreseen(function, items):
        yield function(item)
