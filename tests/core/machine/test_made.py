"""Things that are made once, others at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from maskreg.core.machine.made import Made


def test_a_value_is_made_once_and_kept_until_it_is_dropped():
    made, count = Made(), []

    def make():
        count.append(1)
        return object()

    first = made.get("a", make)
    assert made.get("a", make) is first is made.known("a")
    assert made.items() == [("a", first)]
    made.drop("a")
    made.drop("b")
    assert "a" not in made
    assert made.get("a", make) is not first
    assert len(count) == 2
    made.clear()
    assert not len(made)


def test_none_is_a_value():
    made = Made()
    assert made.get("a", lambda: None) is None
    assert made.get("a", lambda: 1) is None
    assert "a" in made


def test_threads_make_values_of_different_keys_at_the_same_time():
    made, barrier = Made(), Barrier(2)

    def make():
        barrier.wait(timeout=30)
        return object()

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda key: made.get(key, make), "ab")
    assert first is not second


def test_who_asks_for_a_value_that_is_being_made_waits_for_it():
    made, begun, go_on = Made(), Event(), Event()

    def slowly():
        begun.set()
        assert go_on.wait(timeout=30)
        return "first"

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(made.get, "a", slowly)
        assert begun.wait(timeout=30)
        second = pool.submit(made.get, "a", lambda: "second")
        go_on.set()
        assert first.result() == second.result() == "first"


def test_what_could_not_be_made_is_made_by_the_next_who_asks():
    made = Made()
    with pytest.raises(ZeroDivisionError):
        made.get("a", lambda: 1 / 0)
    assert made.get("a", lambda: 2) == 2


def test_the_next_value_after_the_most_that_are_kept_is_the_first_again():
    made = Made(2)
    first, second = (made.get(key, object) for key in "ab")
    assert made.get("a", object) is first
    assert made.get("b", object) is second
    third = made.get("c", object)
    assert made.items() == [("c", third)]
    assert made.get("a", object) is not first
