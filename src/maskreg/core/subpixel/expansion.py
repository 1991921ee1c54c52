"""Rings that expand about their own centre are no drift.

Behind a mask that is not symmetric about the centre, rings that have grown by a part e look as if they
had moved. The residual of the refined equation tells e as well: with rho the place relative to the
centre, it is e times rho . slope, which projects on D = rho . G as shift does on G. With the sums over
the common pixels

    A_ij = G_i slope_j,    B_i = G_i rho . slope,    C_j = D slope_j,    E = D rho . slope,

the refined shift is off by -A^-1 B e, and D sees (E - C A^-1 B) e. About another centre the same
growth would be another shift, so this is for patterns that have a centre: whose gradients point to one
place. Where e is within the noise nothing is done, so that a pattern that does not expand is placed as
exactly as without this.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from maskreg.core.frequencies.interpolation_error import SLOPE
from maskreg.core.frequencies.spectrum import NOISE_DOUBT
from maskreg.core.image.filters import filtered
from maskreg.core.image.runs import Region
from maskreg.core.image.shifted import shifted_mask
from maskreg.core.subpixel.moments import projected
from maskreg.core.subpixel.normal_matrices import NormalMatrices
from maskreg.core.subpixel.template import Template

ACROSS = 0.2
"""A pattern of rings has across the rays from its centre at most this part of the squared gradients
along them, each counted by its squared distance."""

SHOWS = 3.0
"""An expansion is believed if it stands out by so many of its standard deviations."""


@dataclass(frozen=True)
class Rings:
    """A template whose gradients point to one place.

    Attributes
    ----------
    template : Template
        Its gradient's first component is D, the second is not used.
    field : (5, rows, cols) ndarray of float32
        rho along each axis, D, rho . slope, and rho squared.
    """

    template: Template
    field: NDArray[np.float32]


@dataclass(frozen=True)
class Lever:
    """What an expansion does at one lag.

    Attributes
    ----------
    arm : (2,) ndarray
        By how much the refined shift is off for an expansion by one, px, its sign changed.
    information : float
        What D sees of an expansion by one.
    noise : float
        Variance of an expansion that D finds, over the trace of the shift's covariance. None without noise.
    """

    arm: NDArray[np.float64]
    information: float
    noise: float | None


def find_rings(template: Template) -> Rings | None:
    """Return the rings of a template, or None if it shows no such pattern."""
    if template.mask.ndim != 2 or not template.mask.any():
        return None
    # not weighted: weights hide what there is across the rays
    gradient = np.stack([filtered(template.smooth, SLOPE, axis, nearest=True) for axis in range(2)])
    centre = _centre(template, gradient)
    if centre is None:
        return None
    rho = np.indices(template.mask.shape, np.float32) - centre.astype(np.float32)[:, None, None]
    squared = (rho**2).sum(axis=0)
    outward = (rho * gradient).sum(axis=0)
    around = rho[0] * gradient[1] - rho[1] * gradient[0]
    own = template.gains.gradient * _sum(template.mask * template.noise * squared)
    along, across = (_sum(template.mask * field**2) - own for field in (outward, around))
    if not across + NOISE_DOUBT * own < ACROSS * along:
        return None
    outward -= np.float32(_sum(template.mask * outward) / np.count_nonzero(template.mask))
    pair = np.stack([outward, np.zeros_like(outward)])
    steep = (rho * template.slope).sum(axis=0)
    return Rings(replace(template, gradient=pair), np.stack([*rho, outward, steep, squared]))


def find_lever(
    rings: Rings,
    gradient: NDArray[np.float32],
    normal: NormalMatrices,
    usable: NDArray[np.bool_],
    lag: tuple[int, ...],
) -> Lever | None:
    """Return what an expansion does at a whole-pixel lag, or None where it is not told from the shift.

    Parameters
    ----------
    rings : Rings
    gradient : (2, rows, cols) ndarray of float32
        G of the template.
    normal : NormalMatrices
        At the lag.
    usable : ndarray of bool
        Pixels of moving at which it may be interpolated.
    lag : tuple of int
    """
    template = rings.template
    common = template.mask & shifted_mask(usable, lag, template.mask.shape)
    n = int(np.count_nonzero(common))
    if n < 3:
        return None
    rho, (outward, steep, squared) = rings.field[:2], rings.field[2:]
    # the noise of a pixel is in G, in D and in the slope
    noise, gains = common * template.noise, template.gains
    met = np.array([_sum(noise * one) for one in rho])
    b = np.array([_product(common, one, steep) for one in gradient]) - template.own_slope @ met
    c = np.array([_product(common, outward, one) for one in template.slope]) - gains.slope * met
    seen = _product(common, outward, steep) - gains.slope * _sum(noise * squared)
    arm = normal.inverse @ b
    information = seen - float(c @ arm)
    if not information > 0:
        return None
    of_shift = float(np.trace(normal.inverse @ normal.projected @ normal.inverse.T))
    # signal in D meets the noise of both images, the noise in D only that of moving
    own = gains.gradient * _sum(noise**2 * squared)
    made = 2 * max(_sum(noise * outward**2) - own, 0.0) + own
    shown = made / seen / information
    return Lever(arm, information, shown / of_shift if of_shift > 0 else None)


def without_expansion(
    rings: Rings, lever: Lever, moving: NDArray[np.float32], usable: Region,
    shift: NDArray[np.float64], lag: tuple[int, ...], covariance: NDArray[np.float64], gain: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:  # fmt: skip
    """Return a refined shift and its covariance once an expansion is taken off; None where none shows."""
    if lever.noise is None:  # nothing by which to judge what shows
        return None
    expansion = projected(rings.template, moving, usable, shift, lag, gain) / lever.information
    variance = lever.noise * float(covariance[0, 0] + covariance[1, 1])
    if not expansion**2 > SHOWS**2 * variance:
        return None
    return shift + lever.arm * expansion, covariance + np.outer(lever.arm, lever.arm) * variance


def _centre(template: Template, gradient: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """Return the place to which the gradients point: the least sum of (G x rho)^2, its noise taken off."""
    mask, (rows, cols) = template.mask, gradient
    own = template.gains.gradient * template.noise
    y, x = np.indices(mask.shape, np.float32)
    yy, xy, xx = (np.where(mask, f, 0) for f in (cols**2 - own, -rows * cols, rows**2 - own))
    matrix = np.array([[_sum(yy), _sum(xy)], [_sum(xy), _sum(xx)]])
    values = np.linalg.eigvalsh(matrix)
    doubt = NOISE_DOUBT * _sum(mask * own)
    if not values[0] > doubt + ACROSS * values[1]:
        return None
    return np.linalg.solve(matrix, [_sum(yy * y + xy * x), _sum(xy * y + xx * x)])


def _product(common: NDArray[np.bool_], one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the sum of products over the common pixels, the mean of one taken off."""
    first = common * one
    return _sum(first * other) - _sum(first) * _sum(common * other) / np.count_nonzero(common)


def _sum(field: NDArray[np.floating]) -> float:
    return float(field.sum(dtype=np.float64))
