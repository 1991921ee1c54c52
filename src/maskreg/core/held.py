"""Whether the scene has moved under what stands still on the detector, which holds a match at no shift.

Many hot pixels, or clusters of them, are a picture of their own. Where they outweigh the scene two frames
match at no shift, and surely, wherever the scene has gone. What stands still is not in the difference of the
two, though; a scene s that has moved by d is there twice,

    R(x) = A(x) - B(x) = s(x) - s(x + d) + noise,

so that R, laid over itself, is negative at d and at -d alone: C(d) = sum over x of R(x) R(x - d) is about
minus half of what R holds beside noise. A scene that has changed where it stands may do so too, as spots of
which some fade and some brighten. But then R does not tell one side from the other, as it does here: with the
sum of the frames, M = A + B,

    V(d) = sum over x of R(x) (M(x - d) - M(x + d)),

is about -2 C(d), at the shift of the scene and not at minus this. What C and V scatter by chance is read off
them (White, Econometrica 48, 817, 1980): the variance of a sum of products of pixels is the sum of their
squares.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from maskreg.core.filters import gaussian
from maskreg.core.prepared import Prepared
from maskreg.core.scores import SPREAD_OF_MAD
from maskreg.core.spectra import cross

LEVELS = (1, 2, 4, 8)
"""Bins at which it is looked for: faint and broad scenes show in large pixels."""

SIDE = {1: 2**14, 2: 256, 3: 48}
"""Level pixels of the window along each axis, in the middle: so many tell it, and take little time."""

LEAST_SIDE = 32
"""Level pixels of the shortest side of a window, beside one axis."""

BROAD = 12.0
"""The mean under a Gaussian of this sigma, level pixels, is off: lamps and shadows change, and are broad."""

REACH, LEAST_PART = 3.0, 1e-3
"""It ends at so many sigma, and is nothing where less than this part of it is valid."""

BRIGHT = 4.0
"""Pixels count as so many spreads from their middle at most: flickering ones would be all of it."""

NEAR = 4
"""Places less than so many px apart along each axis are not told apart."""

FAR = 4
"""It is looked for as far as this part of the window: a lamp that has turned parts places further off."""

COMMON = 0.25
"""Of the pixels, so many must meet."""

ROUNDING = 1e-6
"""Less than this part of the square of what C is at no lag is rounding."""

TELL = 2**13
"""So many pixels tell a spread."""

PATTERN = 1.4
"""It is looked for where neighbours share so many times what they do of white noise: chance makes 1.15."""

HELD = 1.0
"""A match is held if it is at no more than so many px along each axis: the scene may still pull at it."""

SURE, LIKELY = 6.5, 3.0
"""Both together stand out by so many of what chance makes them scatter, each by itself by so many,"""

OF_ALL = 0.4
"""C is this part of what R holds beside noise, which is C one pixel from none,"""

LEAST_OF_C, MOST_OF_C = 1.0, 5.0
"""and V is so many times C."""


def is_held(shift: NDArray[np.float64]) -> bool:
    """Whether a shift, px, is so near to none that what stands still may have made it."""
    return bool(np.abs(shift).max() <= HELD)


def moved_under(
    reference: Prepared, moving: Prepared, shift: NDArray[np.float64], noise: float
) -> tuple[int, ...] | None:
    """Return where a scene has surely moved to between images that match at hardly any shift; else None.

    Parameters
    ----------
    reference, moving : Prepared
        Of equal axes.
    shift : (ndim,) ndarray of float64
        Where they match, px.
    noise : float
        Variance of the noise of a pixel.

    Returns
    -------
    tuple of int or None
        The shift of the scene, px, to about a level pixel.
    """
    for b in LEVELS:
        windows = _windows(reference, moving, b)
        if windows is None:
            break
        found = _moved(windows, shift / b, noise / b**reference.mask.ndim, NEAR // b)
        if found is not None:
            return tuple(b * s for s in found)
    return None


Windows = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]
"""Of the reference and of moving, and which pixels are valid in both."""


def _windows(reference: Prepared, moving: Prepared, b: int) -> Windows | None:
    """Return the windows of a level; None where it has too few pixels."""
    shapes = zip(reference.mask.shape, moving.mask.shape, strict=True)
    shape = [min(n, m) // b for n, m in shapes]
    sides = [min(n, SIDE[min(len(shape), 3)]) for n in shape]
    if min(sides) < LEAST_SIDE:
        return None
    window = tuple(slice((n - m) // 2, (n - m) // 2 + m) for n, m in zip(shape, sides, strict=True))
    one, other = (
        image.values(window) if b == 1 else image.level(b).pixels[window] for image in (reference, moving)
    )
    return one, other, reference.masks.level(b)[window] & moving.masks.level(b)[window]


def _moved(windows: Windows, shift: NDArray[np.float64], noise: float, near: int) -> tuple[int, ...] | None:
    """Return what `moved_under` does, in pixels of these windows."""
    common = windows[2]
    number, shape = int(np.count_nonzero(common)), common.shape
    if number < COMMON * common.size:
        return None
    one, other = (_detail(field, common, math.sqrt(noise)) for field in windows[:2])
    other = _shifted(other, shift) * common
    difference, total = _clipped(one - other, common, math.sqrt(2 * noise)), one + other
    r, r_squared, valid = (
        scipy.fft.rfftn(field) for field in (difference, difference**2, common.astype(np.float32))
    )
    pairs, c = np.maximum(cross(valid, valid, shape), 1), cross(r, r, shape)
    c_scatter = np.sqrt(np.maximum(cross(r_squared, r_squared, shape), ROUNDING * c.flat[0] ** 2))
    beside = float(np.mean([c[step] / pairs[step] for step in _unit_steps(common.ndim)]))
    there = (pairs > COMMON * number) & (-c > LIKELY * c_scatter) & (-c > OF_ALL * beside * pairs)
    distances = [np.abs(_lags(n)) for n in shape]
    there[np.ix_(*(distance <= near for distance in distances))] = False
    for axis, (n, distance) in enumerate(zip(shape, distances, strict=True)):
        np.moveaxis(there, axis, 0)[distance > n // FAR] = False
    if not there.any():
        return None
    m, m_squared = scipy.fft.rfftn(total), scipy.fft.rfftn(total**2)
    u, u_scatter = cross(r, m, shape), cross(r_squared, m_squared, shape)
    v, v_squared = u - _mirrored(u), u_scatter + _mirrored(u_scatter)
    v_scatter = np.sqrt(np.maximum(v_squared, ROUNDING * v_squared.max()))
    there &= (v > LIKELY * v_scatter) & (np.hypot(c / c_scatter, v / v_scatter) > SURE)
    there &= (v > LEAST_OF_C * -c) & (v < MOST_OF_C * -c)
    if not there.any():
        return None
    best = np.unravel_index(int(np.argmin(np.where(there, c, 0))), shape)
    return tuple(int(_lags(n)[k]) for n, k in zip(shape, best, strict=True))


def _detail(field: NDArray[np.float32], common: NDArray[np.bool_], least: float) -> NDArray[np.float32]:
    """Return a field without its local mean, zero where not common, few bright pixels clipped.

    `least` is the smallest spread that is believed.
    """
    clipped = _clipped(field, common, least)
    mean, part = (gaussian(values, BROAD, REACH) for values in (clipped, common.astype(np.float32)))
    return np.asarray((clipped - mean / np.maximum(part, np.float32(LEAST_PART))) * common, np.float32)


def _clipped(field: NDArray[np.float32], common: NDArray[np.bool_], least: float) -> NDArray[np.float32]:
    """Return a field, its middle off and zero where not common, no pixel brighter than `BRIGHT` spreads."""
    values = field[common]
    values = values[:: max(1, values.size // TELL)]
    middle = np.median(values)
    most = np.float32(BRIGHT * max(SPREAD_OF_MAD * float(np.median(np.abs(values - middle))), least))
    return np.asarray(np.clip(field - middle, -most, most) * common, np.float32)


def _shifted(field: NDArray[np.float32], shift: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return field(x - shift) of a field that goes on from its other side; white noise stays white."""
    spectrum = scipy.fft.rfftn(field)
    for axis, (n, s) in enumerate(zip(field.shape, shift, strict=True)):
        k = np.fft.rfftfreq(n) if axis == field.ndim - 1 else np.fft.fftfreq(n)
        turn = np.exp(-2j * np.pi * k * s).astype(np.complex64)
        spectrum *= turn.reshape([-1 if i == axis else 1 for i in range(field.ndim)])
    return np.asarray(scipy.fft.irfftn(spectrum, field.shape), np.float32)


def _lags(n: int) -> NDArray[np.intp]:
    """Return the lags along an axis of so many pixels that goes on from its other side."""
    lags = np.arange(n)
    return np.where(2 * lags > n, lags - n, lags)


def _unit_steps(ndim: int) -> list[tuple[int, ...]]:
    return [tuple(int(k == axis) for k in range(ndim)) for axis in range(ndim)]


def _mirrored(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return field(-s) of a field of lags s."""
    return np.roll(np.flip(field), 1, range(field.ndim))
