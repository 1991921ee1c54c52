"""Whether gain and offset make numbers of electrons of an image that there can be."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import InputError
from maskreg.options import Options

LEAST, MOST = 1e-6, 1e12
"""Electrons in the brightest pixel; beyond these, squares of them leave the range of 32-bit numbers."""


def ensure_electrons(options: Options, pixels: NDArray[Any], mask: NDArray[np.bool_]) -> None:
    """Refuse a gain or an offset, if one is told, by which an image holds next to nothing, or no end of it.

    Raises
    ------
    InputError
        With the number of electrons that the brightest pixel would hold.
    """
    if (options.gain is None and options.offset is None) or not mask.any():
        return
    gain, offset = 1.0 if options.gain is None else options.gain, options.offset or 0.0
    values = pixels[mask]
    most = gain * max(abs(float(values.max()) - offset), abs(float(values.min()) - offset))
    if most and not LEAST <= most <= MOST:
        raise InputError(
            f"gain is {gain:g} and offset is {offset:g}: a pixel of the reference would hold {most:.2g} "
            "electrons; give electrons per count, and counts"
        )
