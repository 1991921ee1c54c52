"""The covariance of a refined shift as its own residual shows it, whatever makes the residual.

Where ignored pixels are scattered, part of the residual is what filling them in got wrong: more where the
pattern is steep, so that white noise of the same size would promise too much. In floats that are no counts
bright pixels may be noisier. The sum of G times the residual is then believed to scatter as it does over the
image (White, Econometrica 48, 817, 1980), near pixels together (Newey and West, Econometrica 55, 703, 1987;
in the plane Conley, J. Econometrics 92, 1, 1999):

    M = sum over x, k of K(k) G r(x) (G r)(x + k)^T.

K falls to zero within a few pixels; here it is what comes of squares of sums over overlapping boxes, which
makes M never negative. Few bright places make it uncertain itself. Where the noise of each pixel is known, as
of counts, it is believed so far only as chance does not make it (`exceeding`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from maskreg.core.subpixel.normal_matrices import NormalMatrices
from maskreg.core.subpixel.residual import Residual
from maskreg.core.uncertainty.covariances import common_axes
from maskreg.core.uncertainty.residual_kernels import box_sums_2d, window_moments_2d

BOX = 2
"""Side of a box, px,"""

WIDE_BOX = 8
"""and of one where a scene that has changed leaves errors that more pixels share."""

SHARED_NOISE = 1.5
"""Where G sees so many times white noise, the scene may have changed: few detectors share more than that."""

SHARED = 4
"""Errors are shared by the pixels of so many neighbouring boxes along each axis."""

AT_ONCE = 2**16
"""Rows of about so many windows are summed together."""

FEWEST = 4.0
"""Fewer degrees of freedom than this are not told apart."""

TINY = 1e-12
"""Less than this part beyond the known is none."""

BoxSums = tuple[NDArray[np.floating], int, float]
"""Of each component of G times the residual over each box, then of the components themselves, then, if asked,
of their products G_i G_j with i <= j, of the residual, of its square and of one, over the common pixels,
(fields, ...); number of these, and the sum of their residual."""


@dataclass(frozen=True)
class SeenCovariance:
    """What a residual shows.

    Attributes
    ----------
    covariance : (ndim, ndim) ndarray
        A^-1 M A^-T, level pixels squared, zero along blind directions.
    freedom : float
        Its degrees of freedom: the variance of a variance is two over this, of its square.
    """

    covariance: NDArray[np.float64]
    freedom: float

    @property
    def expected(self) -> NDArray[np.float64]:
        """The covariance made larger, as Student's is, for it is read off so few errors."""
        return self.covariance * (self.freedom / (self.freedom - 2) if np.isfinite(self.freedom) else 1.0)

    def exceeding(self, known: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a known covariance with what this one shows beyond it, in each direction by itself.

        Where it is t times the known one, and chance makes a t - 1 of the size e, the truth is about
        1 + (1 - e^2 / (t - 1)^2) (t - 1) times the known one (James and Stein, Proc. 4th Berkeley Symp. 1,
        361, 1961).
        """
        axes, times = common_axes(known, self.covariance)
        beyond = np.maximum(times - 1, 0.0)
        by_chance = 2 / self.freedom
        believed = np.where(beyond**2 > by_chance, 1 - by_chance / np.maximum(beyond, TINY) ** 2, 0.0)
        return np.asarray((axes * (1 + believed * beyond)) @ axes.T)


def seen_covariance(normal: NormalMatrices, residual: Residual, box: int = BOX) -> SeenCovariance:
    """Return what a residual shows of the covariance of its shift.

    Parameters
    ----------
    normal : NormalMatrices
        With A.
    residual : Residual
        Of moving filled in.
    box : int
        Errors are shared by the pixels of `SHARED` boxes of this side along each axis, px.
    """
    ndim = residual.moving.ndim
    sums, n, total = box_sums(residual, box)
    look = compiled_window_moments if ndim == 2 else plain_window_moments
    products, fourth = look(sums, total / max(n, 1))
    freedom = min(_freedom(*moments, ndim) for moments in zip(products.diagonal(), fourth, strict=True))
    return SeenCovariance(normal.inverse @ products @ normal.inverse.T / SHARED**ndim, freedom)


def compiled_window_moments(
    sums: NDArray[np.floating], mean: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what `plain_window_moments` does, of two axes."""
    products, fourth = window_moments_2d(sums, mean, SHARED)
    return products, fourth


def plain_window_moments(
    sums: NDArray[np.floating], mean: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the products of the errors of all windows, (ndim, ndim), and the sums of their fourth powers."""
    ndim = len(sums) // 2
    products, fourth = np.zeros((ndim, ndim)), np.zeros(ndim)
    for windows in _windows(sums, mean):
        products += windows @ windows.T
        fourth += np.square(windows**2).sum(axis=1)
    return products, fourth


def _windows(sums: NDArray[np.floating], mean: float) -> Iterator[NDArray[np.float64]]:
    """Yield the errors of every window of `SHARED` boxes along each axis, beyond the ends too, some at once.

    Of each component, (ndim, windows); what is summed has its mean taken off.
    """
    ndim, rows = len(sums) // 2, sums.shape[1]
    height = max(1, AT_ONCE * rows // sums[0].size)
    for first in range(0, rows + SHARED - 1, height):
        begin = max(0, first - SHARED + 1)
        here = slice(begin, first + height)
        errors = sums[:ndim, here] - mean * sums[ndim:, here]
        for axis in range(1, ndim + 1):
            errors = _summed(errors, axis)
        yield errors[:, first - begin : first - begin + height].reshape(ndim, -1)


def _summed(boxes: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return the sums over every `SHARED` neighbours along an axis, beyond the ends too."""
    inner = np.moveaxis(boxes, axis, 0)
    sums = np.zeros((len(inner) + SHARED - 1, *inner.shape[1:]))
    for k in reversed(range(SHARED)):
        sums[k : k + len(inner)] += inner
    return np.moveaxis(sums, 0, axis)


def box_sums(residual: Residual, box: int, *, products: bool = False) -> BoxSums:
    """Return the sums over boxes of this side, in the quickest way there is."""
    look = compiled_box_sums if residual.moving.ndim == 2 else plain_box_sums
    return look(residual, box, products=products)


def compiled_box_sums(residual: Residual, box: int, *, products: bool = False) -> BoxSums:
    """Return what `plain_box_sums` does, of two axes."""
    template = residual.template
    sums, n, total = box_sums_2d(
        template.pixels, template.mask, template.gradient, residual.moving, residual.usable,
        residual.lag, residual.shift, np.float32(residual.gain), box, products,
    )  # fmt: skip
    # moments are taken of few boxes, where digits count, and half the bytes are written of many
    return sums.astype(np.float64) if products else sums, int(n), float(total)


def plain_box_sums(residual: Residual, box: int, *, products: bool = False) -> BoxSums:
    """Return the sums over boxes, by slices, for any number of axes."""
    template = residual.template
    values, common = residual.over(tuple(slice(0, n) for n in template.mask.shape))
    values = common * values
    fields = [field * values for field in template.gradient]
    fields += [field * common for field in template.gradient]
    if products:
        fields += [common * template.gradient[i] * template.gradient[j] for i, j in _pairs(values.ndim)]
        fields += [values, values**2, common]
    sums = np.array(fields, np.float64)
    for axis, n in enumerate(template.mask.shape):
        sums = np.add.reduceat(sums, np.arange(0, n, box), axis + 1)
    return sums, int(np.count_nonzero(common)), float(values.sum(dtype=np.float64))


def _pairs(ndim: int) -> Iterator[tuple[int, int]]:
    return combinations_with_replacement(range(ndim), 2)


def _freedom(second: float, fourth: float, ndim: int) -> float:
    """Return the degrees of freedom of a variance that is the sum of the squares of such errors.

    The fourth powers of N errors of equal size make 3 / N of the square of the sum of their squares; each
    error is in `SHARED` windows along each axis. Both sums are those over the windows.
    """
    shared = SHARED**ndim * fourth
    return max(3 * second**2 / shared, FEWEST) if shared > 0 else np.inf
