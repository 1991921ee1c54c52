"""One contract for every runner of the ordered map."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from maskreg.errors import InputError
from maskreg.stream import available_cores, ordered_map


class RunnerContract:
    """What `ordered_map` promises, whoever runs the tasks."""

    workers: int
    in_flight: int

    def map(self, function, items):
        return ordered_map(function, items, workers=self.workers, in_flight=self.in_flight)

    def test_results_come_in_the_order_of_the_items(self):
        def slow_when_even(item):
            time.sleep(0.002 if item % 2 == 0 else 0)
            return item * item

        assert list(self.map(slow_when_even, range(30))) == [item * item for item in range(30)]

    def test_no_items_give_no_results(self):
        assert list(self.map(abs, [])) == []

    def test_items_are_taken_lazily_and_within_bounds(self):
        taken = 0

        def items() -> Iterator[int]:
            nonlocal taken
            for item in range(50):
                taken += 1
                yield item

        for handed_on, _ in enumerate(self.map(abs, items())):
            assert taken - handed_on <= self.in_flight

    def test_an_exception_is_raised_in_its_place(self):
        def fail_at_seven(item):
            if item == 7:
                raise LookupError("seven")
            time.sleep(0.002)
            return item

        results = self.map(fail_at_seven, range(20))
        assert [next(results) for _ in range(7)] == list(range(7))
        with pytest.raises(LookupError, match="seven"):
            next(results)
        assert list(results) == []

    def test_closing_drops_what_has_not_started(self):
        started = []

        def task(item):
            started.append(item)
            time.sleep(0.01)
            return item

        results = self.map(task, range(1000))
        next(results)
        results.close()
        before = len(started)
        assert before <= self.in_flight + 1
        time.sleep(0.05)
        assert len(started) == before

    def test_an_interrupt_ends_the_map(self):
        started = []

        def task(item):
            started.append(item)
            time.sleep(0.01)
            if item == 3:
                raise KeyboardInterrupt
            return item

        with pytest.raises(KeyboardInterrupt):
            list(self.map(task, range(1000)))
        assert max(started) <= 3 + self.in_flight

    def test_no_thread_is_left_behind(self):
        before = threading.active_count()
        list(self.map(abs, range(10)))
        assert threading.active_count() == before


class TestSerial(RunnerContract):
    workers = 1
    in_flight = 1

    def test_tasks_run_in_the_calling_thread(self):
        threads = set(self.map(lambda _: threading.current_thread(), range(5)))
        assert threads == {threading.current_thread()}


class TestThreads(RunnerContract):
    workers = 3
    in_flight = 5

    def test_tasks_run_at_the_same_time(self):
        barrier = threading.Barrier(self.workers, timeout=10)
        assert len(list(self.map(lambda _: barrier.wait(), range(self.workers)))) == self.workers

    def test_a_stuck_task_does_not_hold_up_the_end(self):
        release = threading.Event()

        def stuck_after_the_first(item):
            if item > 0:
                release.wait(30)
            return item

        results = self.map(stuck_after_the_first, range(10))
        next(results)
        begin = time.monotonic()
        results.close()
        assert time.monotonic() - begin < 20  # the task would take 30
        release.set()


@pytest.mark.parametrize(("workers", "in_flight"), [(0, None), (-1, 4), (4, 2)])
def test_impossible_numbers_are_refused(workers, in_flight):
    with pytest.raises(InputError, match=r"workers|in_flight"):
        ordered_map(abs, [1], workers=workers, in_flight=in_flight)


def test_there_is_at_least_one_core():
    assert available_cores() >= 1
