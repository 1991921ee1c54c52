"""Scenes that depend on the distance from a centre alone, integrated over square pixels.

The integral of a radial function over a square pixel is no longer radial, but by the symmetry
of the square only its angular orders 0, 4, 8, ... are left:

    pixel(r, theta) = p0(r) + p4(r) cos(4 theta) + ...

Order 8 begins with the eighth derivative of the profile and is dropped (below 1e-7 of a ring
of 1.8 px). p0 and p4 are tabulated once, so that an image costs one look-up a pixel instead of
one for each point of a quadrature within the pixel.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from maskreg.errors import InputError
from maskreg.testing.scene import Scene

Profile = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Intensity per unit area (arbitrary units) as a function of the distance from the centre, px."""

_STEP = 0.05
"""Of the tables, px: a cubic is then exact to 1e-8 of the height of a ring of 1.8 px."""

_BLOCK_ROWS = 64
"""Rows evaluated at once, so that the intermediate arrays stay in the processor's cache."""


class RadialScene(Scene):
    """A scene given by its radial profile.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the rendered frame.
    centre : tuple of float
        Row and column of the undrifted centre, px; whole numbers are pixel centres.
    profile : callable
        Takes distances from the centre, (n,) float64 px, and returns (n,) intensities. Must be
        smooth on the scale of a pixel (features of 1.5 px sigma or wider), at r = 0 also.
    largest_drift : float, optional
        Greatest drift that will be rendered, px; by default the diagonal of the frame.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        centre: tuple[float, float],
        profile: Profile,
        *,
        largest_drift: float | None = None,
    ) -> None:
        super().__init__(shape)
        self.centre = (float(centre[0]), float(centre[1]))
        diagonal = float(np.hypot(*self.shape))
        self._largest_drift = diagonal if largest_drift is None else float(largest_drift)
        # Scene.gradient looks a little to either side of the drift it is asked for
        reach = _farthest_corner(self.shape, self.centre) + self._largest_drift + 1.0
        self._table = _pixel_orders(profile, reach)

    def _intensity(self, row: float, column: float) -> NDArray[np.float64]:
        if np.hypot(row, column) > self._largest_drift + 0.5:
            raise InputError(
                f"drift is ({row:g}, {column:g}) px; this scene was made for drifts up to "
                f"{self._largest_drift:g} px; make it with a greater largest_drift"
            )
        yy = _squared_offsets(self.shape[0], self.centre[0] + row)[:, None]
        xx = _squared_offsets(self.shape[1], self.centre[1] + column)[None, :]
        image = np.empty(self.shape)
        for start in range(0, self.shape[0], _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            image[rows] = self._table_at(yy[rows], xx)
        return image

    def _table_at(self, yy: NDArray[np.float64], xx: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return p0 + p4 cos(4 theta) where the squared offsets from the centre are yy and xx."""
        a0, a1, a2, a3, b0, b1 = self._table
        rr = yy + xx
        t = np.sqrt(rr)
        t *= 1.0 / _STEP
        cell = t.astype(np.intp)
        t -= cell
        t *= _STEP
        order4 = b1.take(cell)
        order4 *= t
        order4 += b0.take(cell)
        order4 *= _cos_4theta(yy, xx, rr)
        image: NDArray[np.float64] = a3.take(cell)
        for coefficient in (a2, a1, a0):
            image *= t
            image += coefficient.take(cell)
        image += order4
        return image


def _squared_offsets(length: int, centre: float) -> NDArray[np.float64]:
    return (np.arange(length, dtype=np.float64) - centre) ** 2


def _farthest_corner(shape: tuple[int, int], centre: tuple[float, float]) -> float:
    rows = max(abs(centre[0]), abs(shape[0] - 1 - centre[0]))
    columns = max(abs(centre[1]), abs(shape[1] - 1 - centre[1]))
    return float(np.hypot(rows, columns))


def _cos_4theta(
    yy: NDArray[np.float64], xx: NDArray[np.float64], rr: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return cos(4 theta) = 1 - 8 x^2 y^2 / r^4; at r = 0, where p4 vanishes, any finite number."""
    cosine = yy * xx
    cosine /= np.maximum(rr * rr, 1e-12)
    cosine *= -8.0
    cosine += 1.0
    return cosine


def _pixel_orders(profile: Profile, reach: float) -> NDArray[np.float64]:
    """Return the table of the profile integrated over pixels.

    Parameters
    ----------
    profile : callable
        See `RadialScene`.
    reach : float
        Greatest distance tabulated, px.

    Returns
    -------
    (6, cells) float64
        Polynomial coefficients in each cell of length `_STEP`, lowest power first: four of p0
        (a cubic), two of p4 (a line suffices: p4 is a few 1e-4 of p0).
    """
    r = np.arange(0.0, reach + 2.0 * _STEP, _STEP)
    fine = np.arange(0.0, reach + 2.0, _STEP)
    smooth = CubicSpline(fine, profile(fine))
    # midpoints of [0, pi/4]: cos(4 theta) is +-1/sqrt(2) there, and order 8 drops out of both sums
    near_axis, near_diagonal = (_pixel_mean(smooth, r, angle) for angle in (np.pi / 16, 3 * np.pi / 16))
    p0 = CubicSpline(r, (near_axis + near_diagonal) / 2.0).c[::-1]
    p4 = (near_axis - near_diagonal) / np.sqrt(2.0)
    return np.concatenate([p0, p4[None, :-1], np.diff(p4)[None] / _STEP])


def _pixel_mean(profile: Profile, r: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """Return the mean of the profile over the pixels at distance `r` in direction `angle`.

    Three Gauss-Legendre points per axis are exact up to the fifth power of the offset.
    """
    points, weights = np.polynomial.legendre.leggauss(3)
    y, x = r * np.sin(angle), r * np.cos(angle)
    mean = np.zeros_like(r)
    for offset_y, weight_y in zip(points / 2.0, weights / 2.0, strict=True):
        for offset_x, weight_x in zip(points / 2.0, weights / 2.0, strict=True):
            mean += weight_y * weight_x * profile(np.hypot(y + offset_y, x + offset_x))
    return mean
