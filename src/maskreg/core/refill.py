"""Scattered ignored pixels of moving, filled with what the reference shows there.

Neighbours tell the value of an ignored pixel only where the image is smooth. At the right shift the
low-passed reference tells it anywhere. Such pixels are never counted: they only lend their values to the
interpolation between valid ones.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.pyramid import LevelImage
from maskreg.core.shared_noise import interpolated, shifted
from maskreg.core.template import Template
from maskreg.core.windows import window_sums
from maskreg.geometry import nearest_lag

ORDER = 3
"""Of the splines that interpolate the low-passed reference."""


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
        self._spline = scipy.ndimage.spline_filter(template.smooth, ORDER, output=np.float32)

    def refilled(
        self,
        moving: LevelImage,
        first: NDArray[np.float32],
        places: NDArray[np.bool_],
        shift: NDArray[np.float64],
        gain: float,
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return moving with its ignored pixels filled where the reference is known at this shift, and where.

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
        at = np.argwhere(places)
        near, inside = at + np.array(lag), np.ones(len(at), bool)
        for axis, n in enumerate(self._known.shape):
            inside &= (near[:, axis] >= 0) & (near[:, axis] < n)
        inside[inside] = self._known[tuple(near[inside].T)]
        at = at[inside]
        values = scipy.ndimage.map_coordinates(
            self._spline, (at + shift).T, order=ORDER, prefilter=False, mode="nearest"
        )
        out = first.copy()
        out[tuple(at.T)] = (values - brighter) / gain
        filled = np.zeros_like(places)
        filled[tuple(at.T)] = True
        return out, filled

    def freed(
        self,
        filled: NDArray[np.bool_],
        usable: NDArray[np.bool_],
        shift: NDArray[np.float64],
        lag: tuple[int, ...],
    ) -> NDArray[np.float64]:
        """Return by what errors grow because what was filled in pulls the answer its way, (ndim, ndim).

        The part h of an interpolated value that is made of filled pixels follows the shift at which they were
        filled: of an error e of that shift remains R e, with R = (sum G G^T)^-1 sum h G G^T. So where nothing
        moves any more, the noise of one answer has made (1 - R)^-1 times its error.

        Parameters
        ----------
        filled : ndarray of bool
            As `refilled` returned it.
        usable : ndarray of bool
            Pixels of moving at which it may be interpolated.
        shift, lag
            The refined shift, level pixels, and a whole-pixel one next to it.
        """
        template = self._template
        whole = tuple(slice(0, n) for n in template.mask.shape)
        part, inside = interpolated(filled.astype(np.float32), whole, shift)
        common = template.mask & inside & shifted(usable, whole, lag)
        gradient = template.gradient[:, common].astype(np.float64)
        all_, pulled = gradient @ gradient.T, (part[common] * gradient) @ gradient.T
        part_pulled = np.linalg.pinv(all_, hermitian=True) @ pulled
        return np.asarray(np.linalg.inv(np.eye(len(shift)) - part_pulled), np.float64)
