"""The covariance of a refined shift as its own residual shows it, whatever makes the residual.

Where ignored pixels are scattered, part of the residual is what filling them in got wrong: more where the
pattern is steep, so that white noise of the same size would promise too much. The sum of G times the residual
is then believed to scatter as it does over the image (White, Econometrica 48, 817, 1980), near pixels
together (Newey and West, Econometrica 55, 703, 1987; in the plane Conley, J. Econometrics 92, 1, 1999):

    M = sum over x, k of K(k) G r(x) (G r)(x + k)^T,

K falling linearly to zero, which makes M the sum of squares of sums over boxes: never negative.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.refine import NormalMatrices
from maskreg.core.shared_noise import interpolated, shifted
from maskreg.core.template import Template

BOX = 7
"""Errors are shared by pixels nearer than this along each axis."""


def seen_covariance(
    template: Template,
    normal: NormalMatrices,
    moving: NDArray[np.float32],
    usable: NDArray[np.bool_],
    shift: NDArray[np.float64],
    lag: tuple[int, ...],
    gain: float,
) -> NDArray[np.float64]:
    """Return A^-1 M A^-T, level pixels squared; zero along blind directions.

    Parameters
    ----------
    template : Template
    normal : NormalMatrices
        With A.
    moving : ndarray of float32
        Stabilised, filled in.
    usable : ndarray of bool
        Pixels of moving at which it may be interpolated.
    shift, lag
        The refined shift, px, and a whole-pixel one next to it, at which the usable pixels are taken.
    gain : float
        Of moving into reference.
    """
    whole = tuple(slice(0, n) for n in template.mask.shape)
    values, inside = interpolated(moving, whole, shift)
    common = template.mask & shifted(usable, whole, lag) & inside
    residual = template.pixels - np.float32(gain) * values
    residual -= residual[common].mean(dtype=np.float64)
    boxes = [
        scipy.ndimage.uniform_filter(common * field * residual, BOX, np.float64, mode="constant")
        for field in template.gradient
    ]
    scatter = np.array([[np.vdot(one, other) for other in boxes] for one in boxes]) * BOX ** len(boxes)
    return np.asarray(normal.inverse @ scatter @ normal.inverse.T)
