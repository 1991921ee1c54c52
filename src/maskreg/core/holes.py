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

from maskreg.core.fill import filled
from maskreg.core.filters import filtered
from maskreg.core.pyramid import eroded

SIGMA = 1.0
"""Width of the Gaussian, px,"""

RADIUS = 3
"""which ends here."""

RIDGE = 1e-4
"""What slopes and curvatures cost, so that one that no neighbour shows is none."""

NOISIEST = 1.0
"""A filled pixel may be so many times as noisy (variance) as a valid one."""

NEAR = 1
"""Between pixels so near, valid or well filled, an image may be interpolated."""

LEAST = 1e-4
"""A place with less than this part of its window valid has no neighbours."""

AT_ONCE = 2**16
"""So many places are solved for together."""


class Holes:
    """The operator that fills the ignored pixels of a mask.

    Parameters
    ----------
    mask : ndarray of bool
        True = valid.

    Attributes
    ----------
    usable : ndarray of bool
        Valid pixels next to which a filled image may be interpolated.
    """

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        self._mask = mask
        self._powers = list(_powers(mask.ndim, 2))
        self._places = ~mask & (_moment(mask, (0,) * mask.ndim, 1) > LEAST)
        self._weights, gain = self._solve()
        self._places[self._places] = gain <= NOISIEST
        self._weights = self._weights[gain <= NOISIEST]
        self.usable = mask & eroded(mask | self._places, NEAR)

    def __call__(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return an image, zero where the mask is False, with all ignored pixels filled."""
        out = filled(pixels, self._mask)
        parts = (_moment(pixels, power, 1)[self._places] for power in self._powers)
        out[self._places] = sum(weight * part for weight, part in zip(self._weights.T, parts, strict=True))
        return out

    def _solve(self) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return the weights of the moments in the parabola's value at each place, and its noise.

        The normal equations A p = c of the fit hold moments of the mask in A and of the image in c: the
        value is the first row of A^-1 times c. Its noise holds moments of the mask under the square of
        the window.
        """
        size = len(self._powers)
        n = int(np.count_nonzero(self._places))
        weights, gain = np.zeros((n, size), np.float32), np.full(n, np.inf)
        ridge = np.diag(np.append(0.0, np.full(size - 1, RIDGE)))
        moments = [self._moments(square) for square in (1, 2)]
        for first in range(0, n, AT_ONCE):
            part = slice(first, first + AT_ONCE)
            normal, noise = (self._matrices(table, part) for table in moments)
            solved = np.linalg.solve(normal + ridge, np.eye(size)[:, :1])[..., 0]
            weights[part] = solved
            gain[part] = np.einsum("ni,nij,nj->n", solved, noise, solved)
        return weights, gain

    def _moments(self, square: int) -> dict[tuple[int, ...], NDArray[np.float32]]:
        """Return the moments of the mask at the places, up to products of two powers."""
        return {
            power: _moment(self._mask, power, square)[self._places] for power in _powers(self._mask.ndim, 4)
        }

    def _matrices(
        self, moments: dict[tuple[int, ...], NDArray[np.float32]], part: slice
    ) -> NDArray[np.float64]:
        rows = [
            [moments[tuple(a + b for a, b in zip(one, other, strict=True))][part] for other in self._powers]
            for one in self._powers
        ]
        return np.moveaxis(np.array(rows, np.float64), -1, 0)


def _powers(ndim: int, degree: int) -> list[tuple[int, ...]]:
    """Return the powers of the offsets whose sum is at most `degree`, the lowest first."""
    powers = itertools.product(range(degree + 1), repeat=ndim)
    return sorted((p for p in powers if sum(p) <= degree), key=lambda p: (sum(p), p))


def _moment(values: NDArray[Any], power: tuple[int, ...], square: int) -> NDArray[np.float32]:
    """Return the sum of values under the window, to the power of `square`, times powers of the offset."""
    offset = np.arange(-RADIUS, RADIUS + 1) / SIGMA
    window = np.exp(-0.5 * offset**2)
    out = values.astype(np.float32)
    for axis, p in enumerate(power):
        out = filtered(out, (window / window.sum()) ** square * offset**p, axis)
    return out
