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
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from maskreg.core.image.filters import gaussian
from maskreg.core.image.prepared import Prepared
from maskreg.core.lags.scores import SPREAD_OF_MAD
from maskreg.core.lags.spectra import cross
from maskreg.core.machine.made import Made

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

HELD, PULLED = 1.0, 3.0
"""A match is held if it is at no more than so many px along each axis; further, to so many, if the scene has
pulled at it."""

LEAST_MOVED, NOISE_OFF = 0.02, 0.1
"""What does not match is at least this part of what both hold beside noise, if a scene has moved: held ones
leave 0.09 and more, bright crystals that have not moved less than 0.01. The noise may be off by so much, or
by more, as where a border holds none: then what neighbours share tells."""

SURE, LIKELY = 6.0, 3.0
"""Both together stand out by so many of what chance makes them scatter, each by itself by so many,"""

OF_ALL = 0.4
"""C is this part of what R holds beside noise, which is C one pixel from none,"""

LEAST_OF_C, MOST_OF_C = 1.0, 5.0
"""and V is so many times C."""

MOST_KEPT = 16
"""Windows of an image: other images may be smaller, and their middle elsewhere."""


def is_held(shift: NDArray[np.float64], within: float = HELD) -> bool:
    """Whether a shift, px, is so near to none that what stands still may have made it."""
    return bool(np.abs(shift).max() <= within)


def is_there(shift: NDArray[np.float64], place: Sequence[int]) -> bool:
    """Whether a shift, px, is where a scene has moved to."""
    return bool(np.abs(shift - place).max() <= NEAR)


def is_about_there(shift: NDArray[np.float64], place: Sequence[int]) -> bool:
    """Whether a shift, px, may be where a scene has moved to: broader than that, it shows on either side."""
    return bool(np.abs(shift - place).max() <= NEAR + 2 * np.abs(shift).max())


Part = tuple[tuple[int, int], ...]
"""The first and the end of the pixels along each axis."""


def middle_of(shape: Sequence[int]) -> Part:
    """Return the middle of an image of this shape that tells enough: all of a small one."""
    sides = [min(n, SIDE[min(len(shape), 3)]) for n in shape]
    return tuple(((n - m) // 2, (n - m) // 2 + m) for n, m in zip(shape, sides, strict=True))


@dataclass(frozen=True, eq=False)
class Area:
    """The valid pixels of a part of a level, and what depends on them alone.

    Attributes
    ----------
    valid : ndarray of bool
    """

    valid: NDArray[np.bool_]

    @cached_property
    def number(self) -> int:
        """So many they are."""
        return int(np.count_nonzero(self.valid))

    @cached_property
    def weight(self) -> NDArray[np.float32]:
        """The part of a broad Gaussian about each pixel that is valid, or the least that counts."""
        return np.maximum(gaussian(self.valid.astype(np.float32), BROAD, REACH), np.float32(LEAST_PART))

    @cached_property
    def pairs(self) -> NDArray[np.float32]:
        """How many of them meet at each lag, at least 1."""
        valid = scipy.fft.rfftn(self.valid.astype(np.float32))
        return np.asarray(np.maximum(cross(valid, valid, self.valid.shape), 1))

    def shared_with(self, other: Area) -> Area:
        """Return what is valid in both: this one, where it is the same or inside."""
        both = self.valid & other.valid
        return self if np.array_equal(both, self.valid) else Area(both)


@dataclass(frozen=True, eq=False)
class Window:
    """A part of a level of an image.

    Attributes
    ----------
    detail : ndarray of float32
        Without the local mean, zero where ignored, few bright pixels clipped.
    area : Area
        Of the shape of `detail`.
    """

    detail: NDArray[np.float32]
    area: Area


class Middle:
    """The middle of an image at each level; windows are made when they are first asked for, and kept.

    Parameters
    ----------
    image : Prepared
    noise : float
        Variance of the noise of a pixel.
    """

    def __init__(self, image: Prepared, noise: float) -> None:
        self.image = image
        self.noise = noise
        self._windows: Made[tuple[int, Part], Window] = Made(MOST_KEPT)

    def window(self, b: int, part: Part, like: Window | None = None) -> Window:
        """Return a part of level `b`; another window `like` it may have the same area."""
        return self._windows.get((b, part), lambda: self._window(b, part, like))

    def _window(self, b: int, part: Part, like: Window | None) -> Window:
        image, place = self.image, tuple(slice(*along) for along in part)
        values = image.values(place) if b == 1 else image.level(b).pixels[place]
        area = Area(image.masks.level(b)[place])
        if like is not None and np.array_equal(area.valid, like.area.valid):
            area = like.area
        if not area.number:
            return Window(np.zeros(area.valid.shape, np.float32), area)
        clipped = _clipped(values, area.valid, math.sqrt(self.noise / b ** len(part)))
        detail = (clipped - gaussian(clipped, BROAD, REACH) / area.weight) * area.valid
        return Window(np.asarray(detail, np.float32), area)


def moved_under(reference: Middle, moving: Middle, shift: NDArray[np.float64]) -> tuple[int, ...] | None:
    """Return where a scene has surely moved to between images that match at hardly any shift; else None.

    Parameters
    ----------
    reference, moving : Middle
        Of images of equal axes.
    shift : (ndim,) ndarray of float64
        Where they match, px.

    Returns
    -------
    tuple of int or None
        The shift of the scene, px, to about a level pixel.

    Notes
    -----
    Where a match has moved a scene with periods rightly, by a pixel or two, what stands still is left twice,
    and may look like a scene that has moved further. Beyond `HELD` the images as they are must tell of the
    same place: in their difference nothing is left of it.
    """
    found = _moved_further(reference, moving, shift)
    if found is None or is_held(shift):
        return found
    said = _moved_further(reference, moving, np.zeros_like(shift))
    return said if said is not None and is_there(said - shift, found) else None


def _moved_further(reference: Middle, moving: Middle, shift: NDArray[np.float64]) -> tuple[int, ...] | None:
    """Return how far a scene has moved between the reference and moving at a shift, px."""
    shape = tuple(map(min, reference.image.mask.shape, moving.image.mask.shape))
    for b in LEVELS:
        if min(shape) // b < LEAST_SIDE:
            break
        part = middle_of([n // b for n in shape])
        one = reference.window(b, part)
        other = moving.window(b, part, one)
        found = _moved(one, other, shift / b, reference.noise / b ** len(shape), NEAR // b)
        if found is not None:
            return tuple(b * s for s in found)
    return None


def _moved(
    one: Window, other: Window, shift: NDArray[np.float64], noise: float, near: int
) -> tuple[int, ...] | None:
    """Return what `_moved_further` does, in pixels of these windows."""
    common, shape = one.area.shared_with(other.area), one.detail.shape
    if common.number < COMMON * one.detail.size:
        return None
    moved = _shifted(other.detail, shift)
    difference = _clipped(one.detail - moved, common.valid, math.sqrt(2 * noise))
    both = _energy(one.detail, common) + _energy(moved, common) - 2 * noise
    little = _energy(difference, common) - (2 - NOISE_OFF) * noise < LEAST_MOVED * both
    if little and _beside(difference, common) < LEAST_MOVED * both:
        return None
    r, pairs = scipy.fft.rfftn(difference), common.pairs
    c = cross(r, r, shape)
    beside = float(np.mean([c[step] / pairs[step] for step in _unit_steps(len(shape))]))
    there = (pairs > COMMON * common.number) & (-c > max(OF_ALL * beside, 0) * pairs)
    distances = [np.abs(lags_along(n)) for n in shape]
    there[np.ix_(*(distance <= near for distance in distances))] = False
    there &= within_reach(shape)
    if not there.any():
        return None
    r_squared = scipy.fft.rfftn(difference**2)
    c_scatter = np.sqrt(np.maximum(cross(r_squared, r_squared, shape), ROUNDING * c.flat[0] ** 2))
    there &= -c > LIKELY * c_scatter
    if not there.any():
        return None
    total = (one.detail + moved) * common.valid
    m, m_squared = scipy.fft.rfftn(total), scipy.fft.rfftn(total**2)
    u, u_scatter = cross(r, m, shape), cross(r_squared, m_squared, shape)
    v, v_squared = u - _mirrored(u), u_scatter + _mirrored(u_scatter)
    v_scatter = np.sqrt(np.maximum(v_squared, ROUNDING * v_squared.max()))
    there &= (v > LIKELY * v_scatter) & (np.hypot(c / c_scatter, v / v_scatter) > SURE)
    there &= (v > LEAST_OF_C * -c) & (v < MOST_OF_C * -c)
    if not there.any():
        return None
    best = np.unravel_index(int(np.argmin(np.where(there, c, 0))), shape)
    return tuple(int(lags_along(n)[k]) for n, k in zip(shape, best, strict=True))


def _energy(field: NDArray[np.float32], area: Area) -> float:
    """Return the mean square of the pixels of an area."""
    return float(np.vdot(field, field * area.valid)) / area.number


def _beside(field: NDArray[np.float32], area: Area) -> float:
    """Return the mean product of pixels of an area next to each other: their mean square, less any noise."""
    flat = (field * area.valid).ravel()
    steps = [int(np.prod(field.shape[axis + 1 :])) for axis in range(field.ndim)]
    return sum(float(np.vdot(flat[step:], flat[:-step])) for step in steps) / len(steps) / area.number


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


def within_reach(shape: Sequence[int]) -> NDArray[np.bool_]:
    """Return which lags of a window are no further than it is looked for."""
    near = np.ones(shape, bool)
    for axis, n in enumerate(shape):
        np.moveaxis(near, axis, 0)[np.abs(lags_along(n)) > n // FAR] = False
    return near


def lags_along(n: int) -> NDArray[np.intp]:
    """Return the lags along an axis of so many pixels that goes on from its other side."""
    lags = np.arange(n)
    return np.where(2 * lags > n, lags - n, lags)


def _unit_steps(ndim: int) -> list[tuple[int, ...]]:
    return [tuple(int(k == axis) for k in range(ndim)) for axis in range(ndim)]


def _mirrored(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return field(-s) of a field of lags s."""
    return np.roll(np.flip(field), 1, range(field.ndim))
