"""One process of a machine does it; the others wait, or leave it; and nobody waits for the dead."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time

import pytest

from maskreg.core.machine.alone import alone

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux")


def _hold(path, begun, seconds):
    with alone(path, wait=True):
        begun.set()
        time.sleep(seconds)


@pytest.fixture
def holder(tmp_path):
    """A process that holds a lock, and the lock's file."""
    path, context = tmp_path / "folder" / "work.lock", multiprocessing.get_context("spawn")
    begun = context.Event()
    process = context.Process(target=_hold, args=(path, begun, 600))
    process.start()
    assert begun.wait(60)
    yield process, path
    process.kill()
    process.join()


def test_who_does_not_wait_is_told_that_another_process_holds_it(holder):
    _, path = holder
    with alone(path, wait=False) as mine:
        assert not mine
    with alone(path.with_suffix(".other"), wait=False) as mine:
        assert mine


def test_who_waits_goes_on_when_the_other_is_killed(holder):
    process, path = holder
    signal.signal(signal.SIGALRM, lambda *_: os.kill(process.pid, signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    begin = time.monotonic()
    with alone(path, wait=True) as mine:
        assert mine
    assert time.monotonic() - begin > 0.4


def test_one_after_the_other_in_a_process_may(tmp_path):
    for _ in range(2):
        with alone(tmp_path / "work.lock", wait=False) as mine:
            assert mine


def test_where_no_file_can_be_everybody_may_go_on(tmp_path):
    (tmp_path / "file").touch()
    with alone(tmp_path / "file" / "work.lock", wait=False) as mine:
        assert mine


def test_where_files_cannot_be_locked_everybody_may_go_on(tmp_path, monkeypatch):
    import fcntl

    def refuse(*_):
        raise OSError("no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with alone(tmp_path / "work.lock", wait=True) as mine:
        assert mine
