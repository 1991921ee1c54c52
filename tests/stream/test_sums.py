"""Sums have the same bits whoever makes them, for numbers whose sum depends on the order."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskreg.stream import Cluster
from maskreg.stream.sums import BLOCK, FAN_IN, Growing, Tree, summed
from real_cluster import real_cluster


class Added:
    """Adds up numbers, and remembers which."""

    def __init__(self):
        self.total = 0.0
        self.items = []

    def add(self, item):
        self.total += item
        self.items.append(item)

    def joined(self, other):
        both = Added()
        both.total, both.items = self.total + other.total, self.items + other.items
        return both


def numbers(count, seed=0):
    rng = np.random.default_rng(seed)
    return [float(x) for x in rng.normal(size=count) * 10.0 ** rng.integers(-8, 8, count)]


def groups_of(values):
    """Return groups of awkward sizes."""
    cuts = [0, 1, 1 + BLOCK, 3 + 2 * BLOCK, len(values)]
    return [values[begin:end] for begin, end in pairwise(cuts)]


@given(count=st.integers(1, 3 * FAN_IN**2))
@settings(deadline=None, max_examples=40)
def test_a_tree_joins_everything_once_and_in_order(count):
    tree = Tree(lambda one, other: one + other)
    for number in range(count):
        tree.push([number])
    assert tree.total() == list(range(count))


@pytest.mark.parametrize("workers", [2, 5])
def test_threads_give_the_bits_of_one_thread(workers):
    groups = groups_of(numbers(BLOCK * (FAN_IN + 2) + 5))
    alone = [(each.total, each.items) for each in summed(float, groups, Added, workers=1)]
    assert [items for _, items in alone] == groups
    assert all(math.isclose(total, math.fsum(items), rel_tol=1e-6) for total, items in alone)
    assert [(each.total, each.items) for each in summed(float, groups, Added, workers=workers)] == alone


def test_the_workers_of_a_cluster_give_the_same_bits_even_if_one_is_killed(tmp_path):
    groups = groups_of(numbers(BLOCK * (2 * FAN_IN + 3) + 7))
    alone = [total.hex() for total in (each.total for each in summed(float, groups, Added, workers=1))]

    class Sums:  # made here: workers cannot import this file
        def __init__(self):
            self.total = 0.0

        def add(self, item):
            self.total += item

        def joined(self, other):
            both = Sums()
            both.total = self.total + other.total
            return both

    with real_cluster(tmp_path / "cluster", workers=2) as processes, processes.client(2) as client:
        found = []
        for each in summed(float, groups, Sums, workers=Cluster(client)):
            found.append(each.total.hex())
            if len(found) == 1:
                processes.kill("w0")
        assert found == alone


@given(count=st.integers(1, BLOCK * (FAN_IN + 2)), stopped=st.integers(0, BLOCK * (FAN_IN + 2)))
@settings(deadline=None, max_examples=40)
def test_a_sum_that_was_stopped_goes_on_with_the_same_bits(count, stopped):
    values = numbers(count)
    growing = Growing(Added)
    for place, value in enumerate(values):
        if place == stopped:
            again = Growing(Added)
            again.restore(growing.parts())
            growing = again
        growing.add(value)
    (whole,) = summed(float, [values], Added, workers=1)
    total = growing.total()
    assert (total.total, total.items) == (whole.total, whole.items)


def test_what_is_added_is_shown_item_by_item():
    seen = []

    def watch(items):
        for item in items:
            seen.append(item)
            yield item

    values = numbers(50)
    list(summed(float, [values], Added, workers=2, watch=watch))
    assert seen == values
