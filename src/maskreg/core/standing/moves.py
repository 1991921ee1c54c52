"""Where the scene has moved to, read off what does not stand still: scattered light, fringes, a pattern.

Let A and B be the transforms of the two images as they are, not laid over each other, T that of the scene, F
that of what stands still on the detector, and s the shift. F is the same in both,

    A = F + T,    B = F + T exp(i k s),    Im(A* B) = |T|^2 sin(k s) + products of F and T,

so that it is not in Im(A* B), which is odd in k, but for products that average to nothing. Neither A nor B
counts as higher than most of its neighbours, lest fringes outweigh all else. The odd part of the
cross-correlation, each frequency by what it knows, has its peak at s,

    V(s) = sum over k of W(k) Im(A* B) sin(k s),

and how well a shift explains it is told without the size of T, which rings of frequencies share: with r the
coefficient of Im(A* B) and sin(k s) over a ring of n frequencies, its likelihood is that of a regression,

    L(s) = -sum over rings of sign(r) n/2 log(1 - r^2).

A scene that fades, is blurred or lit otherwise where it stands changes the real part of A* B alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from maskreg.core.lags.scores import SPREAD_OF_MAD
from maskreg.core.standing.held import LEAST_SIDE, LEVELS, Middle, lags_along, middle_of, within_reach
from maskreg.geometry import nearest_lag

MOST_VALID = 0.5
"""So many pixels of a window must be valid in both: behind narrow masks frequencies hold each other."""

TAPERED = 0.125
"""So much of a window along each axis falls to nothing at either border."""

RINGS, FEWEST = 64, 12
"""Rings of frequencies up to the finest along an axis, and how many frequencies tell what a ring holds."""

MOST, OF_RAYLEIGH = 2.2, 1.334
"""A transform counts as so many times the usual height of its ring at most; that, of Gaussian values, is so
many times their geometric mean."""

LEAST_SHIFT = 0.5
"""Frequencies are weighted for a shift of so many level px at least."""

SIGNIFICANT, EVEN = 6.0, 0.25
"""A peak stands out from V by so many spreads, and by this part of it the difference of the images laid over
itself is less than nothing there."""

AT, AROUND = 0.6, 0.5
"""A peak is at a shift if it is no more level px from there along each axis; a shift is as likely as the
likeliest of those so many to each side."""

APART, AS_HIGH = 2.5, 0.7
"""A peak so many level px from a shift is another period if V is this part of it at the shift."""

COARSER = 4
"""Levels of pixels up to so many times as large bear it out: where each was made two or four by a program
their grid is what stands still."""

FARTHEST = 0.1
"""A match further off than this part of the images along an axis is not asked: less of the scene is common,
and other periods of a lattice stand out as high, over a bright background that stands still."""

OFF, OFF_LEVEL = 1.0, 0.7
"""The scene has moved otherwise if it is more px, and level px, off,"""

MORE, LESS = 30.0, 0.8
"""and that is likelier by so much, in logarithms, and the match explains less than this part of it."""


def moved_otherwise(reference: Middle, moving: Middle, shift: NDArray[np.float64]) -> tuple[int, ...] | None:
    """Return where a scene has surely moved to if that is not where two images match; else None.

    Parameters
    ----------
    reference, moving : Middle
        Of images of equal axes.
    shift : (ndim,) ndarray of float64
        Where they match, px.

    Returns
    -------
    tuple of int or None
        The shift of the scene, px.
    """
    shape = reference.image.mask.shape
    if moving.image.mask.shape != shape or (np.abs(shift) > FARTHEST * np.array(shape)).any():
        return None
    for b in LEVELS:
        odd = _odd_part(reference, moving, b)
        if odd is None:
            continue
        there, confirmed = odd.place(shift / b)
        if confirmed:
            return None
        if there is not None and np.abs(b * there - shift).max() > OFF:
            coarser = [c for c in LEVELS if b < c <= COARSER * b]
            if all(_is_likelier(_odd_part(reference, moving, c), b * there / c, shift / c) for c in coarser):
                return nearest_lag(b * there)
    return None


@dataclass(frozen=True, eq=False)
class Frequencies:
    """The frequencies of a window, of those that a real transform has.

    Attributes
    ----------
    along : (ndim, ...) ndarray of float32
        Radians a pixel along each axis.
    ring : ndarray of intp
        The ring of each; the last one holds those beyond the finest along an axis.
    number : (RINGS + 1,) ndarray of intp
        So many are in each ring.
    """

    along: NDArray[np.float32]
    ring: NDArray[np.intp]
    number: NDArray[np.intp]

    @cached_property
    def radius(self) -> NDArray[np.float64]:
        """Radians a pixel in the middle of each ring."""
        return np.pi * (np.arange(RINGS + 1) + 0.5) / RINGS

    @cached_property
    def tells(self) -> NDArray[np.bool_]:
        """Which are in rings of enough of them."""
        return np.asarray((self.number > FEWEST)[self.ring] & (self.ring < RINGS))

    def sums(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the sum of values over each ring."""
        return np.asarray(np.bincount(self.ring.ravel(), values.ravel(), RINGS + 1), np.float64)

    def means(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the mean of values over each ring; 0 of none."""
        return np.asarray(self.sums(values) / np.maximum(self.number, 1))


@lru_cache(maxsize=8)
def _frequencies(shape: tuple[int, ...]) -> Frequencies:
    axes = [
        np.fft.rfftfreq(n) if axis == len(shape) - 1 else np.fft.fftfreq(n) for axis, n in enumerate(shape)
    ]
    along = np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32)
    ring = np.minimum(2 * RINGS * np.sqrt((along**2).sum(axis=0)), RINGS).astype(np.intp)
    number = np.bincount(ring.ravel(), minlength=RINGS + 1)
    return Frequencies(np.float32(2 * np.pi) * along, ring, number)


class OddPart:
    """The odd part of the cross-correlation of two windows, by frequencies.

    Parameters
    ----------
    one, other : ndarray of complex64
        Their transforms, over the root of the number of their common pixels.
    shape : tuple of int
        Of the windows.
    noise : float
        Variance of a level pixel.
    """

    def __init__(
        self, one: NDArray[np.complex64], other: NDArray[np.complex64], shape: tuple[int, ...], noise: float
    ) -> None:
        self.shape = shape
        self.at = _frequencies(shape)
        self.difference = _levelled(one - other, self.at)
        self.odd = 2 * (np.conj(_levelled(one, self.at)) * _levelled(other, self.at)).imag
        differ = self.at.means(np.abs(one - other) ** 2)
        shown = np.maximum(differ - 2 * noise, 0)
        self.known = np.divide(shown, differ**2, out=np.zeros_like(shown), where=shown > 0)

    def place(self, shift: NDArray[np.float64]) -> tuple[NDArray[np.float64] | None, bool]:
        """Return where the scene has moved to if surely not by a shift, and whether surely by that one."""
        odd, even = self._maps(shift)
        best = _highest(odd)
        height, deep = odd[best] / _spread(odd), -even[best] / _spread(even)
        if not (height > SIGNIFICANT and deep > EVEN * height):
            return None, False
        peak = _vertex(odd, best)
        off = float(np.abs(peak - shift).max())
        if off <= AT:
            return None, True
        if off > APART and _height_around(odd, shift) > AS_HIGH * odd[best]:
            return None, False
        best_there, there = self._likeliest(peak)
        matched, _ = self._likeliest(shift)
        sure = best_there - matched > MORE and matched < LESS * best_there
        return (there if sure and np.abs(there - shift).max() > OFF_LEVEL else None), False

    def _maps(self, shift: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return V at every lag, and the like of the images' difference laid over itself."""
        turned = (self.at.radius * max(float(np.hypot.reduce(shift)), LEAST_SHIFT)) ** 2
        # what a ring differs by is |T|^2 times the mean of 2 - 2 cos(k s) over all directions
        weights = self.known * turned / (turned + 2 * len(shift))
        weights[0] = 0
        of_ring = weights.astype(np.float32)[self.at.ring]
        odd = scipy.fft.irfftn(-1j * of_ring * self.odd, self.shape)
        even = scipy.fft.irfftn(of_ring * np.abs(self.difference) ** 2, self.shape)
        return np.asarray(odd, np.float32), np.asarray(even, np.float32)

    def _likeliest(self, shift: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the greatest likelihood of a shift and of those around it, and where it is."""
        steps = [shift + AROUND * np.array(step) for step in product((-1, 0, 1), repeat=len(shift))]
        likelihoods = [self.likelihood(step) for step in steps]
        best = int(np.argmax(likelihoods))
        return likelihoods[best], steps[best]

    def likelihood(self, shift: NDArray[np.float64]) -> float:
        """Return L of a shift, level px."""
        along, odd, ring, squares = self._that_tell
        sine = np.sin(np.tensordot(shift.astype(np.float32), along, 1))
        own = np.bincount(ring, sine * sine, RINGS)
        r = np.bincount(ring, sine * odd, RINGS) / np.sqrt(np.maximum(own * squares, np.finfo(float).tiny))
        r = np.clip(r, -1 + 1e-9, 1 - 1e-9)
        return float(-(np.sign(r) * self.at.number[:RINGS] / 2) @ np.log1p(-r * r))

    @cached_property
    def _that_tell(
        self,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.intp], NDArray[np.float64]]:
        """The frequencies that tell, their odd part, their rings, and its sum of squares over each ring."""
        tells = self.at.tells
        odd, ring = self.odd[tells], self.at.ring[tells]
        squares = np.asarray(np.bincount(ring, odd * odd, RINGS), np.float64)
        return self.at.along[:, tells], odd, ring, squares


def _odd_part(reference: Middle, moving: Middle, b: int) -> OddPart | None:
    """Return the odd part of the middle of a level; None where it is small, or little is valid in both."""
    shape = [n // b for n in reference.image.mask.shape]
    if min(shape) < LEAST_SIDE:
        return None
    part = middle_of(shape)
    one = reference.window(b, part)
    other = moving.window(b, part, one)
    common = one.area.shared_with(other.area)
    if common.number < MOST_VALID * one.detail.size:
        return None
    seen = _taper(one.detail.shape) * common.valid
    seen /= np.float32(math.sqrt(float(np.vdot(seen, seen))))
    a, c = (scipy.fft.rfftn(window.detail * seen) for window in (one, other))
    return OddPart(a, c, one.detail.shape, reference.noise / b ** len(shape))


@lru_cache(maxsize=8)
def _taper(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return weights that fall to none at the borders, which are no scene's."""
    out = np.ones(shape, np.float32)
    for axis, n in enumerate(shape):
        from_border = (np.minimum(np.arange(n), np.arange(n)[::-1]) + 0.5) / (TAPERED * n)
        fall = np.sin(np.pi / 2 * np.minimum(from_border, 1)) ** 2
        out *= fall.astype(np.float32).reshape([-1 if k == axis else 1 for k in range(len(shape))])
    return out


def _is_likelier(odd: OddPart | None, one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether one shift is likelier than another, or nothing tells."""
    return odd is None or odd.likelihood(one) > odd.likelihood(other)


def _highest(field: NDArray[np.float32]) -> tuple[np.intp, ...]:
    """Return the index of the greatest of a field of lags, no further than a part of it along any axis."""
    near = np.where(within_reach(field.shape), field, -np.inf)
    return np.unravel_index(int(np.argmax(near)), field.shape)


def _spread(field: NDArray[np.float32]) -> float:
    """Return the spread of a field about its median."""
    middle = np.median(field)
    return max(SPREAD_OF_MAD * float(np.median(np.abs(field - middle))), float(np.finfo(np.float32).tiny))


def _height_around(field: NDArray[np.float32], shift: NDArray[np.float64]) -> float:
    """Return the greatest of a field of lags no more than one from a shift."""
    lags = [(lag + np.arange(-1, 2)) % n for lag, n in zip(nearest_lag(shift), field.shape, strict=True)]
    return float(field[np.ix_(*lags)].max())


def _levelled(spectrum: NDArray[np.complex64], at: Frequencies) -> NDArray[np.complex64]:
    """Return a transform, nowhere much higher than is usual in its ring."""
    height = np.maximum(np.abs(spectrum), np.finfo(np.float32).tiny)
    usual = OF_RAYLEIGH * np.exp(at.means(np.log(height)))
    return np.asarray(spectrum * np.minimum(1, (MOST * usual).astype(np.float32)[at.ring] / height))


def _vertex(field: NDArray[np.float32], at: tuple[np.intp, ...]) -> NDArray[np.float64]:
    """Return the lag of a peak of a field of lags that goes on from its other side, below the pixel."""
    found = []
    for axis, n in enumerate(field.shape):
        before, middle, after = (
            float(field[(*at[:axis], (at[axis] + t) % n, *at[axis + 1 :])]) for t in (-1, 0, 1)
        )
        bend = before - 2 * middle + after
        lag = int(lags_along(n)[at[axis]])
        found.append(lag + (np.clip((before - after) / bend / 2, -0.5, 0.5) if bend < 0 else 0.0))
    return np.array(found)
