"""Workers and schedulers that are killed, come late, or are of no use: real processes, really killed."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from itertools import count, islice, takewhile

import pytest

from maskreg.errors import ClusterError
from maskreg.stream import Cluster, ordered_map
from real_cluster import PATIENCE, real_cluster, until


@pytest.fixture
def processes(tmp_path):
    with real_cluster(tmp_path / "cluster", workers=2) as processes:
        yield processes


@pytest.fixture
def client(processes):
    with processes.client(2) as client:
        yield client


def squares(count):
    return [item * item for item in range(count)]


def mapped(client, function, items, *, timeout=PATIENCE, batch=2):
    return ordered_map(function, items, workers=Cluster(client, timeout=timeout), batch=batch)


def test_a_worker_that_is_killed_changes_nothing(processes, client):
    results = mapped(client, lambda item: (time.sleep(0.02), item * item)[1], range(120))
    found = [next(results) for _ in range(10)]
    processes.kill("w0")
    assert found + list(results) == squares(120)


def test_the_map_waits_for_workers_and_goes_on_when_they_are_back(processes, client, caplog):
    caplog.set_level(logging.INFO)
    results = mapped(client, lambda item: (time.sleep(0.02), item * item)[1], range(80))
    found = [next(results) for _ in range(6)]
    processes.kill("w0")
    processes.kill("w1")
    begin = threading.Thread(
        target=lambda: (
            until(lambda: any("there is no worker of use" in text for text in caplog.messages)),
            processes.start_worker("again"),
        )
    )
    begin.start()
    found += list(results)
    begin.join()
    assert found == squares(80)
    assert any("workers are there: 1" in text for text in caplog.messages)


def test_without_workers_it_ends_at_the_time_limit_and_says_what_to_do(processes, client):
    results = mapped(client, lambda item: (time.sleep(0.02), item)[1], range(1000), timeout=1.5)
    next(results)
    processes.kill("w0")
    processes.kill("w1")
    with pytest.raises(
        ClusterError, match=r"no worker of use came to the scheduler at tcp.* within 1.5 s.*dask-timeout"
    ):
        list(results)


def test_a_lost_scheduler_is_an_error_that_says_so(processes, client):
    results = mapped(client, lambda item: (time.sleep(0.02), item)[1], range(10_000))
    next(results)
    processes.kill_scheduler()
    with pytest.raises(ClusterError, match=r"connection to the scheduler.* is lost.*same command again"):
        list(results)


def refused_if_marked():
    """Return a function that finds by a mark in its environment that a worker is of no use."""

    class RefusedIfMarked:
        def check(self):
            if os.environ.get("MASKREG_TEST_MARK"):
                raise ClusterError("it does not see the folder /data")

        def __call__(self, item):
            time.sleep(0.02)
            assert not os.environ.get("MASKREG_TEST_MARK"), "a task ran where it must not"
            return item * item

    return RefusedIfMarked()


def test_a_late_worker_that_is_of_no_use_is_left_out_and_named(processes, client, caplog):
    results = mapped(client, refused_if_marked(), range(200))
    found = [next(results) for _ in range(4)]
    processes.start_worker("late", MASKREG_TEST_MARK="1")
    until(lambda: len(client.nthreads()) == 3)
    assert found + list(results) == squares(200)
    told = [text for text in caplog.messages if "is left out" in text]
    assert len(told) == 1
    assert "it does not see the folder /data" in told[0]


def test_after_that_the_useful_ones_may_still_be_lost_and_replaced(processes, client, caplog):
    def left_out() -> bool:
        return any("is left out" in text for text in caplog.messages)

    def items() -> Iterator[int]:  # enough of them, however long a process takes to start
        numbers = count()
        yield from takewhile(lambda _: not left_out(), numbers)
        yield from islice(numbers, 100)

    given = []
    results = mapped(client, refused_if_marked(), (given.append(item) or item for item in items()))
    found = [next(results) for _ in range(4)]
    processes.start_worker("late", MASKREG_TEST_MARK="1")
    while not left_out():
        found.append(next(results))
    processes.kill("w0")
    processes.kill("w1")
    processes.start_worker("replaced")
    found += list(results)
    assert found == [item * item for item in given]
    assert len(found) > 100


def test_what_kills_every_worker_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")
    with real_cluster(tmp_path / "cluster", workers=2) as processes, processes.client(2) as client:
        results = mapped(client, lambda item: os._exit(1) if item == 9 else item, range(20))
        with pytest.raises(ClusterError, match=r"died while it had the same items, from \d+ on"):
            list(results)


def test_what_cannot_be_sent_is_told_with_what_a_reader_has_to_be(client):
    """A reader of another package that kept its file open was called a bug in maskreg."""
    lock = threading.Lock()
    with pytest.raises(
        ClusterError, match=r"cannot be sent .*_thread\.lock.*a reader of frames keeps the path"
    ):
        list(mapped(client, lambda item: (lock, item), range(3)))
    assert list(mapped(client, lambda item: item * item, range(3))) == squares(3)
