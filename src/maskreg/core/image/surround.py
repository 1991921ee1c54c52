"""Ignored pixels beside valid ones, as valid ones continue: the outer taps of interpolation reach them.

Six taps reach three pixels to either side, but nearly all of the value is made by the two in the middle.
Were all six to be valid, a rim of three pixels would tell nothing of the shift; around a beam-block of 5 to
12 % that is 2 to 3 % of what there is to know. So only the middle ones must be valid. The outer ones, whose
weight is a tenth or less, may be what a plane through the nearest valid pixels makes of them.
"""

from __future__ import annotations

import itertools
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.pyramid import eroded
from maskreg.core.image.surround_kernels import continue_pixels

MIDDLE = 1
"""Pixels to either side that must be valid for interpolation,"""

TAPS_REACH = 3
"""and that must be there."""

REACH = 2
"""Ignored pixels so near to valid ones are continued: six taps reach no further."""

SOURCES = 12
"""A plane is laid through at most so many of the nearest valid pixels,"""

WINDOW = 3
"""no further away than this along each axis, px,"""

WIDTH = 1.5
"""each counted by a Gaussian of its distance of this sigma, px."""

AT_ONCE = 16
"""So many steps are looked at together; further ones only for pixels that lack sources."""

FLAT = 1e-3
"""What a plane's slope costs, in px squared of the sources' spread: where none is seen it is flat."""


def where_interpolable(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return next to which pixels an image may be interpolated, where ignored ones are continued."""
    out = np.zeros_like(mask)
    inside = tuple(slice(TAPS_REACH, n - TAPS_REACH) if n > 2 * TAPS_REACH else slice(0) for n in mask.shape)
    out[inside] = eroded(mask, MIDDLE)[inside]
    return out


class Surround:
    """The ignored pixels beside the valid ones of a mask, each a fixed sum of valid ones.

    Parameters
    ----------
    mask : ndarray of bool
        True = valid.

    Attributes
    ----------
    places : (n,) ndarray of int
        Flat indices of the ignored pixels.
    sources : (n, SOURCES) ndarray of int
        Flat indices of the valid ones.
    weights : (n, SOURCES) ndarray of float32
        Of their sum.
    """

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        beside = ~mask & ~eroded(~mask, REACH, beyond=True)
        self.places = np.flatnonzero(beside)
        at = np.array(np.unravel_index(self.places, mask.shape)).T
        self.sources = np.zeros((len(at), SOURCES), np.intp)
        offsets, counted = self._nearest(mask, at)
        self.weights = _planes(offsets, counted).astype(np.float32)

    def _nearest(
        self, mask: NDArray[np.bool_], at: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Find the sources; return their offsets, (n, SOURCES, ndim), px, and how much each counts."""
        steps = np.array(list(itertools.product(range(-WINDOW, WINDOW + 1), repeat=mask.ndim)))
        steps = steps[np.argsort((steps**2).sum(axis=1), kind="stable")]
        weights = np.exp(-(steps**2).sum(axis=1) / (2 * WIDTH**2))
        offsets = np.zeros((len(at), SOURCES, mask.ndim))
        counted = np.zeros((len(at), SOURCES))
        # a rim of ignored pixels: no step leaves the image
        rim = np.pad(mask, WINDOW)
        home, away = (at + WINDOW) @ _strides(rim.shape), steps @ _strides(rim.shape)
        flat, along = at @ _strides(mask.shape), steps @ _strides(mask.shape)
        found = np.zeros(len(at), np.intp)
        for first in range(0, len(steps), AT_ONCE):
            open_ = np.flatnonzero(found < SOURCES)
            valid = rim.ravel()[home[open_, None] + away[first : first + AT_ONCE]]
            slot = found[open_, None] + np.cumsum(valid, axis=1)
            found[open_] = slot[:, -1]
            row, k = np.nonzero(valid & (slot <= SOURCES))
            to, k = (open_[row], slot[row, k] - 1), k + first
            self.sources[to] = flat[to[0]] + along[k]
            offsets[to] = steps[k]
            counted[to] = weights[k]
        return offsets, counted

    def continued(self, pixels: NDArray[np.float32]) -> Continued:
        """Give an image with these pixels continued, zero again afterwards.

        In place: to copy a frame costs as much as a pass over it. So no other thread may read it meanwhile.

        Parameters
        ----------
        pixels : ndarray of float32
            Contiguous, zero where the mask is False.
        """
        return Continued(self, pixels)


class Continued(AbstractContextManager[NDArray[np.float32]]):
    """An image whose ignored pixels beside valid ones are continued meanwhile."""

    def __init__(self, surround: Surround, pixels: NDArray[np.float32]) -> None:
        self._surround = surround
        self._pixels = pixels

    def __enter__(self) -> NDArray[np.float32]:
        known = self._surround
        continue_pixels(self._pixels.reshape(-1), known.places, known.sources, known.weights)
        return self._pixels

    def __exit__(self, *_: object) -> None:
        self._pixels.reshape(-1)[self._surround.places] = 0


def plain_continue_pixels(
    flat: NDArray[np.float32],
    places: NDArray[np.intp],
    sources: NDArray[np.intp],
    weights: NDArray[np.float32],
) -> None:
    """Set each place of an image, given as one row, to the weighted sum of its sources."""
    np.put(flat, places, np.einsum("ij,ij->i", np.take(flat, sources), weights))


def _strides(shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Return how far the next pixel along each axis is in a flat image."""
    return np.array([int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))], np.intp)


def _planes(offsets: NDArray[np.float64], counted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by what each source is multiplied to give the value of the plane at offset 0."""
    ndim = offsets.shape[2]
    terms = np.concatenate([np.ones((*counted.shape, 1)), offsets], axis=2)
    normal = np.swapaxes(terms * counted[..., None], 1, 2) @ terms
    normal += np.diag([0.0] + [FLAT] * ndim) * counted.sum(axis=1)[:, None, None]
    first = np.linalg.solve(normal, np.broadcast_to(np.eye(ndim + 1)[:, :1], (len(normal), ndim + 1, 1)))
    return np.asarray((terms @ first)[..., 0] * counted)
