"""A mask moved by a whole-pixel lag."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from maskreg.geometry import overlap_slices


def shifted_mask(mask: NDArray[np.bool_], lag: Sequence[int], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return mask(x - lag) on a grid of `shape`, False beyond the border."""
    here, there = overlap_slices(shape, mask.shape, lag)
    out = np.zeros(shape, bool)
    out[here] = mask[there]
    return out


def shifted_block(mask: NDArray[np.bool_], lag: Sequence[int], block: tuple[slice, ...]) -> NDArray[np.bool_]:
    """Return mask(x - lag) for the places x of a block of the grid, False beyond the border."""
    shape = tuple(part.stop - part.start for part in block)
    return shifted_mask(mask, [s - part.start for s, part in zip(lag, block, strict=True)], shape)
