"""A whole frame, interpolated at a shift by six-tap Lagrange weights (`image.interpolate`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskreg.core.aligned.known_kernels import all_valid_2d, interpolated_2d
from maskreg.core.image.interpolate import lagrange_taps
from maskreg.core.image.shifted import shifted_mask

WHOLE = 1e-9
"""A shift this near to a whole pixel is taken for it: nothing is interpolated."""


def interpolated(image: NDArray[np.float32], shift: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return image(x - shift); beyond its border the image goes on with its last value."""
    (oy, wy), (ox, wx) = (lagrange_taps(-s) for s in _rounded(shift))
    return np.asarray(interpolated_2d(image, oy, wy.astype(np.float32), ox, wx.astype(np.float32)))


def all_valid(mask: NDArray[np.bool_], shift: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where every pixel that `interpolated` gives a weight is valid."""
    (oy, ny), (ox, nx) = (_span(-s) for s in _rounded(shift))
    return np.asarray(all_valid_2d(mask, oy, ny, ox, nx))


def plain_interpolated(image: NDArray[np.float32], shift: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what `interpolated` does, along one axis after the other."""
    out = image.astype(np.float64)
    for axis, s in enumerate(_rounded(shift)):
        first, weights = lagrange_taps(-s)
        n = image.shape[axis]
        taps = (np.take(out, np.clip(np.arange(n) + first + k, 0, n - 1), axis) for k in range(len(weights)))
        out = np.asarray(sum(weight * tap for weight, tap in zip(weights, taps, strict=True)))
    return out


def plain_all_valid(mask: NDArray[np.bool_], shift: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return what `all_valid` does, tap by tap."""
    first, number = zip(*(_span(-s) for s in _rounded(shift)), strict=True)
    valid = np.ones_like(mask)
    for taps in np.ndindex(number):
        valid &= shifted_mask(mask, [-(begin + k) for begin, k in zip(first, taps, strict=True)], mask.shape)
    return valid


@dataclass(frozen=True)
class Place:
    """Where the taps of an interpolation lie, for passes that interpolate some rows of an image.

    Attributes
    ----------
    weights : (2, 6) ndarray of float32
        Along rows and columns.
    first : (4,) ndarray of int64
        For rows, then columns: the first of the six taps, and the first with a weight, relative to the pixel.
    with_weight : (int, int)
        How many taps have a weight.
    """

    weights: NDArray[np.float32]
    first: NDArray[np.int64]
    with_weight: tuple[int, int]

    def rows(self, wanted: slice, height: int) -> slice:
        """Return the rows of an image of `height` rows that are needed for the wanted ones; one at least."""
        begin, end = wanted.start + int(self.first[0]), wanted.stop + int(self.first[0]) + 5
        begin = min(max(begin, 0), height - 1)
        return slice(begin, max(begin + 1, min(end, height)))


def place_of(shift: NDArray[np.float64]) -> Place:
    """Return where the taps of ``interpolated(image, shift)`` lie."""
    wanted = [-s for s in _rounded(shift)]
    (oy, wy), (ox, wx) = (lagrange_taps(s) for s in wanted)
    (ey, ny), (ex, nx) = (_span(s) for s in wanted)
    return Place(np.array([wy, wx], np.float32), np.array([oy, ey, ox, ex]), (ny, nx))


def whole_places(
    mask: NDArray[np.bool_], place: Place, known: dict[tuple[int, int], NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    """Return where all taps with a weight are valid if the first of them is here.

    That depends on their number only: `known` keeps it.
    """
    ny, nx = place.with_weight
    if (ny, nx) not in known:
        known[ny, nx] = mask if ny == nx == 1 else np.asarray(all_valid_2d(mask, 0, ny, 0, nx))
    return known[ny, nx]


def _span(place: float) -> tuple[int, int]:
    """Return the first pixel with a weight, and how many there are."""
    first, weights = lagrange_taps(place)
    return (int(place), 1) if place == int(place) else (first, len(weights))


def _rounded(shift: NDArray[np.float64]) -> list[float]:
    return [float(np.rint(s)) if abs(s - np.rint(s)) < WHOLE else float(s) for s in shift]
