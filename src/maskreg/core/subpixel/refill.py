"""Scattered ignored pixels of moving, filled with what the reference shows there.

Neighbours tell the value of an ignored pixel only where the image is smooth. At the right shift the
low-passed reference tells it anywhere. Such pixels are never counted: they only lend their values to the
interpolation between valid ones.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.image.pyramid import LevelImage
from maskreg.core.image.shifted import shifted_block, shifted_mask
from maskreg.core.image.windows import window_sums
from maskreg.core.machine.some_rows import some_rows
from maskreg.core.subpixel.residual import interpolated
from maskreg.core.subpixel.template import SPLINE_ORDER, Template
from maskreg.geometry import nearest_lag

AT_ONCE = 2**17
"""Rows of about so many pixels are worked on together."""


class Shown:
    """What a reference shows between its own pixels.

    Parameters
    ----------
    template : Template
    known : ndarray of bool
        Pixels of the reference that are valid, or single ones between such.
    """

    def __init__(self, template: Template, known: NDArray[np.bool_]) -> None:
        self._template, self._known = template, known

    def refilled(
        self,
        moving: LevelImage,
        first: NDArray[np.float32],
        places: NDArray[np.bool_],
        shift: NDArray[np.float64],
        gain: float,
    ) -> NDArray[np.float32]:
        """Return moving with its ignored pixels filled, where the reference is known at this shift.

        Parameters
        ----------
        moving : LevelImage
        first : ndarray of float32
            Filled otherwise; stays where the reference is not known.
        places : ndarray of bool
            The pixels to fill.
        shift : (ndim,) ndarray
            Level pixels: moving at y is the reference at y + shift.
        gain : float
            Of moving into reference.
        """
        template, lag = self._template, nearest_lag(shift)
        sums = window_sums(template.pixels, template.mask, moving.pixels, moving.mask, lag, 0)
        brighter = (float(sums.a.flat[0]) - gain * float(sums.b.flat[0])) / max(float(sums.n.flat[0]), 1)
        where, out = self._where(places, lag), first.copy()
        for rows in some_rows(where, AT_ONCE):
            at = np.argwhere(where[rows])
            at[:, 0] += rows.start
            values = scipy.ndimage.map_coordinates(
                template.spline, (at + shift).T, order=SPLINE_ORDER, prefilter=False, mode="nearest"
            )
            out[tuple(at.T)] = (values - brighter) / gain
        return out

    def pull(
        self,
        places: NDArray[np.bool_],
        usable: NDArray[np.bool_],
        inverse: NDArray[np.float64],
        shift: NDArray[np.float64],
        lag: tuple[int, ...],
    ) -> NDArray[np.float64]:
        """Return which part R of an error of the shift at which pixels are filled stays, (ndim, ndim).

        The part h of an interpolated value that is made of filled pixels moves as the low-passed reference
        does, its noise as well: R = A^-1 sum h G G^T.

        Parameters
        ----------
        places : ndarray of bool
            The pixels that are filled.
        usable : ndarray of bool
            Pixels of moving at which it may be interpolated.
        inverse : (ndim, ndim) ndarray of float64
            A^-1, of the normal matrices.
        shift, lag
            Level pixels, and a whole-pixel one next to it.
        """
        template, where = self._template, self._where(places, lag)
        pulled = np.zeros_like(inverse)
        for rows in some_rows(template.mask, AT_ONCE):
            block = (rows, *(slice(0, n) for n in template.mask.shape[1:]))
            part, inside = interpolated(where, block, shift)
            common = template.mask[block] & inside & shifted_block(usable, lag, block)
            gradient = template.gradient[:, rows][:, common].astype(np.float64)
            pulled += (part[common] * gradient) @ gradient.T
        return np.asarray(inverse @ pulled)

    def _where(self, places: NDArray[np.bool_], lag: tuple[int, ...]) -> NDArray[np.bool_]:
        """Return the places of moving at which the reference is known."""
        return places & shifted_mask(self._known, tuple(-s for s in lag), places.shape)
