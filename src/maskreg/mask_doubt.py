"""Numbers in place of a mask: what they hold may not be what nonzero means."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.errors import InputTypeError


def doubt_of(values: NDArray[Any], *, nonzero: str = "valid") -> str | None:
    """Return what is doubtful about numbers that are taken for a mask; None if nothing is.

    It goes on behind the name of the mask, and tells for what every pixel that is not 0 is taken: `nonzero`.
    An image, or labels, hold more than two values. Labels 1 and 2, or the 254 and 255 that ``~`` makes of
    1 and 0 in uint8, leave no pixel that is 0.
    """
    if values.dtype.kind == "b" or not values.size:
        return None
    least, greatest = values.min(), values.max()
    taken = f"Every pixel that is not 0 is taken as {nonzero}"
    if not ((values == least) | (values == greatest)).all():
        return f"holds more than two values: is it a mask? {taken}"
    if least != greatest and 0 not in (least, greatest):
        return f"holds {least:g} and {greatest:g}, and no 0: which of them is valid? {taken}"
    return None


def ensure_truth_values(name: str, values: NDArray[Any]) -> None:
    """Raise `InputTypeError` unless numbers are truth values or integers: NaN would be taken for true."""
    if values.dtype.kind not in "bui":
        raise InputTypeError(
            f"{name} has dtype {values.dtype}; a mask is boolean, True = valid, try {name} > 0"
        )


def turned_round(mask: ArrayLike) -> str:
    """Return how a mask is turned round in Python: ``~`` of whole numbers leaves none that is 0."""
    return "~mask" if np.asarray(mask).dtype.kind == "b" else "mask == 0"
