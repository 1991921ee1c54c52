"""A mask as runs of valid pixels along its rows: loops over runs need not look at the mask."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray


class Region:
    """A mask, and its runs if they are asked for.

    Parameters
    ----------
    mask : ndarray of bool
        True = valid; not changed afterwards.
    """

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        self.mask = mask

    @cached_property
    def runs(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Where the runs of each row begin in the list of all, (rows + 1,), and that list, (runs, 2).

        A run is its first pixel and the one after its last. Of masks with two axes.
        """
        mask = self.mask
        rows, columns = mask.shape
        if mask.size == 0:
            return np.zeros(rows + 1, np.int64), np.zeros((0, 2), np.int32)
        # places where a row changes between a pixel and the next one, and its ends; as one long row
        inner = np.flatnonzero(mask[:, 1:] != mask[:, :-1])
        inner += inner // max(1, columns - 1) + 1
        begins = np.flatnonzero(mask[:, 0]) * columns
        ends = (np.flatnonzero(mask[:, -1]) + 1) * columns
        edges = np.sort(np.concatenate([inner, begins, ends]), kind="stable").reshape(-1, 2)
        row = edges[:, 0] // columns
        first = np.searchsorted(row, np.arange(rows + 1))
        return first.astype(np.int64), (edges - row[:, None] * columns).astype(np.int32)
