"""What comes next is said before it is needed: so that it comes from a disk while something else is computed.

A function that reads may have a method ``soon(item)``. It is called where and some items before the function
is called with the item itself, if the runner knows by then; never later, sometimes twice. It must not raise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

EARLY = 2
"""So many items before: one is on its way while the other, which is there, is waited for by nobody."""

_END = object()


def foreseen(
    function: Callable[[Any], Any], items: Iterable[Any], after: Callable[[], Iterable[Any]] = tuple
) -> Iterator[Any]:
    """Yield items, of which `function` was told before, if it wants to be.

    `after` returns what will come after the items, as far as is known when the last of them has been taken.
    """
    soon = told_soon(function)
    if soon is None:
        yield from items
        return
    coming, waiting, ended = iter(items), deque[Any](), False
    while True:
        while not ended and len(waiting) <= EARLY:
            item = next(coming, _END)
            if item is not _END:
                soon(item)
                waiting.append(item)
                continue
            ended = True
            for other in islice(after(), EARLY):
                soon(other)
        if not waiting:
            return
        yield waiting.popleft()


def told_soon(function: Callable[[Any], Any]) -> Callable[[Any], None] | None:
    """Return what tells a function of an item before its turn; None if it does not want to know."""
    return getattr(function, "soon", None)
