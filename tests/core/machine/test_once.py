"""Attributes that are computed once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier

from maskreg.core.machine.once import once


@dataclass(frozen=True)
class Image:
    barrier: Barrier

    @once
    def level(self) -> object:
        """Wait until another image computes its own."""
        self.barrier.wait(timeout=30)
        return object()


def test_an_attribute_is_computed_once() -> None:
    image = Image(Barrier(1))
    assert image.level is image.level
    assert Image.level.__doc__ == "Wait until another image computes its own."


def test_threads_compute_the_attributes_of_two_objects_at_the_same_time() -> None:
    barrier = Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda image: image.level, (Image(barrier), Image(barrier)))
    assert first is not second
