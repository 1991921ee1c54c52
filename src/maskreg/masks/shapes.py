"""Areas to be ignored, drawn with numbers: True = *ignored*, unlike everywhere else.

Coordinates are in pixels, row first; whole numbers are the centres of pixels. Each shape is
either the text of the command line or what its `parse_` function makes of it. A shape that
covers no pixel is an error: it would hide a slip (row and column exchanged, another detector).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.errors import InputError

Rect = tuple[slice, slice]
Disk = tuple[float, float, float]
Polygon = tuple[tuple[float, float], ...]

_TOUCHES = 1e-9
"""How near to an edge a pixel's centre counts as on it, px: the rounding of a crossing."""


def parse_rect(text: str) -> Rect:
    """Return rows and columns of ``r0:r1,c0:c1``: half-open, with empty and negative ends as in numpy."""
    match = re.fullmatch(r"(-?\d*):(-?\d*),(-?\d*):(-?\d*)", text.replace(" ", ""))
    if not match or "-" in match.groups():
        raise InputError(f"ignore_rect is '{text}'; its form is r0:r1,c0:c1, as in 900:1100,0:1024")
    r0, r1, c0, c1 = (int(end) if end else None for end in match.groups())
    return slice(r0, r1), slice(c0, c1)


def parse_disk(text: str) -> Disk:
    """Return row, column and radius (px) of ``r,c,radius``."""
    numbers = _numbers(text)
    if len(numbers) != 3 or not numbers[2] >= 0:
        raise InputError(f"ignore_disk is '{text}'; its form is r,c,radius, as in 1024,1030,85.5")
    return numbers[0], numbers[1], numbers[2]


def parse_polygon(text: str) -> Polygon:
    """Return the corners (row, column) of ``r,c r,c r,c ...``, at least three."""
    corners = tuple(_numbers(corner) for corner in text.split())
    if len(corners) < 3 or any(len(corner) != 2 for corner in corners):
        raise InputError(
            f"ignore_polygon is '{text}'; its form is r,c r,c r,c ..., three corners or more, "
            "as in '0,900 1100,1000 0,1100'"
        )
    return tuple((corner[0], corner[1]) for corner in corners)


def ignore_rect(shape: tuple[int, int], rect: str | Rect) -> NDArray[np.bool_]:
    """Return the area of a rectangle, (rows, cols) bool, True = ignored."""
    area = np.zeros(shape, dtype=bool)
    rows, columns = parse_rect(rect) if isinstance(rect, str) else _two_slices(rect)
    area[rows, columns] = True
    return _covering_something(area, "ignore_rect", rect if isinstance(rect, str) else _rect_text(rect))


def ignore_disk(shape: tuple[int, int], disk: str | Disk) -> NDArray[np.bool_]:
    """Return the pixels whose centres are at most the radius away, (rows, cols) bool, True = ignored."""
    row, col, radius = parse_disk(disk) if isinstance(disk, str) else _three_numbers(disk)
    rows, cols = np.ogrid[: shape[0], : shape[1]]
    with np.errstate(over="ignore"):  # whatever is typed: what is infinitely far is outside
        area = (rows - row) ** 2 + (cols - col) ** 2 <= radius * radius
    return _covering_something(area, "ignore_disk", disk if isinstance(disk, str) else _joined(disk))


def ignore_polygon(shape: tuple[int, int], polygon: str | Polygon) -> NDArray[np.bool_]:
    """Return the pixels whose centres are inside or on the edge, (rows, cols) bool, True = ignored.

    Inside is what a ray leaves by an odd number of edges, so a polygon that crosses itself
    has holes. The last corner is joined to the first.
    """
    corners = parse_polygon(polygon) if isinstance(polygon, str) else _corners(polygon)
    area = np.zeros(shape, dtype=bool)
    edge = np.zeros(shape, dtype=bool)
    for start, end in zip(corners, (*corners[1:], corners[0]), strict=True):
        (top, top_col), (bottom, bottom_col) = sorted((start, end))
        if top == bottom:
            _mark_level_edge(edge, top, top_col, bottom_col)
            continue
        rows = np.arange(max(0, int(np.ceil(top))), min(shape[0], int(np.floor(bottom)) + 1))
        crossings = top_col + (rows - top) * ((bottom_col - top_col) / (bottom - top))
        _mark_crossings(area, edge, rows, crossings, bottom)
    text = polygon if isinstance(polygon, str) else " ".join(map(_joined, polygon))
    return _covering_something(area | edge, "ignore_polygon", text)


def ignore_above(image: ArrayLike, limit: float) -> NDArray[np.bool_]:
    """Return where `image` is greater than `limit`, bool, True = ignored."""
    return np.asarray(np.asarray(image) > _limit("ignore_above", limit))


def ignore_below(image: ArrayLike, limit: float) -> NDArray[np.bool_]:
    """Return where `image` is less than `limit`, bool, True = ignored."""
    return np.asarray(np.asarray(image) < _limit("ignore_below", limit))


def _two_slices(rect: Any) -> Rect:
    """Return a rectangle as it was given; numbers would index single pixels, and nobody would notice."""
    if not (
        isinstance(rect, tuple | list) and len(rect) == 2 and all(isinstance(end, slice) for end in rect)
    ):
        raise InputError(f"ignore_rect is {rect!r}; give 'r0:r1,c0:c1', or two slices: np.s_[r0:r1, c0:c1]")
    return rect[0], rect[1]


def _three_numbers(disk: Any) -> Disk:
    try:
        row, col, radius = numbers = tuple(map(float, disk))
    except (TypeError, ValueError):
        numbers, radius = (), -1.0
    if not (np.isfinite(numbers).all() and radius >= 0):
        raise InputError(f"ignore_disk is {disk!r}; give (row, column, radius), of several a list")
    return row, col, radius


def _corners(polygon: Any) -> Polygon:
    try:
        corners = tuple((float(row), float(col)) for row, col in polygon)
    except (TypeError, ValueError):
        corners = ()
    if len(corners) < 3 or not np.isfinite(corners).all():
        raise InputError(
            f"ignore_polygon is {polygon!r}; "
            "give its corners, three or more: ((row, column), ...), of several a list"
        )
    return corners


def _limit(name: str, limit: float) -> float:
    try:
        is_number = float(limit) == limit
    except (TypeError, ValueError):
        is_number = False
    if not is_number:
        raise InputError(f"{name} is {limit!r}; no pixel is above or below it, give a number")
    return limit


def _mark_crossings(
    area: NDArray[np.bool_],
    edge: NDArray[np.bool_],
    rows: NDArray[np.int_],
    crossings: NDArray[np.floating[Any]],
    bottom: float,
) -> None:
    """Note in `area` and `edge` where one edge of the polygon crosses each of `rows`."""
    columns = np.arange(area.shape[1])
    edge[rows] |= np.abs(columns - crossings[:, None]) <= _TOUCHES
    # the lower end is left to the next edge, else a corner would count twice
    above = rows < bottom
    area[rows[above]] ^= columns > crossings[above, None]


def _mark_level_edge(edge: NDArray[np.bool_], row: float, start: float, end: float) -> None:
    """Note an edge along a row in `edge`, if it passes the centres of pixels."""
    if row == int(row) and 0 <= row < edge.shape[0]:
        columns = np.arange(edge.shape[1])
        edge[int(row)] |= (columns >= start) & (columns <= end)


def _rect_text(rect: Rect) -> str:
    rows, columns = (f"{_end(part.start)}:{_end(part.stop)}" for part in rect)
    return f"{rows},{columns}"


def _end(end: Any) -> str:
    return "" if end is None else str(end)


def _joined(numbers: Iterable[float]) -> str:
    return ",".join(f"{number:g}" for number in numbers)


def _covering_something(area: NDArray[np.bool_], name: str, text: str) -> NDArray[np.bool_]:
    if not area.any():
        raise InputError(
            f"{name} is '{text}', which covers no pixel of an image of shape {area.shape}; rows come first"
        )
    return area


def _numbers(text: str) -> tuple[float, ...]:
    """Return the finite numbers of ``a,b,...``; none when any of them is no such thing."""
    try:
        numbers = tuple(float(number) for number in text.split(","))
    except ValueError:
        return ()
    return numbers if np.isfinite(numbers).all() else ()
