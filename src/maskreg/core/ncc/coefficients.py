"""The masked NCC from the six sums at lags (Padfield 2012, eq. 20-25)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import config
from numpy.typing import NDArray


def fill_ncc(
    sums: Sequence[NDArray[Any]],
    limits: NDArray[Any],
    column: int,
    ncc: NDArray[Any],
    root: NDArray[Any],
) -> bool:
    """Do what `transforms.ncc_kernels.ncc_2d` says, in one pass where there is a compiler."""
    if config.DISABLE_JIT:
        return plain_ncc(sums, limits, column, ncc, root)
    from maskreg.core.transforms.ncc_kernels import ncc_2d

    return bool(ncc_2d(tuple(sums), limits, column, ncc, root))


def plain_ncc(
    sums: Sequence[NDArray[Any]],
    limits: NDArray[Any],
    column: int,
    ncc: NDArray[Any],
    root: NDArray[Any],
) -> bool:
    """Return what `fill_ncc` does, array by array."""
    n, a, aa, b, bb, ab = sums
    least, enough, faint = limits
    n, into = np.rint(n), slice(column, column + n.shape[1])
    met = np.maximum(n, 1)
    va, vb = aa - a * a / met, bb - b * b / met
    good = (va > least) & (vb > least) & (n > enough)
    spread = np.sqrt(np.where(good, va * vb, 1))
    ncc[:, into] = np.where(good, np.clip((ab - a * b / met) / spread, -1, 1), 0)
    if root.size:
        root[:, into] = np.where(good, spread, 0)
    return bool((good & (spread < faint)).any())
