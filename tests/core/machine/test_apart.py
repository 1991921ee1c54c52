"""Work in a process of its own leaves what it wrote, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from maskreg.core.machine import apart
from maskreg.core.machine.apart import begun_apart, done_apart

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux")


def test_files_are_there_and_nothing_of_what_changed_in_memory(tmp_path):
    changed = []

    def work():
        changed.append(1)
        (tmp_path / "file").write_text(str(os.getpid()))

    assert done_apart(work)
    assert changed == []
    assert int((tmp_path / "file").read_text()) != os.getpid()


@pytest.mark.parametrize("fails", [lambda: 1 / 0, lambda: sys.exit(0), lambda: os.kill(os.getpid(), 9)])
def test_work_that_fails_is_not_done_and_harms_nobody(fails, capfd):
    assert not done_apart(fails)
    assert "Traceback" not in capfd.readouterr().err


def test_work_that_stands_still_is_ended(monkeypatch):
    monkeypatch.setattr(apart, "PATIENCE", 0.2)
    begin = time.monotonic()
    assert not done_apart(lambda: time.sleep(600))
    assert time.monotonic() - begin < 60


def test_an_interrupt_ends_it_too(tmp_path, monkeypatch):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs in the background ignores it
    here, pid, sleep = os.getpid(), tmp_path / "pid", time.sleep

    def work():
        pid.write_text(str(os.getpid()))
        sleep(600)

    def interrupted(seconds):
        if os.getpid() == here and pid.exists() and pid.read_text():
            os.kill(here, signal.SIGINT)
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            done_apart(work)
    finally:
        signal.signal(signal.SIGINT, before)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_any_thread_may_ask_for_it(tmp_path):
    done = []
    thread = threading.Thread(target=lambda: done.append(done_apart((tmp_path / "file").touch)))
    thread.start()
    thread.join()
    assert done == [True]
    assert (tmp_path / "file").exists()


def test_without_room_for_another_process_it_is_not_done(monkeypatch):
    def no_fork():
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", no_fork)
    assert not done_apart(lambda: None)


def test_what_is_begun_is_not_waited_for_and_leaves_no_process(tmp_path):
    go, done = tmp_path / "go", tmp_path / "done"

    def work():
        while not go.exists():
            time.sleep(0.01)
        done.write_text(str(os.getpid()))

    assert begun_apart(work)
    assert not done.exists()
    go.touch()
    (waiting,) = [thread for thread in threading.enumerate() if thread.name == "maskreg_apart"]
    waiting.join(60)
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.read_text()), 0)


BEGINS = """
import os, time
from maskreg.core.machine.apart import begun_apart, done_apart
begun_apart(lambda: done_apart(lambda: time.sleep(600)))
time.sleep(1)
os.kill(os.getpid(), 9)
"""


def test_it_ends_with_the_process_that_asked_for_it():
    # the pipe is open as long as any of them is there
    done = subprocess.run([sys.executable, "-c", BEGINS], capture_output=True, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
