"""DM3, DM4, EMD, SER and TVIPS, through RosettaSciIO where the user has installed it.

RosettaSciIO is under the GPL: no part of it comes with maskreg, and it is imported only when
such a file is opened. Its lazy arrays hold the file open or mapped and are asked for one frame
at a time; the leading axes are the series, as everywhere.
"""

from __future__ import annotations

import logging
import re
import warnings
from importlib import import_module
from math import prod
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.frames.extras import optional_package
from maskreg.frames.file import FileFrames
from maskreg.frames.frame import REAL_KINDS
from maskreg.frames.navigation import as_stack, why_none_chosen
from maskreg.frames.plain import check_credible

_MODULES = {
    ".dm3": "digitalmicrograph",
    ".dm4": "digitalmicrograph",
    ".emd": "emd",
    ".ser": "tia",
    ".tvips": "tvips",
}


class RosettaFrames(FileFrames):
    """The frames of one signal of a file that RosettaSciIO reads.

    The signal is the one whose number stands behind ``::``, else the only one of images.
    """

    names_inside = "the number of a signal"

    def __init__(self, path: Path, root: Path | None = None, inside: str = "") -> None:
        super().__init__(path, root, inside)
        optional_package("rsciio", package="RosettaSciIO", extra="gpl", purpose=f"reading {path.name}")
        signals = _signals(path)
        number = self._named(signals) if inside else self._only(signals)
        self._data = signals[number]["data"]
        self._number = number
        self._stack = as_stack(self._data.shape, self._data.dtype)
        check_credible(prod(self._stack.shape) * self._data.dtype.itemsize, path.stat().st_size)
        # not all of its lazy arrays may be read by two threads at once
        self._lock = Lock()

    def __reduce__(self) -> tuple[type[RosettaFrames], tuple[Path, Path, str]]:
        return RosettaFrames, (self.path, self._root, self._inside)  # lazy arrays hold the file open

    def __len__(self) -> int:
        return len(self._stack)

    def layout(self) -> str:
        """Return which signal is read, its shape and type."""
        kind = self.path.suffix[1:].upper()
        return (
            f"{kind}, signal {self._number}, shape {self._stack.shape}, {self._data.dtype}, by RosettaSciIO"
        )

    def _fetch(self, index: int) -> NDArray[Any]:
        with self._lock:
            frame = self._data[self._stack.position(index)]
            return np.asarray(frame.compute(scheduler="synchronous") if hasattr(frame, "compute") else frame)

    def _named(self, signals: list[dict[str, Any]]) -> int:
        if not re.fullmatch(r"\d+", self._inside) or int(self._inside) >= len(signals):
            raise ValueError(f"'::{self._inside}' is none of its signals, 0 to {len(signals) - 1}")
        return int(self._inside)

    def _only(self, signals: list[dict[str, Any]]) -> int:
        images = [number for number, signal in enumerate(signals) if _holds_images(signal)]
        if not images:
            raise ValueError(f"none of its {len(signals)} signals holds images of real numbers")
        if len(images) > 1:
            facts = {
                str(number): (signals[number]["data"].shape, signals[number]["data"].dtype)
                for number in images
            }
            raise ValueError(why_none_chosen(facts, "signals", self.path.name))
        return images[0]


def _signals(path: Path) -> list[dict[str, Any]]:
    """Return what is in the file, without its pixels, and without RosettaSciIO's remarks on metadata."""
    reader = import_module(f"rsciio.{_MODULES[path.suffix.lower()]}")
    log = logging.getLogger("rsciio")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            signals: list[dict[str, Any]] = reader.file_reader(str(path), lazy=True)
    finally:
        log.setLevel(before)
    return signals


def _holds_images(signal: dict[str, Any]) -> bool:
    """Whether a signal is one of images: not of spectra, whose last axis is energy."""
    data, axes = signal["data"], signal.get("axes", [])
    is_spectrum = sum(not axis.get("navigate", False) for axis in axes) == 1
    return data.ndim >= 2 and data.dtype.kind in REAL_KINDS and not is_spectrum
