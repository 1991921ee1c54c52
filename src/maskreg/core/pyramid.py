"""Images binned by whole factors, with their masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LevelImage:
    """One image at one level of the pyramid.

    Attributes
    ----------
    pixels : ndarray of float32
        Binned, zero where ignored.
    mask : ndarray of bool
    """

    pixels: NDArray[np.float32]
    mask: NDArray[np.bool_]


def binned(
    pixels: NDArray[np.float32], mask: NDArray[np.bool_], b: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the mean over blocks of `b` pixels along every axis, and which blocks are valid.

    A block is valid when at least half of it is; its value is the mean of its valid pixels, so
    that scattered dead pixels vanish instead of spreading. Rows that do not fill a block are left
    out.

    Parameters
    ----------
    pixels : ndarray of float32
        Zero where `mask` is False.
    mask : ndarray of bool
    b : int

    Returns
    -------
    pixels, mask : ndarray
        Of shape ``n // b``; zero where not valid.
    """
    if b == 1:
        return pixels, mask
    counts = block_sums(mask, b, np.float32)
    valid = 2 * counts >= b**pixels.ndim
    means = block_sums(pixels, b, np.float32) / np.maximum(counts, 1)
    return np.where(valid, means, np.float32(0)), valid


def block_sums(values: NDArray[Any], b: int, dtype: Any) -> NDArray[Any]:
    """Return sums over blocks of `b` pixels along every axis."""
    out = values
    for axis in range(values.ndim):
        length = out.shape[axis] // b * b
        starts = np.arange(0, length, b)
        clipped = np.take(out, range(length), axis) if length < out.shape[axis] else out
        out = np.add.reduceat(clipped, starts, axis=axis, dtype=dtype)
    return out
