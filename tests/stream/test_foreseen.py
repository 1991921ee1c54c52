"""Who is told of what comes next, and when."""

from __future__ import annotations

from multiprocessing import Pipe

import pytest

from maskreg.stream import Forked, can_fork, ordered_map
from maskreg.stream.batch import results_of
from maskreg.stream.foreseen import EARLY, foreseen
from maskreg.stream.forked import _Inbox


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


def test_a_process_tells_of_its_next_batch_before_the_last_one_is_done():
    theirs, ours = Pipe()
    with theirs, ours:
        inbox, noting = _Inbox(ours), Noting()
        for number in range(2):
            theirs.send((number, [5 * number + k for k in range(5)]))
        for number in range(2):
            taken, batch = inbox.take()
            assert taken == number
            results_of(noting, batch, inbox.next_items)  # behind the second one there is none
    assert noting.story.index("soon 5") < noting.story.index("now 4")
    assert [line for line in noting.story if line.startswith("now")] == [f"now {k}" for k in range(10)]


@pytest.mark.skipif(not can_fork(), reason="this system does not fork safely")
def test_a_process_is_told_of_all_items_but_those_done_at_home():
    *_, story = ordered_map(Noting(), range(21), workers=Forked(1), batch=5)
    for item in range(1, 21):
        assert story.index(f"soon {item}") < story.index(f"now {item}")
