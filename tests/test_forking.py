"""A signal that comes while a process is forked is neither lost nor handled in the middle of it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from maskreg.core.machine.apart import done_apart
from maskreg.forking import SIGNALS, undisturbed
from maskreg.stream.forked import Forked, forked_map

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux")

FORK = os.fork


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    # who runs in the background ignores them
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & set(SIGNALS)


def interrupting(here: int, children: list[int], after: bool):
    """Return a fork in which a Ctrl-C comes, just before or just after; it notes the new process."""

    def fork() -> int:
        if not after:
            os.kill(here, signal.SIGINT)
        child = FORK()
        if child:
            children.append(child)
            if after:
                os.kill(here, signal.SIGINT)
        return child

    return fork


def is_gone(process: int) -> bool:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("after", [False, True])
def test_an_interrupt_while_work_apart_is_forked_ends_it(monkeypatch, after):
    children: list[int] = []
    monkeypatch.setattr(os, "fork", interrupting(os.getpid(), children, after))
    with pytest.raises(KeyboardInterrupt):
        done_apart(lambda: time.sleep(600))
    assert len(children) == 1
    assert is_gone(children[0])


@pytest.mark.parametrize("after", [False, True])
def test_an_interrupt_while_a_worker_is_forked_ends_the_map(monkeypatch, after):
    children: list[int] = []
    monkeypatch.setattr(os, "fork", interrupting(os.getpid(), children, after))
    with pytest.raises(KeyboardInterrupt):
        list(forked_map(abs, range(100), forked=Forked(2), in_flight=4, batch=1))
    assert len(children) == 1
    assert is_gone(children[0])


def test_what_other_threads_are_given_waits_as_well(monkeypatch):
    # the hook that Python runs in the new and in the old process is where an exception would be lost
    ran = threading.Event()
    done = threading.Event()
    other = threading.Thread(target=lambda: (ran.set(), done.wait(60)))
    other.start()
    ran.wait(60)
    here, lost = os.getpid(), []
    monkeypatch.setattr(sys, "unraisablehook", lost.append)

    def hook() -> None:
        if hooked and os.getpid() == here:
            os.kill(here, signal.SIGINT)  # this thread blocks it, the other has it
            end = time.monotonic() + 1
            while time.monotonic() < end:
                pass

    hooked = [True]
    os.register_at_fork(after_in_parent=hook)
    try:
        with pytest.raises(KeyboardInterrupt), undisturbed():
            child = os.fork()
            if not child:
                os._exit(0)
    finally:
        hooked.clear()
        done.set()
        other.join()
    os.waitpid(child, 0)
    assert lost == []


def test_the_handler_is_there_again_and_a_fork_that_fails_leaves_it():
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), undisturbed():
        assert signal.getsignal(signal.SIGINT) is not handler
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is handler
