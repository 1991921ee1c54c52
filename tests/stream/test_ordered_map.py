"""One contract for every runner of the ordered map."""

from __future__ import annotations

import gc
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskreg.cores import available_cores
from maskreg.errors import ClusterError, InputError, InputTypeError, RunError
from maskreg.stream import Cluster, Forked, can_fork, ordered_map, workers_of
from maskreg.stream.versions import versions
from real_cluster import real_cluster, until


class RunnerContract:
    """What `ordered_map` promises, whoever runs the tasks."""

    in_flight: int
    batch = 1

    @pytest.fixture(autouse=True)
    def who_runs_it(self):
        self.runner = self.workers

    def map(self, function, items):
        return ordered_map(function, items, workers=self.runner, in_flight=self.in_flight, batch=self.batch)

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

    def test_a_function_that_wants_to_is_told_of_items_before_their_turn(self):
        class Foreseeing:  # here, so that it can be sent
            def __init__(self):
                self.told = set()

            def soon(self, item):
                self.told.add(item)

            def __call__(self, item):
                return item in self.told

        told = list(self.map(Foreseeing(), range(30)))
        assert len(told) == 30
        assert all(told[1:])  # the first may be done before there is anybody else

    def test_closing_drops_what_has_not_started(self, tmp_path):
        def task(item):
            (tmp_path / str(item)).touch()
            time.sleep(0.01)
            return item

        results = self.map(task, range(1000))
        next(results)
        results.close()
        time.sleep(self.batch * 0.2)  # what runs on another machine runs to its end
        before = len(list(tmp_path.iterdir()))
        assert before <= self.in_flight + 1
        time.sleep(0.1)
        assert len(list(tmp_path.iterdir())) == before

    def test_an_interrupt_ends_the_map(self, tmp_path):
        def task(item):
            (tmp_path / str(item)).touch()
            time.sleep(0.01)
            if item == 3:
                raise KeyboardInterrupt
            return item

        with pytest.raises(KeyboardInterrupt):
            list(self.map(task, range(1000)))
        assert max(int(file.name) for file in tmp_path.iterdir()) <= 3 + self.in_flight

    def test_no_thread_is_left_behind(self):
        list(self.map(abs, range(10)))
        before = threading.active_count()
        list(self.map(abs, range(10)))
        assert threading.active_count() == before


class OtherProcessesContract(RunnerContract):
    """What else is promised where other processes run the tasks."""

    def test_an_error_that_cannot_be_sent_says_what_it_was(self):
        class LocalError(Exception):
            def __init__(self, one, two):
                super().__init__(f"{one} and {two}")

        def fail(item):
            raise LocalError("this", "that")

        with pytest.raises(Exception, match="this and that"):
            list(self.map(fail, range(3)))


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


needs_fork = pytest.mark.skipif(not can_fork(), reason="this system does not fork safely")


@needs_fork
class TestForked(OtherProcessesContract):
    workers = Forked(2)
    in_flight = 5

    def test_the_first_item_is_done_here_and_the_others_elsewhere_at_the_same_time(self, tmp_path):
        def met(item):
            (tmp_path / str(os.getpid())).touch()
            until(lambda: item == 0 or len(list(tmp_path.iterdir())) == 3)
            return os.getpid()

        found = list(self.map(met, range(40)))
        assert found[0] == os.getpid()
        assert len(set(found[1:])) == 2
        assert os.getpid() not in found[1:]

    def test_workers_share_what_the_first_items_have_made(self):
        made = []

        def make(item):
            made.append(item)
            return made[0], len(made)

        runner = Forked(2, begun=lambda result: result[1] == 3)
        found = list(ordered_map(make, range(9), workers=runner, in_flight=self.in_flight, batch=self.batch))
        assert {first for first, _ in found} == {0}
        assert [count for _, count in found[:3]] == [1, 2, 3]
        assert min(count for _, count in found[3:]) == 4

    def test_a_worker_that_is_killed_is_replaced_and_its_items_are_done_again(self, tmp_path, caplog):
        def dies_once(item):
            if item in (3, 11) and not (tmp_path / str(item)).exists():
                (tmp_path / str(item)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return item

        assert list(self.map(dies_once, range(20))) == list(range(20))
        assert sum("ended by signal 9; another one" in text for text in caplog.messages) == 2

    def test_a_batch_of_which_every_worker_dies_ends_the_map_and_says_what_to_try(self):
        def deadly(item):
            if item == 3:
                os._exit(7)
            return item

        results = self.map(deadly, range(20))
        with pytest.raises(RunError, match="exit code 7 at the same frames; if memory ran out"):
            list(results)

    def test_a_signal_that_all_processes_get_is_left_to_this_one(self, tmp_path):
        def told(item):
            if item:
                os.kill(os.getpid(), signal.SIGINT)
            return item

        assert list(self.map(told, range(9))) == list(range(9))

    def test_workers_do_not_outlive_this_process_however_it_ends(self, tmp_path):
        program = """
            import os, signal, sys, time
            from pathlib import Path
            from maskreg.stream import Forked, ordered_map

            def task(item):
                (Path(sys.argv[1]) / f"{item}-{os.getpid()}").touch()
                time.sleep(60 * (item > 0))

            list(ordered_map(task, range(9), workers=Forked(2)))
        """
        process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program), str(tmp_path)])
        until(lambda: len(list(tmp_path.iterdir())) == 3)
        process.kill()
        process.wait()
        workers = {int(file.name.partition("-")[2]) for file in tmp_path.iterdir()} - {process.pid}
        assert len(workers) == 2
        until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


@needs_fork
class TestForkedInBatches(TestForked):
    in_flight = 12
    batch = 3


def test_no_process_is_forked_beside_a_thread_that_may_hold_a_lock():
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    try:
        assert not can_fork()
    finally:
        release.set()
        thread.join()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with (
        real_cluster(tmp_path_factory.mktemp("cluster"), workers=2) as processes,
        processes.client(2) as client,
    ):
        yield Cluster(client)


class TestCluster(OtherProcessesContract):
    in_flight = 5

    @pytest.fixture(autouse=True)
    def who_runs_it(self, cluster):
        self.runner = cluster

    def test_tasks_run_in_other_processes_at_the_same_time(self, tmp_path):
        def met(item):
            (tmp_path / str(os.getpid())).touch()
            end = time.monotonic() + 2  # a scheduler that takes tasks to be short gives them all to one
            while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < end:
                time.sleep(0.01)
            return os.getpid()

        found = set(self.map(met, range(40)))
        assert len(found) == 2
        assert os.getpid() not in found

    def test_a_function_is_unpacked_once_a_worker_not_once_a_task(self, tmp_path):
        class Counted:
            def __init__(self):
                (tmp_path / f"{os.getpid()}-{time.monotonic_ns()}").touch()

            def __reduce__(self):
                return Counted, ()

            def __call__(self, item):
                return item

        assert list(self.map(Counted(), range(40))) == list(range(40))
        unpacked = [file.name.partition("-")[0] for file in tmp_path.iterdir()]
        assert str(os.getpid()) in unpacked
        # every 2 s the scheduler may take it from a worker that has nothing to do just then
        assert len(set(unpacked)) <= 3
        assert len(unpacked) <= 4

    def test_workers_let_go_of_a_function_when_the_map_ends(self, cluster):
        list(self.map(abs, range(10)))
        until(lambda: not any(cluster.client.has_what().values()))

    def test_workers_let_go_of_results_that_were_waited_for(self, cluster, monkeypatch):
        monkeypatch.setattr("maskreg.stream.scheduler.TICK", 0.05)
        gc.disable()
        try:
            list(self.map(time.sleep, [0.2] * 3))
            until(lambda: not any(cluster.client.has_what().values()))
        finally:
            gc.enable()

    def test_a_worker_that_fails_the_functions_check_is_named_with_the_reason(self):
        class Checked:
            def check(self):
                raise ClusterError("it does not see /the/files")

            def __call__(self, item):
                return item

        with pytest.raises(ClusterError, match=r"worker tcp://127.0.0.1:\d+ .*/the/files"):
            list(self.map(Checked(), range(3)))

    def test_a_worker_with_another_version_is_refused_and_both_are_shown(self, monkeypatch):
        ours = versions()
        monkeypatch.setattr("maskreg.stream.cluster.versions", lambda: {**ours, "maskreg": "0.0.0 (other)"})
        with pytest.raises(
            ClusterError, match=rf"maskreg {re.escape(ours['maskreg'])}; here .* 0.0.0 \(other\)"
        ):
            list(self.map(abs, range(3)))

    def test_another_kind_of_processor_is_told(self, monkeypatch, caplog):
        monkeypatch.setattr("maskreg.stream.fit_workers.processor", lambda: "pdp11")
        assert list(self.map(abs, range(3))) == [0, 1, 2]
        assert len([text for text in caplog.messages if "pdp11" in text and "last digits" in text]) == 1


class TestClusterInBatches(TestCluster):
    in_flight = 12
    batch = 3

    def test_tasks_run_in_other_processes_at_the_same_time(self, tmp_path):
        assert os.getpid() not in set(self.map(lambda _: os.getpid(), range(20)))


def test_threads_and_a_client_are_one_too_many(cluster):
    assert workers_of(3, None) == 3
    assert workers_of(None, cluster.client).client is cluster.client
    with pytest.raises(InputError, match="workers is 3, and there is a client"):
        workers_of(3, cluster.client)
    with pytest.raises(InputTypeError, match="client is of type str"):
        workers_of(None, "tcp://127.0.0.1:8786")


@pytest.mark.parametrize(
    ("workers", "in_flight"), [(0, None), (-1, 4), (4, 2), (Forked(2), 0), (10**11, None), (10**30, None)]
)
def test_impossible_numbers_are_refused(workers, in_flight):
    with pytest.raises(InputError, match=r"workers|in_flight"):
        ordered_map(abs, [1], workers=workers, in_flight=in_flight)


def test_where_the_system_starts_no_more_threads_those_that_run_do_it(monkeypatch):
    start, left = threading.Thread.start, [2]

    def few(thread):
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", few)
    assert list(ordered_map(abs, range(40), workers=8)) == list(range(40))
    with pytest.raises(RuntimeError):  # there is none at all
        list(ordered_map(abs, range(40), workers=8))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux")
def test_where_the_system_starts_no_more_processes_those_that_run_do_it(monkeypatch, caplog):
    fork, left = os.fork, [2]

    def few():
        left[0] -= 1
        if left[0] < 0:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return fork()

    monkeypatch.setattr(os, "fork", few)
    assert list(ordered_map(abs, range(40), workers=Forked(8))) == list(range(40))
    assert "2 worker processes, not 8: Resource temporarily unavailable" in caplog.text


def test_there_is_at_least_one_core():
    assert available_cores() >= 1
