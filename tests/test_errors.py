"""An interrupt stays one, whatever Python or a library makes of it."""

from __future__ import annotations

import signal
import sys

import numpy as np
import pytest
from numba import njit

from maskreg import Registrar
from maskreg.errors import interrupts_as_such


def made_of(cause, *kinds):
    """Return an error that was made of a cause by one kind of error after the other."""
    for kind in kinds:
        error = kind("a result with an exception set")
        error.__cause__, cause = cause, error
    return cause


@pytest.mark.parametrize("kinds", [[], [SystemError], [SystemError, SystemError], [RuntimeError]])
def test_what_was_made_of_an_interrupt_is_that_interrupt(kinds):
    interrupt = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt) as caught, interrupts_as_such():
        raise made_of(interrupt, *kinds)
    assert caught.value is interrupt


@pytest.mark.parametrize("error", [SystemError("a bug"), made_of(OSError("full"), SystemError, ValueError)])
def test_other_errors_are_what_they_were(error):
    cause = error.__cause__
    with pytest.raises(type(error)) as caught, interrupts_as_such():
        raise error
    assert caught.value is error
    assert error.__cause__ is cause


def test_what_fails_because_of_an_interrupt_is_told():
    with pytest.raises(OSError, match="the disk is full"), interrupts_as_such():
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise OSError("the disk is full")  # noqa: B904 (as in a clean-up, which knows no cause)


@njit(nogil=True)
def slow(steps):
    found = np.zeros(2)
    for step in range(steps):
        found[0] += np.sqrt(step + 1e-9 * found[0])
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="needs a timer that sends a signal")
def test_an_interrupt_while_compiled_code_runs_is_one(monkeypatch):
    def interrupt(number, frame):
        raise KeyboardInterrupt

    slow(1)
    monkeypatch.setattr("maskreg.core.registrar.robust_registration", lambda *_: slow(200_000_000))
    image = np.random.default_rng(0).poisson(20.0, (32, 32))
    registrar = Registrar(image)
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            registrar(image)
    finally:
        signal.signal(signal.SIGALRM, before)
