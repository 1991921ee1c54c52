"""Workers that go before what they said is fetched."""

from __future__ import annotations

import pytest

from maskreg.stream.fit_workers import FitWorkers
from maskreg.stream.on_worker import Report
from maskreg.stream.scheduler import GoneError
from maskreg.stream.versions import processor


class Said:
    """A future of what a worker says of itself: it is there, and with its worker it goes."""

    status = "finished"

    def __init__(self, worker: str) -> None:
        self.worker = worker

    def done(self) -> bool:
        return True

    def cancel(self) -> None:
        self.status = "cancelled"


class SchedulerThatLoses:
    """A scheduler whose worker ``w0`` goes when it is asked for what that worker said."""

    address = "the scheduler"

    def __init__(self) -> None:
        self.workers = {"w0": 1, "w1": 1}

    def threads(self) -> dict[str, int]:
        return dict(self.workers)

    def submit(self, function, *arguments, workers):
        return Said(*workers)

    def fetch(self, future: Said, may_still_come) -> Report:
        self.workers.pop("w0", None)
        for _ in range(5):
            if future.worker in self.workers:
                return Report(future.worker, "", processor(), None)
            if not may_still_come():
                raise GoneError
        pytest.fail(f"what {future.worker} said is waited for without end")


def test_what_a_worker_said_that_is_gone_is_not_waited_for():
    workers = FitWorkers(SchedulerThatLoses(), patience=1)
    workers.count()
    workers.ask_all(None)
    workers.restrict()
    assert workers.addresses == {"w1"}
    assert workers.allowed == {"w1"}
