"""The beam-block: a disk that stops the direct beam, on a rod that holds it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import InputError

_SIZES = {"small": (22.0, 8.0), "standard": (40.0, 16.0), "large": (70.0, 36.0)}
"""Radius of the disk and half width of the rod, px in a frame of the design size."""

_DESIGN_SIZE = 256.0

_TILT = 0.05
"""Of the rod, columns per row: a block is never mounted quite straight."""


def beam_block(
    shape: tuple[int, int],
    size: str = "standard",
    *,
    centre: tuple[float, float] | None = None,
) -> NDArray[np.bool_]:
    """Return the mask of a rod-and-disk beam-block that enters from the top.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns, px. The block scales with the shorter side.
    size : {'small', 'standard', 'large'}
        Hides about 5, 12 or 29 % of a square frame.
    centre : tuple of float, optional
        Row and column of the disk, px; by default 0.48 and 0.53 of the sides, where the beam
        of the simulated scenes is.

    Returns
    -------
    (rows, columns) bool
        True = valid, not behind the block.

    Raises
    ------
    InputError
        If `size` is none of the three.
    """
    if size not in _SIZES:
        raise InputError(f"size is {size!r}; a beam-block is one of {', '.join(map(repr, _SIZES))}")
    radius, half_width = (length * min(shape) / _DESIGN_SIZE for length in _SIZES[size])
    place = (0.48 * shape[0], 0.53 * shape[1]) if centre is None else centre
    return distance_to_block(shape, place, radius, half_width) > 0.0


def distance_to_block(
    shape: tuple[int, int], centre: tuple[float, float], radius: float, half_width: float
) -> NDArray[np.float64]:
    """Return how far each pixel is from the edge of a rod-and-disk block, negative behind it.

    For the soft edge (penumbra) that a block casts.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns, px.
    centre : tuple of float
        Row and column of the disk, px.
    radius : float
        Of the disk, px.
    half_width : float
        Of the rod, px.

    Returns
    -------
    (rows, columns) float64
        px.
    """
    y = np.arange(shape[0])[:, None] - centre[0]
    x = np.arange(shape[1])[None, :] - centre[1]
    to_disk = np.hypot(y, x) - radius
    to_rod_side = (np.abs(x - _TILT * y) - half_width) / np.hypot(1.0, _TILT)
    # the rod ends in the disk: below its centre there is none
    distance: NDArray[np.float64] = np.minimum(to_disk, np.maximum(to_rod_side, y))
    return distance
