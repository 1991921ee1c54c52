"""Who is told of what comes next, and when."""

from __future__ import annotations

import time

import pytest

from maskreg.stream import Forked, can_fork, ordered_map
from maskreg.stream.foreseen import EARLY, foreseen


class Noting:
    """Notes what it is told, and what is asked of it."""

    def __init__(self) -> None:
        self.story: list[str] = []

    def soon(self, item: int) -> None:
        self.story.append(f"soon {item}")

    def __call__(self, item: int) -> list[str]:
        self.story.append(f"now {item}")
        return list(self.story)


@pytest.mark.parametrize("count", range(2 * EARLY + 3))
def test_every_item_is_said_once_so_many_items_early(count):
    noting = Noting()
    for item in foreseen(noting, range(count)):
        told = [int(line.split()[1]) for line in noting.story if line.startswith("soon")]
        assert told == list(range(min(count, item + EARLY + 1)))
        noting(item)
    assert [line for line in noting.story if line.startswith("now")] == [f"now {k}" for k in range(count)]


def test_what_comes_after_is_said_before_the_last_items():
    noting = Noting()
    for item in foreseen(noting, range(4), lambda: range(50, 60)):
        noting(item)
    after = [f"soon {50 + k}" for k in range(EARLY)]
    assert [line for line in noting.story if line in after] == after
    assert noting.story.index(after[-1]) < noting.story.index("now 3")


def test_who_does_not_want_to_know_gets_items_one_by_one():
    taken = []

    def items():
        for k in range(5):
            taken.append(k)
            yield k

    for item in foreseen(abs, items()):
        assert taken == list(range(item + 1))


@pytest.mark.skipif(not can_fork(), reason="this system does not fork safely")
def test_a_process_is_told_of_its_next_batch_before_the_last_one_is_done():
    class Slow(Noting):
        def __call__(self, item: int) -> list[str]:
            time.sleep(0.01)  # the next batch comes meanwhile
            return super().__call__(item)

    stories = list(ordered_map(Slow(), range(21), workers=Forked(1), batch=5))
    assert "now 20" in stories[-1]
    for first in (6, 11, 16):  # the first item is done at home
        assert stories[-1].index(f"soon {first}") < stories[-1].index(f"now {first - 1}")
