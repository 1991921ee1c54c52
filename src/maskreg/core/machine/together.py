"""Kernels that are needed one after the other are compiled by several processes at once."""

from __future__ import annotations

from collections.abc import Container, Sequence
from functools import partial
from typing import Any

from maskreg.core.machine.alone import alone
from maskreg.core.machine.apart import begun_apart
from maskreg.core.machine.compiled import keep_compiled, lock_file
from maskreg.cores import available_cores

MOST = 4
"""So many processes at once, at most: each takes 200 MB, and the longest kernel a fifth of all the time."""


class Together:
    """Begins other processes as soon as one of some kernels has to be compiled; once.

    Parameters
    ----------
    kernels : container of kernels
    longest : sequence of (kernel, signature)
        Those that the others compile, beginning with the one that takes longest. All will be needed.
    """

    def __init__(self, kernels: Container[Any], longest: Sequence[tuple[Any, str]]) -> None:
        self._kernels = kernels
        self._longest = longest
        self._begun = False

    def __call__(self, compiled: Any) -> None:
        """Take note that a kernel is to be compiled."""
        if self._begun or compiled not in self._kernels:
            return
        self._begun = True
        for place in range(min(available_cores(), MOST) - 1):
            if not begun_apart(partial(self._compile_longest, place)):
                return

    def _compile_longest(self, place: int) -> None:
        """Compile one kernel after the other that nobody is at.

        Of all processes on this machine that began at once, one in each `place` is enough.
        """
        with alone(lock_file(self._longest[0][0], f"{place}.lock"), wait=False) as mine:
            for compiled, signature in self._longest if mine else ():
                keep_compiled(compiled, signature)
