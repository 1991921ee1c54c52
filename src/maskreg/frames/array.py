"""Frames that are in memory already: what Python users pass to `align`."""

from __future__ import annotations

from typing import Any

from maskreg.errors import InputError, InputTypeError
from maskreg.frames.frame import REAL_KINDS
from maskreg.frames.navigation import MOST_COLOURS
from maskreg.frames.source import FrameSource


class ArrayFrames(FrameSource):
    """The frames of a 3-D array or of a sequence of 2-D arrays.

    Parameters
    ----------
    frames : (frames, rows, cols) array, or sequence of (rows, cols) array_like
        Arrays that are read piece by piece when indexed (memory maps, h5py, Zarr, Dask) stay
        where they are. Masked arrays give masked frames.

    Raises
    ------
    InputError, InputTypeError
        When it is no such thing.
    """

    def __init__(self, frames: Any) -> None:
        _check_series(frames)
        self._frames = frames

    def __len__(self) -> int:
        return _length(self._frames)

    def name(self, index: int) -> str:
        """Return ``frames[index]``."""
        return f"frames[{index}]"

    def _fetch(self, index: int) -> Any:
        return self._frames[index]


def _check_series(frames: Any) -> None:
    """Raise unless `frames` can be counted, indexed, and may hold images."""
    if hasattr(frames, "ndim") and hasattr(frames, "dtype"):
        _check_stack(frames)
    elif isinstance(frames, str | bytes | dict) or not hasattr(frames, "__getitem__"):
        raise InputTypeError(
            f"frames is of type {type(frames).__name__}; give a 3-D array, a list of 2-D arrays, or a path"
        )
    if _length(frames) == 0:
        raise InputError("frames is empty; give at least one frame")


def _length(frames: Any) -> int:
    """Return how many frames there are; arrays of Zarr 3 have a shape, and no length."""
    return int(frames.shape[0]) if hasattr(frames, "shape") else len(frames)


def _check_stack(stack: Any) -> None:
    if stack.dtype.kind not in REAL_KINDS:
        raise InputTypeError(f"frames holds {stack.dtype}; frames are of real numbers")
    if stack.ndim == 2:
        raise InputError(
            f"frames has shape {stack.shape}, which is one image; give (frames, rows, cols), "
            "or register two images with maskreg.register"
        )
    if stack.ndim != 3:
        remedy = _remedy(stack.shape)
        raise InputError(f"frames has shape {stack.shape}; it takes (frames, rows, cols){remedy}")


def _remedy(shape: tuple[int, ...]) -> str:
    if len(shape) < 3:
        return ""
    if shape[-1] <= MOST_COLOURS:
        return " (convert colours to grey)"
    return (
        f" (of a NumPy array: frames.reshape(-1, {shape[-2]}, {shape[-1]}); "
        "are these volumes? Then register each with maskreg.Registrar)"
    )
