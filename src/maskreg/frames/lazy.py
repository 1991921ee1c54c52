"""Frames that are computed when they are asked for: Dask arrays, and what wraps one.

A block of a Dask array is computed as a whole, however little of it is asked for. So the last blocks
are kept: a series that is read in order computes each of them once, and no more than these are ever
in memory.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from itertools import accumulate
from threading import Lock
from typing import Any

import numpy as np

from maskreg.errors import InputError
from maskreg.frames.array import ArrayFrames
from maskreg.labelled import ensure_no_dataset, is_labelled

KEPT_BLOCKS = 2
"""One that is being used up by some threads, and the next."""


class LazyFrames(ArrayFrames):
    """The frames of a 3-D Dask array, computed block by block along the first axis.

    Parameters
    ----------
    frames : (frames, rows, cols) dask array
    """

    def __init__(self, frames: Any) -> None:
        if any(size != size for sizes in frames.chunks for size in sizes):
            raise InputError("frames has chunks of unknown size; call frames.compute_chunk_sizes() first")
        super().__init__(frames)
        self._ends = list(accumulate(frames.chunks[0]))
        self._blocks: OrderedDict[int, Any] = OrderedDict()
        self._lock = Lock()

    @property
    def held(self) -> int:
        """Bytes of the blocks that are kept, at most."""
        return KEPT_BLOCKS * int(max(self._frames.chunks[0])) * (self.nbytes // len(self))

    def _fetch(self, index: int) -> Any:
        which = bisect_right(self._ends, index)
        start = self._ends[which - 1] if which else 0
        # one block at a time: Dask uses the cores while it computes
        with self._lock:
            if which not in self._blocks:
                while len(self._blocks) >= KEPT_BLOCKS:
                    self._blocks.popitem(last=False)
                self._blocks[which] = np.asanyarray(self._frames[start : self._ends[which]].compute())
            block = self._blocks[which]
        return block[index - start]

    def close(self) -> None:
        """Forget the blocks that were kept."""
        with self._lock:
            self._blocks.clear()


def unwrapped(frames: Any) -> Any:
    """Return the array inside a `DataArray` or a hyperspy signal; anything else as it is.

    The navigation axes of a signal become one, in the order in which its data lie in memory.
    """
    ensure_no_dataset("frames", frames)
    if is_labelled(frames):
        return frames.data
    if hasattr(frames, "axes_manager") and hasattr(frames, "data"):
        data, signal_axes = frames.data, frames.axes_manager.signal_dimension
        if signal_axes != 2 or data.ndim < 3:
            raise InputError(
                f"frames is a signal with {signal_axes} signal axes and {data.ndim - signal_axes} navigation "
                "axes; give two signal axes and at least one navigation axis, try signal.as_signal2D"
            )
        return data.reshape(-1, *data.shape[-2:])
    return frames


def is_dask(values: Any) -> bool:
    """Whether `values` is a Dask array."""
    return hasattr(values, "__dask_graph__") and hasattr(values, "chunks")
