"""A signal ends the program in time, whatever it is busy with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import weakref
from contextlib import suppress

import pytest

from maskreg.cli.interrupts import interruptible
from maskreg.errors import RunError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs signals")


def test_a_call_that_never_comes_back_to_python_is_ended():
    code = """
import ctypes
from maskreg.cli.interrupts import interruptible
with interruptible(lambda: "maskreg: interrupted; farewell"):
    print("busy", flush=True)
    libc = ctypes.CDLL(None)
    lock = ctypes.create_string_buffer(64)  # a pthread mutex, zeroed: taken twice it waits for ever
    libc.pthread_mutex_lock(lock)
    libc.pthread_mutex_lock(lock)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "busy\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "maskreg: interrupted; farewell\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_notices_is_not_ended_and_everything_is_put_back(number):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), interruptible(lambda: "farewell"):
        os.kill(os.getpid(), number)
        time.sleep(5)
    time.sleep(0.05)
    assert signal.getsignal(number) is before
    with interruptible(lambda: "farewell"):
        assert signal.getsignal(number) is not before


class _Destructor:
    def __init__(self, act):
        self.act = act

    def __del__(self):
        self.act()


class _Whole:
    pass


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (ImportError("numba._devicearray failed to import"), KeyboardInterrupt),
        (RunError("cannot write run: the disk is full"), RunError),
        (OSError("the share is lost"), OSError),
    ],
)
def test_what_a_library_says_of_an_interrupt_is_no_error(error, raised):
    with pytest.raises(type(error)), interruptible(lambda: "farewell"):
        raise error
    with pytest.raises(raised), interruptible(lambda: "farewell"):
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        raise error


def _in_a_destructor(act):
    _Destructor(act)


def _in_the_callback_of_a_weak_reference(act):
    whole = _Whole()
    kept = weakref.ref(whole, lambda _: act())
    del whole
    assert kept() is None


def _in_a_library_that_catches_everything(act):
    with suppress(BaseException):
        act()


def _in_one_that_raises_another_error(act):
    try:
        try:
            act()
        except BaseException as error:
            raise ValueError("no image") from error
    except ValueError:
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "dropping",
    [
        _in_a_destructor,
        _in_the_callback_of_a_weak_reference,
        _in_a_library_that_catches_everything,
        _in_one_that_raises_another_error,
    ],
)
def test_an_interrupt_that_is_dropped_comes_again(dropping, number, capsys):
    def interrupted():
        os.kill(os.getpid(), number)
        time.sleep(1)

    with pytest.raises(KeyboardInterrupt), interruptible(lambda: "farewell"):
        for _ in range(2):
            dropping(interrupted)
        time.sleep(5)
    assert capsys.readouterr().err == ""
