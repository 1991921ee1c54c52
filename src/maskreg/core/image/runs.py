"""A mask as runs of valid pixels along its rows: loops over runs need not look at the mask."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from maskreg.core.machine.some_rows import some_rows

AT_ONCE = 2**18
"""Rows of about so many pixels are worked on together: a chessboard has a run for every other pixel."""


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
        if mask.size == 0:
            return np.zeros(len(mask) + 1, np.int64), np.zeros((0, 2), np.int32)
        numbers, edges = zip(*(_runs(mask[rows]) for rows in some_rows(mask, AT_ONCE)), strict=True)
        return np.concatenate([np.zeros(1, np.int64), *numbers]).cumsum(), np.concatenate(edges)


def _runs(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the number of runs of each row, and where they begin and end."""
    rows, columns = mask.shape
    # places where a row changes between a pixel and the next one, and its ends; as one long row
    inner = np.flatnonzero(mask[:, 1:] != mask[:, :-1])
    inner += inner // max(1, columns - 1) + 1
    begins = np.flatnonzero(mask[:, 0]) * columns
    ends = (np.flatnonzero(mask[:, -1]) + 1) * columns
    edges = np.sort(np.concatenate([inner, begins, ends]), kind="stable").reshape(-1, 2)
    row = edges[:, 0] // columns
    return np.bincount(row, minlength=rows), (edges - row[:, None] * columns).astype(np.int32)
