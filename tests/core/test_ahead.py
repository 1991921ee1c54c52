"""One pair on several threads: the same answer, and no thread that nobody asked for."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.fft
from numba.core.sigutils import normalize_signature
from tests.core.registration_law import COUNTS
from tests.core.uncompiled import WITHOUT_COMPILER

from maskreg import Registrar, align, register
from maskreg.core import ahead, kernels_of_pair, registrar
from maskreg.core import register as register_module
from maskreg.core.machine import in_parallel
from maskreg.core.machine.in_parallel import meanwhile
from maskreg.testing import Rings, Spots, Texture, simulate_pair

ONE_PAIR = """
import sys
from maskreg import register
from maskreg.testing import ChromiumScan
scan = ChromiumScan((768, 768), scans=2, delays=(0, 1))
assert register(scan.frame(0), scan.frame(3), scan.mask, scan.mask).ok
from numba.core.dispatcher import Dispatcher
for module in list(sys.modules.values()):
    if module.__name__.startswith("maskreg.core."):
        for name, value in vars(module).items():
            used = isinstance(value, Dispatcher) and value.overloads
            if used and value.py_func.__module__ == module.__name__:
                if value.targetoptions.get("inline") != "always":
                    print(name, *(str(types).replace(" ", "") for types in value.overloads))
"""


def _pair(kind, shape=(300, 280)):
    if kind == "noise":
        rng = np.random.default_rng(5)
        return rng.poisson(4.0, shape), rng.poisson(4.0, shape), np.ones(shape, bool)
    if kind == "floats":
        pair = _pair("rings", shape)
        return pair[0] * 0.37, pair[1] * 0.37, pair[2]
    scene = {"rings": Rings, "spots": Spots, "texture": Texture}[kind](shape)
    rng = np.random.default_rng(3)
    scattered = rng.random(shape) < 0.7 if kind == "texture" else np.ones(shape, bool)
    scattered[100:140, :150] = False
    return simulate_pair(scene, (4.3, -7.6), 20, scattered, rng, detector=COUNTS)


def _answer(found):
    arrays = found.shift, found.covariance
    return [values.tobytes() for values in arrays], repr(found)


@pytest.mark.parametrize("kind", ["rings", "spots", "texture", "noise", "floats"])
def test_the_answer_is_the_same_to_the_bit_on_any_number_of_threads(monkeypatch, kind):
    reference, moving, mask = _pair(kind)
    monkeypatch.setattr(register_module, "SMALLEST_THREADED", 0)
    answers = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(register_module, "cores_of_a_call", lambda threads=threads: threads)
        answers.append(_answer(register(reference, moving, mask, mask)))
    assert answers[0] == answers[1] == answers[2]


def test_volumes_too():
    rng = np.random.default_rng(1)
    volume = scipy.ndimage.gaussian_filter(rng.standard_normal((48, 52, 50)), 2.0)
    views = volume[4:44, 4:44, 4:44], volume[2:42, 5:45, 4:44]
    answers = []
    for threads in (1, 3):
        with scipy.fft.set_workers(threads):
            answers.append(_answer(Registrar(views[0])(views[1])))
    assert answers[0] == answers[1]


def test_large_images_are_prepared_on_several_threads_and_small_ones_on_one(monkeypatch):
    asked = []
    monkeypatch.setattr(registrar, "prepare", lambda masked, threads: asked.append(threads))
    monkeypatch.setattr(register_module, "cores_of_a_call", lambda: 3)
    reference, moving, mask = _pair("rings")
    register(reference, moving, mask, mask)
    assert asked == []
    monkeypatch.setattr(register_module, "SMALLEST_THREADED", reference.size)
    register(reference, moving, mask, mask)
    assert asked == [3]


def test_what_is_made_ahead_is_what_a_frame_needs(monkeypatch):
    reference, moving, mask = _pair("rings")
    made = []
    monkeypatch.setattr(ahead, "in_parallel", lambda work, parts: made.extend(map(work, range(parts))))
    with scipy.fft.set_workers(2):
        one = Registrar(reference, mask)
        one(moving, mask)
    (side,) = one._sides.values()
    (masked,) = one._masked
    kept = [
        len(part._values)
        for part in (side._templates._kept, side._rings, masked._searches, masked._surrounds)
    ]
    without = Registrar(reference, mask)
    without(moving, mask)
    (side,) = without._sides.values()
    (masked,) = without._masked
    needed = [
        len(part._values)
        for part in (side._templates._kept, side._rings, masked._searches, masked._surrounds)
    ]
    assert len(made) == 2
    assert kept == needed


def test_a_series_and_a_registrar_start_no_thread_for_their_reference(monkeypatch):
    def refuse(*_):
        raise AssertionError("more threads than were asked for")

    monkeypatch.setattr(registrar, "prepare", refuse)
    monkeypatch.setattr(in_parallel, "_pool", refuse)
    reference, moving, mask = _pair("rings")
    assert Registrar(reference, mask)(moving, mask).ok
    for workers in (1, 2):
        assert align(np.stack([reference, moving, reference]), mask, workers=workers).ok.all()


def test_a_pair_on_a_thread_of_somebody_else_starts_none(monkeypatch):
    monkeypatch.setattr(register_module, "SMALLEST_THREADED", 0)
    monkeypatch.setattr(registrar, "prepare", lambda *_: pytest.fail("another thread was begun"))
    reference, moving, mask = _pair("rings")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(register, reference, moving, mask, mask).result().ok


def test_work_meanwhile_ends_with_the_block_and_its_error_is_told():
    done = threading.Event()
    with scipy.fft.set_workers(2):
        with meanwhile(lambda: done.wait(0.1) or done.set()):
            assert not done.is_set()
        assert done.is_set()
        with pytest.raises(ZeroDivisionError), meanwhile(lambda: 1 / 0):
            pass
    with meanwhile(lambda: pytest.fail("there is one thread")):
        pass


@pytest.mark.skipif(WITHOUT_COMPILER, reason="nothing is compiled")
def test_the_kernels_that_are_loaded_or_compiled_meanwhile_are_those_of_an_ordinary_pair():
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", ONE_PAIR], env=environment, capture_output=True, text=True, check=True
    )
    used = {name: types for name, *types in map(str.split, done.stdout.splitlines())}
    assert set(used) == {compiled.py_func.__name__ for compiled in kernels_of_pair.IN_ORDER}
    for compiled, text in kernels_of_pair.LONGEST:
        types, _ = normalize_signature(f"({text})")
        assert str(types).replace(" ", "") in used[compiled.py_func.__name__]
