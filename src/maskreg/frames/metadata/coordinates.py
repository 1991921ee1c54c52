"""Arrays that lie beside the frames, as metadata columns: the delay of every frame, say.

What a file states (NeXus and dimension scales, Zarr's dimension names) is believed. Else an
array beside the frames is taken where its length leaves no doubt which axis it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.frames.navigation import Stack


@dataclass(frozen=True)
class Coordinate:
    """An array that may tell something of each frame.

    Attributes
    ----------
    name : str
        Of the column.
    values : (n,) array, or of the shape of the leading axes
        Numbers or text.
    axis : int, optional
        The axis of the data that it belongs to, where the file says so.
    """

    name: str
    values: NDArray[Any]
    axis: int | None = None


def columns_of(stack: Stack, coordinates: Iterable[Coordinate]) -> dict[str, NDArray[Any]]:
    """Return the columns that `coordinates` give: a value a frame, in the order of the frames."""
    columns = {}
    for coordinate in coordinates:
        values = _along_navigation(stack, coordinate)
        if values is not None:
            columns[coordinate.name] = values.reshape(-1)
    return columns


def may_belong(shape: tuple[int, ...], dtype: np.dtype[Any], stack: Stack) -> bool:
    """Whether an array of this shape and type is worth reading: plain, and as long as a leading axis."""
    if dtype.kind not in "biufSUOT":
        return False
    return (len(shape) == 1 and shape[0] in stack.navigation) or (
        len(shape) > 1 and shape == stack.navigation
    )


def row_of(columns: dict[str, NDArray[Any]], index: int) -> dict[str, Any]:
    """Return what the columns say of frame `index`, as plain values."""
    return {name: _plain(values[index]) for name, values in columns.items()}


def _along_navigation(stack: Stack, coordinate: Coordinate) -> NDArray[Any] | None:
    """Return the values spread over all leading axes, or None where they belong to no leading axis."""
    values, navigation = coordinate.values, stack.navigation
    if values.ndim > 1:
        return values if values.shape == navigation else None
    axis = coordinate.axis
    if axis is None:
        axes = [place for place, length in enumerate(stack.shape) if length == len(values)]
        axis = axes[0] if len(axes) == 1 else None
    if axis is None or axis >= len(navigation) or navigation[axis] != len(values):
        return None
    spread = values.reshape([-1 if place == axis else 1 for place in range(len(navigation))])
    return np.broadcast_to(spread, navigation)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.item() if hasattr(value, "item") else value
