"""What a mask does to the registration of a frame: tried beside the page, the newest wish first."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import MaskregError
from maskreg.options import Options
from maskreg.registration import Registration


class Trial:
    """Registers one frame in a thread of its own; a wish that was overtaken by another is dropped.

    Parameters
    ----------
    options : Options
        Those of the run.
    tell : callable
        Called in that thread with the text to show.
    """

    def __init__(self, options: Options, tell: Callable[[str], None]) -> None:
        self._options, self._tell = options, tell
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="maskreg-trial")
        self._newest = 0
        self._lock = Lock()

    def ask(
        self, reference: NDArray[Any], moving: NDArray[Any], mask: NDArray[np.bool_] | None, frame: int
    ) -> None:
        """Register `moving` with a mask, and tell what came of it."""
        with self._lock:
            self._newest += 1
            number = self._newest
        self._thread.submit(self._work, number, reference, moving, mask, frame)

    def close(self) -> None:
        """Start nothing more."""
        with self._lock:
            self._newest += 1
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _work(
        self,
        number: int,
        reference: NDArray[Any],
        moving: NDArray[Any],
        mask: NDArray[np.bool_] | None,
        frame: int,
    ) -> None:
        if number != self._newest:
            return
        from maskreg.core.register import register

        try:
            text = _told(frame, register(reference, moving, mask, mask, **asdict(self._options)))
        except MaskregError as error:
            text = f"Frame {frame} with this mask: {error}"
        if number == self._newest:
            self._tell(text)


def _told(frame: int, answer: Registration) -> str:
    if not answer.status.keeps_shift:
        return f"Frame {frame} with this mask: {answer.status.label}: {answer.reason}"
    shift = ", ".join(f"{s:+.3f} ± {u:.3f}" for s, u in zip(answer.shift, answer.uncertainty, strict=True))
    return f"Frame {frame} with this mask: shift {shift} px, {answer.status.label}, score {answer.score:.3f}"
