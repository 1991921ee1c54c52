"""Scattered ignored pixels, filled so that the image between them may be interpolated.

A parabola through the neighbours, each counted by a Gaussian of its distance (normalised convolution,
Knutsson and Westin, CVPR 1993), is wrong by the third derivative only. A mean is wrong by the slope, and
a plane by the curvature, which at the dose of a bright pattern is many times the noise. Where the neighbours
do not bear a parabola, as deep in a solid area, its noise tells so, and such places are left out.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.fill import filled
from maskreg.core.image.filters import filtered
from maskreg.core.image.pyramid import eroded
from maskreg.core.machine.some_rows import some_rows

SIGMA = 1.0
"""Width of the Gaussian, px,"""

RADIUS = 3
"""which ends here."""

RIDGE = 1e-4
"""What slopes and curvatures cost, so that one that no neighbour shows is none."""

NOISIEST = 1.0
"""A filled pixel may be so many times as noisy (variance) as a valid one."""

WHOLE_PART = 0.95
"""Where less than this part of the valid pixels has none but valid neighbours, ignored ones are filled in."""

NEAR = 1
"""Between pixels so near, valid or well filled, an image may be interpolated."""

LEAST = 1e-4
"""A place with less than this part of its window valid has no neighbours."""

AT_ONCE = 2**17
"""Rows of about so many pixels are worked on together,"""

SOLVED = 2**14
"""and so many of their places, each of which has matrices."""

Moments = dict[tuple[int, ...], NDArray[np.float32]]
"""Of a mask at some places, by the powers of the offsets."""


class Holes:
    """The operator that fills the ignored pixels of a mask.

    Parameters
    ----------
    mask : ndarray of bool
        True = valid.

    Attributes
    ----------
    places : ndarray of bool
        The ignored pixels that are filled well.
    usable : ndarray of bool
        Valid pixels next to which a filled image may be interpolated.
    """

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        self._mask = mask
        self._powers = list(_powers(mask.ndim, 2))
        self.places = np.zeros_like(mask)
        self._weights = np.concatenate([self._solve(rows) for rows in some_rows(self._mask, AT_ONCE)])
        self.usable = mask & eroded(mask | self.places, NEAR)

    def __call__(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return an image, zero where the mask is False, with all ignored pixels filled."""
        out = filled(pixels, self._mask)
        first = 0
        for rows in some_rows(self._mask, AT_ONCE):
            places = self.places[rows]
            weights = self._weights[first : first + np.count_nonzero(places)]
            parts = (_moment(pixels, rows, power, 1)[places] for power in self._powers)
            out[rows][places] = sum(w * part for w, part in zip(weights.T, parts, strict=True))
            first += len(weights)
        return out

    def _solve(self, rows: slice) -> NDArray[np.float32]:
        """Find the places that are filled; return the weights of the moments in the value at each.

        The normal equations A p = c of the fit hold moments of the mask in A and of the image in c: the
        value is the first row of A^-1 times c. Its noise holds moments of the mask under the square of
        the window.
        """
        places = ~self._mask[rows]
        places &= _moment(self._mask, rows, (0,) * self._mask.ndim, 1) > LEAST
        moments = [
            {power: _moment(self._mask, rows, power, square)[places] for power in _powers(self._mask.ndim, 4)}
            for square in (1, 2)
        ]
        number = int(np.count_nonzero(places))
        solved = [self._solved(moments, slice(i, i + SOLVED)) for i in range(0, max(number, 1), SOLVED)]
        weights, borne = (np.concatenate(parts) for parts in zip(*solved, strict=True))
        self.places[rows][places] = borne
        return np.asarray(weights[borne])

    def _solved(self, moments: list[Moments], some: slice) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the weights at some places, and which of these the neighbours bear."""
        size = len(self._powers)
        ridge = np.diag(np.append(0.0, np.full(size - 1, RIDGE)))
        normal, noise = (self._matrices(one, some) for one in moments)
        weights = np.linalg.solve(normal + ridge, np.eye(size)[:, :1])[..., 0].astype(np.float32)
        return weights, np.einsum("ni,nij,nj->n", weights, noise, weights) <= NOISIEST

    def _matrices(self, moments: Moments, some: slice) -> NDArray[np.float64]:
        """Return the moments of the mask at some places, of the products of any two powers."""
        size = len(self._powers)
        out = np.empty((len(moments[self._powers[0]][some]), size, size))
        for i, one in enumerate(self._powers):
            for j, other in enumerate(self._powers):
                out[:, i, j] = moments[tuple(a + b for a, b in zip(one, other, strict=True))][some]
        return out


def find_holes(mask: NDArray[np.bool_]) -> Holes | None:
    """Return what fills the ignored pixels of a mask; None where they are few, or areas."""
    whole = np.count_nonzero(eroded(mask, NEAR, beyond=True))
    return Holes(mask) if whole < WHOLE_PART * np.count_nonzero(mask) else None


def _powers(ndim: int, degree: int) -> list[tuple[int, ...]]:
    """Return the powers of the offsets whose sum is at most `degree`, the lowest first."""
    powers = itertools.product(range(degree + 1), repeat=ndim)
    return sorted((p for p in powers if sum(p) <= degree), key=lambda p: (sum(p), p))


def _moment(values: NDArray[Any], rows: slice, power: tuple[int, ...], square: int) -> NDArray[np.float32]:
    """Return the sum of values under the window, to the power of `square`, times powers of the offset.

    Of some rows.
    """
    offset = np.arange(-RADIUS, RADIUS + 1) / SIGMA
    window = np.exp(-0.5 * offset**2)
    first = max(0, rows.start - RADIUS)
    out = values[first : rows.stop + RADIUS].astype(np.float32)
    for axis, p in enumerate(power):
        out = filtered(out, (window / window.sum()) ** square * offset**p, axis)
    return out[rows.start - first : rows.stop - first]
