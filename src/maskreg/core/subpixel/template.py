"""The reference's side of the refinement: everything heavy, computed once.

The refinement (`refine`) projects the residual on the gradient G of the low-passed reference. G
stays on the reference's own grid, where its noise is never interpolated; only the moving image is.
Which low-pass is best the reference's own spectrum tells (`spectrum`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.frequencies.gains import NoiseGains, Promised, noise_gains, promised
from maskreg.core.frequencies.interpolation_error import SLOPE, InterpolationError, among_real
from maskreg.core.frequencies.low_pass import LowPass
from maskreg.core.image.fill import inner
from maskreg.core.image.filters import filtered
from maskreg.core.image.pyramid import eroded
from maskreg.core.image.runs import Region
from maskreg.core.image.whole import Whole, image_of
from maskreg.core.plan import CHEAP_PIXELS
from maskreg.core.subpixel.local_weight import Kept, weighted
from maskreg.core.subpixel.packed import Packed, packed

SHORT_SLOPES = (np.array([1, -8, 0, 8, -1]) / 12, np.array([-1, 0, 1]) / 2)
"""Derivatives at the middle of five and of three pixels, exact for polynomials to degree four and two."""

INNER_PART = 0.25
"""The pixels off the mask's edge are used alone if they are at least this part of the valid ones."""

SPLINE_ORDER = 3
"""Of the splines that interpolate the low-passed reference."""

AT_ONCE = 2**16
"""Slopes at so many places are made anew together."""


@dataclass(frozen=True)
class Template:
    """A reference prepared for refinement.

    Attributes
    ----------
    pixels : ndarray of float32
        Stabilised, mean off, zero where ignored.
    mask : ndarray of bool
        The pixels that are projected: the inner ones, unless these are too few (scattered masks).
    low_pass : LowPass
    noise : ndarray of float32
        Variance of each pixel's noise, stabilised units squared.
    gradient : (ndim, ...) ndarray of float32
        G: gradient of the low-passed reference, weighted by what it tells at each place (`local_weight`).
    smooth : ndarray of float32
        The low-passed reference.
    slope : (ndim, ...) ndarray of float32
        Gradient of the unfiltered reference.
    gains : NoiseGains
        What white noise becomes in these fields, the gradient not weighted.
    kept : Kept
        What the weights leave of it.
    promised : Promised
        What the spectrum promises of the gradient, weighted at least.
    error : InterpolationError
        What interpolation of moving adds to the sums of products with gradient and smooth.
    """

    pixels: NDArray[np.float32]
    mask: NDArray[np.bool_]
    low_pass: LowPass
    noise: NDArray[np.float32]
    gradient: NDArray[np.float32]
    smooth: NDArray[np.float32]
    slope: NDArray[np.float32]
    gains: NoiseGains
    kept: Kept
    promised: Promised
    error: InterpolationError

    @property
    def own_slope(self) -> NDArray[np.float64]:
        """Covariance of unit white noise in G with its slope, (ndim, ndim)."""
        return self.gains.slope * self.kept.slope

    @property
    def own_energy(self) -> NDArray[np.float64]:
        """Covariance of unit white noise in G, (ndim, ndim)."""
        return self.gains.gradient * self.kept.energy

    @cached_property
    def region(self) -> Region:
        """The mask with its runs."""
        return Region(self.mask)

    @cached_property
    def spline(self) -> NDArray[np.float32]:
        """Coefficients of the splines between the pixels of the low-passed reference."""
        return np.asarray(scipy.ndimage.spline_filter(self.smooth, SPLINE_ORDER, output=np.float32))

    @cached_property
    def packed(self) -> Packed:
        """The fields as a pass over two axes reads them."""
        return packed(self.pixels, self.gradient, self.smooth, self.region)

    def forget(self) -> None:
        """Let go of the packed fields, which are made again when they are needed."""
        self.__dict__.pop("packed", None)


def make_template(
    pixels: NDArray[np.float32],
    mask: NDArray[np.bool_],
    noise: NDArray[np.float32],
    low_pass: LowPass,
    signal: NDArray[np.float64],
    whole: Whole | None = None,
) -> Template:
    """Return the template of a reference with at least one valid pixel.

    Parameters
    ----------
    pixels : ndarray of float32
        Stabilised, mean off, zero where ignored.
    mask : ndarray of bool
    noise : ndarray of float32
        Variance of each pixel's noise.
    low_pass : LowPass
    signal : (rings,) ndarray of float64
        As in `frequencies.spectrum.Forecast`.
    whole : Whole, optional
        Of these pixels, where it is known already.
    """
    whole = whole or Whole(pixels, mask)
    gains, promise = noise_gains(low_pass, mask.ndim), promised(low_pass, signal, mask.ndim)
    inside = mask & inner(whole.known, noisy=promise.jacobian < gains.slope)
    if np.count_nonzero(inside) < INNER_PART * np.count_nonzero(mask):
        inside = mask  # scattered
    smooth = image_of(low_pass.weigh(whole.coefficients))
    if smooth.size > CHEAP_PIXELS:
        whole.forget()  # made again for the few other templates there are
    gradient, kept = weighted(_slopes(smooth), inside, noise, gains, promise)
    slope = _slopes_off_filled(whole.pixels, whole.known, inside)
    return Template(
        np.ascontiguousarray(pixels),
        inside,
        low_pass,
        noise,
        gradient,
        smooth,
        slope,
        gains,
        kept,
        kept.at_least(promise),
        InterpolationError(
            whole.pixels, among_real(inside), (*gradient, smooth), noise, low_pass, kept.slope
        ),
    )


def _slopes_off_filled(
    whole: NDArray[np.float32], mask: NDArray[np.bool_], inside: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return the derivatives along all axes; on inner pixels next to the edge by five pixels or three.

    Seven would reach filled ones. What is filled in makes slopes along parallel lines, in G as well, and
    their product would pass for knowledge.
    """
    slopes = _slopes(whole)
    for taps in SHORT_SLOPES:
        near_edge = np.flatnonzero(inside & ~eroded(mask, len(taps) // 2 + 1))
        for first in range(0, len(near_edge), AT_ONCE):
            _shorten(slopes, whole, near_edge[first : first + AT_ONCE], taps)
    return slopes


def _slopes(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the derivatives along all axes, (ndim, ...), by seven pixels."""
    out = np.empty((image.ndim, *image.shape), np.float32)
    for axis in range(image.ndim):
        out[axis] = filtered(image, SLOPE, axis, nearest=True)
    return out


def _shorten(
    slopes: NDArray[np.float32], image: NDArray[np.float32], places: NDArray[np.intp], taps: NDArray[Any]
) -> None:
    """Replace the derivatives at some places, flat indices, by those of fewer pixels."""
    reach, near = len(taps) // 2, np.unravel_index(places, image.shape)
    for axis, slope in enumerate(slopes):
        here, step = near[axis], int(np.prod(image.shape[axis + 1 :]))
        there = (np.clip(here + k - reach, 0, image.shape[axis] - 1) - here for k in range(len(taps)))
        slope.ravel()[places] = sum(
            np.float32(tap) * image.ravel()[places + step * k] for tap, k in zip(taps, there, strict=True)
        )
