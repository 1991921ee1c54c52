"""Sums over many items in one fixed order of additions, whoever makes them: the same bits always.

Floating-point sums depend on their order. So items are added one by one inside blocks of `BLOCK`, and
the blocks are joined in a tree that follows from their number alone: `FAN_IN` of them make a branch, as
many branches the next one. Threads hand items to one sum; the workers of a cluster add up whole blocks,
and join them among themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Generic, Protocol, Self, TypeVar

from maskreg.stream.cluster import Cluster, Session
from maskreg.stream.ordered import Workers, ordered_map

BLOCK = 32
"""Items that are added one by one: on a cluster so many cost one sum to be handed on. An even number."""

FAN_IN = 8
"""Sums that are joined one by one."""


class Sum(Protocol):
    """What items are added to."""

    def add(self, item: Any, /) -> None:
        """Take in the next item."""

    def joined(self, other: Self, /) -> Self:
        """Return the sum of this and of one whose items come next; neither is changed."""


Item = TypeVar("Item")
S = TypeVar("S", bound=Sum)
T = TypeVar("T")


class Tree(Generic[T]):
    """Joins sums in a tree that follows from their number alone.

    Parameters
    ----------
    join : callable
        Returns the sum of two.
    """

    def __init__(self, join: Callable[[T, T], T]) -> None:
        self._join = join
        self._levels: list[tuple[T, int] | None] = []

    def push(self, block: T, level: int = 0) -> None:
        """Take in the next sum."""
        if level == len(self._levels):
            self._levels.append(None)
        before = self._levels[level]
        here = (block, 1) if before is None else (self._join(before[0], block), before[1] + 1)
        if here[1] < FAN_IN:
            self._levels[level] = here
        else:
            self._levels[level] = None
            self.push(here[0], level + 1)

    def total(self) -> T:
        """Return the sum of all, of which there is at least one."""
        left = [held[0] for held in reversed(self._levels) if held is not None]
        total = left[0]
        for one in left[1:]:
            total = self._join(total, one)
        return total

    def parts(self) -> list[tuple[T, int] | None]:
        """Return what is held at each level, a sum and of how many of the level below; the lowest first."""
        return list(self._levels)

    def restore(self, parts: Sequence[tuple[T, int] | None]) -> None:
        """Go on from what `parts` returned."""
        self._levels = list(parts)


class Growing(Generic[S]):
    """The sum over items that come one by one.

    Parameters
    ----------
    empty : callable
        Makes a sum of nothing.

    Attributes
    ----------
    items : int
        How many have come.
    """

    def __init__(self, empty: Callable[[], S]) -> None:
        self.items = 0
        self._empty = empty
        self._block = empty()
        self._tree: Tree[S] = Tree(joined)

    def add(self, item: Any) -> None:
        """Take in the next item."""
        if self.items and self.items % BLOCK == 0:
            self._tree.push(self._block)
            self._block = self._empty()
        self._block.add(item)
        self.items += 1

    def total(self) -> S:
        """Return the sum of all, of which there is at least one; nothing comes after it."""
        self._tree.push(self._block)
        return self._tree.total()

    def parts(self) -> list[tuple[S, int] | None]:
        """Return all there is: the block that is not full yet, then what the tree holds."""
        return [(self._block, self.items), *self._tree.parts()]

    def restore(self, parts: Sequence[tuple[S, int] | None]) -> None:
        """Go on from what `parts` returned."""
        assert parts[0] is not None
        self._block, self.items = parts[0]
        self._tree.restore(parts[1:])


@dataclass(frozen=True)
class BlockSum(Generic[Item, S]):
    """Adds up a block of items: a task of a cluster."""

    function: Callable[[Item], Any]
    empty: Callable[[], S]

    def __call__(self, items: Sequence[Item]) -> S:
        """Return the sum over a block."""
        total = self.empty()
        for item in items:
            total.add(self.function(item))
        return total


def summed(
    function: Callable[[Item], Any],
    groups: Sequence[Sequence[Item]],
    empty: Callable[[], S],
    *,
    workers: Workers,
    send: Callable[[Any], Any] = lambda function: function,
    watch: Callable[[Any], Any] = iter,
) -> Generator[S, None, None]:
    """Yield the sum of ``function(item)`` over the items of each group, of one item at least.

    Parameters
    ----------
    function : callable
        Makes of an item what is added.
    groups : sequence of sequences of items
    empty : callable
        Makes a sum of nothing.
    workers : int, Cluster or None
        See `maskreg.stream.ordered_map`. It never changes a bit.
    send : callable
        What to make of a function before it is sent to a cluster.
    watch : callable
        Is given what is added as it comes and hands it on (a progress bar).
    """
    if not isinstance(workers, Cluster):
        yield from _here(function, groups, empty, workers, watch)
        return
    with workers.session(send(BlockSum(function, empty))) as session:
        for total in sums_on_cluster(session, groups, watch):
            yield session.result(total)


def sums_on_cluster(
    session: Session, groups: Sequence[Sequence[Any]], watch: Callable[[Any], Any] = iter
) -> Generator[Any, None, None]:
    """Yield the future of each group's sum; the session's function is a `BlockSum`.

    The sums stay on the workers. `watch` is given every item once its block is added up.
    """
    blocks = (block for group in groups for block in _blocks(group))
    with closing(session.kept(blocks)) as futures:
        items = iter(watch(_one_by_one(futures, groups)))
        for group in groups:
            tree: Tree[Any] = Tree(partial(session.submit, joined))
            for block in _blocks(group):
                tree.push(list(islice(items, len(block)))[-1])
            yield tree.total()


def joined(one: S, other: S) -> S:
    """Return the sum of two sums."""
    return one.joined(other)


def _here(
    function: Callable[[Item], Any],
    groups: Sequence[Sequence[Item]],
    empty: Callable[[], S],
    workers: Workers,
    watch: Callable[[Any], Any],
) -> Generator[S, None, None]:
    every = (item for group in groups for item in group)
    with closing(ordered_map(function, every, workers=workers)) as results:
        parts = iter(watch(results))
        for group in groups:
            growing = Growing(empty)
            for part in islice(parts, len(group)):
                growing.add(part)
            yield growing.total()


def _blocks(items: Sequence[Item]) -> list[Sequence[Item]]:
    return [items[begin : begin + BLOCK] for begin in range(0, len(items), BLOCK)]


def _one_by_one(
    futures: Generator[Any, None, None], groups: Sequence[Sequence[Any]]
) -> Generator[Any, None, None]:
    """Yield the future of a block once for each of its items."""
    for group in groups:
        for block in _blocks(group):
            future = next(futures)
            for _ in block:
                yield future
