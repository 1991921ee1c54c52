"""The covariance of a refined shift as its own residual shows it, whatever makes the residual.

Where ignored pixels are scattered, part of the residual is what filling them in got wrong: more where the
pattern is steep, so that white noise of the same size would promise too much. In floats that are no counts
bright pixels may be noisier. The sum of G times the residual is then believed to scatter as it does over the
image (White, Econometrica 48, 817, 1980), near pixels together (Newey and West, Econometrica 55, 703, 1987;
in the plane Conley, J. Econometrics 92, 1, 1999):

    M = sum over x, k of K(k) G r(x) (G r)(x + k)^T.

K falls to zero within a few pixels; here it is what comes of squares of sums over overlapping boxes, which
makes M never negative.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskreg.core.refine import NormalMatrices
from maskreg.core.residual import Residual

BOX = 2
"""Side of a box, px."""

SHARED = 4
"""Errors are shared by the pixels of so many neighbouring boxes along each axis."""

FEWEST = 4.0
"""Fewer degrees of freedom than this are not told apart."""

BoxSums = tuple[NDArray[np.float64], int, float]
"""Of each component of G times the residual over each box, then of the components themselves, over the common
pixels, (2 ndim, ...); number of these, and the sum of their residual."""


def seen_covariance(normal: NormalMatrices, residual: Residual) -> NDArray[np.float64]:
    """Return A^-1 M A^-T, level pixels squared; zero along blind directions.

    Parameters
    ----------
    normal : NormalMatrices
        With A.
    residual : Residual
        Of moving filled in.
    """
    ndim = residual.moving.ndim
    look = compiled_box_sums if ndim == 2 else plain_box_sums
    sums, n, total = look(residual)
    # the mean of the residual is off
    boxes = sums[:ndim] - total / max(n, 1) * sums[ndim:]
    for axis in range(1, ndim + 1):
        boxes = _windows(boxes, axis)
    few = np.sqrt([_for_few(box) for box in boxes])
    turned = normal.inverse @ (few[:, None] * boxes.reshape(ndim, -1))
    return np.asarray(turned @ turned.T / SHARED**ndim)


def _windows(boxes: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return the sums over every window of `SHARED` neighbours along an axis, beyond the ends too."""
    padding = [(SHARED - 1 if k == axis else 0,) * 2 for k in range(boxes.ndim)]
    padded = np.moveaxis(np.pad(boxes, padding), axis, 0)
    length = len(padded) - SHARED + 1
    out = padded[:length].copy()
    for k in range(1, SHARED):
        out += padded[k : k + length]
    return np.moveaxis(out, 0, axis)


def compiled_box_sums(residual: Residual) -> BoxSums:
    """Return what `plain_box_sums` does, of two axes."""
    from maskreg.core.residual_kernels import box_sums_2d

    template = residual.template
    sums, n, total = box_sums_2d(
        template.pixels, template.mask, template.gradient, residual.moving, residual.usable,
        residual.lag, residual.shift, np.float32(residual.gain), BOX,
    )  # fmt: skip
    return sums, int(n), float(total)


def plain_box_sums(residual: Residual) -> BoxSums:
    """Return the sums over boxes, by slices, for any number of axes."""
    template = residual.template
    values, common = residual.over(tuple(slice(0, n) for n in template.mask.shape))
    values = common * values
    fields = [field * values for field in template.gradient]
    fields += [field * common for field in template.gradient]
    sums = np.array(fields, np.float64)
    for axis, n in enumerate(template.mask.shape):
        sums = np.add.reduceat(sums, np.arange(0, n, BOX), axis + 1)
    return sums, int(np.count_nonzero(common)), float(values.sum(dtype=np.float64))


def _for_few(windows: NDArray[np.float64]) -> float:
    """Return by how much a variance read off so few errors must be larger, as Student's is.

    The fourth powers of N errors of equal size make 3 / N of the square of the sum of their squares; each
    error is in `SHARED` windows along each axis.
    """
    squares = windows**2
    fourth = SHARED**windows.ndim * float(np.vdot(squares, squares))
    freedom = max(3 * float(squares.sum()) ** 2 / fourth, FEWEST) if fourth > 0 else np.inf
    return freedom / (freedom - 2) if np.isfinite(freedom) else 1.0
