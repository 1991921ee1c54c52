"""Arrays of many axes as a series: the last two are a frame, the others are counted in C order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from maskreg.frames.frame import REAL_KINDS

MOST_COLOURS = 4
"""A last axis this short is one of colours, not of columns."""

_SHOWN = 6
"""Most candidates that are named in a message."""


@dataclass(frozen=True)
class Stack:
    """How an array is a series of frames.

    Attributes
    ----------
    navigation : tuple of int
        Lengths of the leading axes (scan, delay, ...); empty for a single frame.
    frame : tuple of int
        Rows and columns, px.
    """

    navigation: tuple[int, ...]
    frame: tuple[int, int]

    def __len__(self) -> int:
        return prod(self.navigation)

    def position(self, index: int) -> tuple[int, ...]:
        """Return where on the leading axes frame `index` is: the last of them runs fastest."""
        return tuple(int(place) for place in np.unravel_index(index, self.navigation))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole array."""
        return (*self.navigation, *self.frame)


def as_stack(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Stack:
    """Return how an array of this shape and type is a series.

    Raises
    ------
    ValueError
        When it is none: a phrase that goes on from "is no readable NPY file: ".
    """
    if dtype.kind not in REAL_KINDS:
        raise ValueError(f"its pixels are of type {dtype}; a frame holds real numbers")
    if len(shape) < 2 or 0 in shape:
        raise ValueError(f"its shape is {shape}; it takes (rows, cols) or (frames, rows, cols)")
    if len(shape) > 3 and shape[-1] <= MOST_COLOURS:
        raise ValueError(
            f"its shape is {shape}; the last two axes are rows and columns (convert colours to grey)"
        )
    *navigation, rows, cols = shape
    return Stack(tuple(navigation), (rows, cols))


def only_stack(arrays: dict[str, tuple[tuple[int, ...], Any]], what: str, file: str) -> str:
    """Return which of several arrays is the series: the only one of three axes or more, or the only image.

    Parameters
    ----------
    arrays : dict
        Names to shapes and types, in the order of the file.
    what, file : str
        See `why_none_chosen`.

    Raises
    ------
    ValueError
        When there is none, or no way to choose.
    """
    stacks = {name: facts for name, facts in arrays.items() if len(facts[0]) >= 3}
    candidates = stacks or {name: facts for name, facts in arrays.items() if len(facts[0]) == 2}
    if not candidates:
        raise ValueError(f"it holds no {what} of two or more axes of real numbers")
    if len(candidates) > 1:
        raise ValueError(why_none_chosen(candidates, what, file))
    return next(iter(candidates))


def about_channels(axes: Sequence[str], lengths: Sequence[int]) -> str:
    """Return what to say where one of the axes of a file is that of channels, as OME has it; '' if none is.

    Parameters
    ----------
    axes : sequence of str
        Their names, rows and columns included: ``"TCYX"``.
    lengths : sequence of int
        Of each.
    """
    place = next((place for place, name in enumerate(axes) if name.lower() in ("c", "channel")), None)
    if place is None or lengths[place] == 1:
        return ""
    one = "write one of them to a file of its own"
    if place == len(axes) - 3:  # the fastest of the leading ones
        one = f"in Python open_frames(...)[::{lengths[place]}] is the first of them alone"
    return f"its {lengths[place]} channels are frames of one series, registered to one reference; {one}"


def why_none_chosen(candidates: dict[str, tuple[tuple[int, ...], Any]], what: str, file: str) -> str:
    """Return why none of several `candidates` is taken for the series, and how to name one.

    Parameters
    ----------
    candidates : dict
        Names to shapes and types, in the order of the file.
    what : str
        What they are: "datasets".
    file : str
        The name of the file.
    """
    shown = [f"{name} {shape} {dtype}" for name, (shape, dtype) in list(candidates.items())[:_SHOWN]]
    more = f" and {len(candidates) - _SHOWN} more" if len(candidates) > _SHOWN else ""
    first = next(iter(candidates))
    return (
        f"it holds {len(candidates)} {what} that may be frames: {', '.join(shown)}{more}; "
        f"name one, such as '{file}::{first}'"
    )
