"""How many processors one call may use."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from maskreg import cores
from maskreg.cores import cores_of_a_call


@pytest.fixture(autouse=True)
def _eight(monkeypatch):
    monkeypatch.setattr(cores, "available_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.parametrize(
    ("told", "threads"),
    [("", 8), ("1", 1), ("3", 3), ("4,2", 4), (" 2 ", 2), ("20", 8), ("0", 8), ("-1", 8), ("many", 8)],
)
def test_a_call_uses_all_cores_or_as_many_as_it_is_told(monkeypatch, told, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert cores_of_a_call() == threads


def test_a_call_from_another_thread_uses_one_core():
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(cores_of_a_call).result() == 1


def test_a_call_in_a_process_of_a_pool_uses_one_core():
    with get_context("spawn").Pool(1) as pool:
        assert pool.apply(cores_of_a_call) == 1
