"""The reference's side of the refinement: everything heavy, computed once.

The refinement (`refine`) projects the residual on the gradient G of the low-passed reference. G
stays on the reference's own grid, where its noise is never interpolated; only the moving image is.
Which low-pass is best the reference's own spectrum tells (`spectrum`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.fill import filled, inner
from maskreg.core.interpolation_error import SLOPE, InterpolationError, interpolation_error, slope_response
from maskreg.core.spectrum import LowPass, cosine_frequencies

INNER_PART = 0.25
"""The pixels off the mask's edge are used alone if they are at least this part of the valid ones."""


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
        G: gradient of the low-passed reference.
    smooth : ndarray of float32
        The low-passed reference.
    slope : (ndim, ...) ndarray of float32
        Gradient of the unfiltered reference.
    gains : NoiseGains
        What white noise becomes in these fields.
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
    error: InterpolationError


@dataclass(frozen=True)
class NoiseGains:
    """What unit white noise becomes in the fields of a template.

    Attributes
    ----------
    gradient : float
        Variance of one component.
    slope : float
        Covariance of one component with that of the unfiltered noise's gradient.
    slope_spread : float
        By how much a sum of their products over N pixels scatters, divided by sqrt(N).
    smooth : float
        Covariance of the low-passed with the unfiltered noise.
    """

    gradient: float
    slope: float
    slope_spread: float
    smooth: float


def noise_gains(response: NDArray[np.float32]) -> NoiseGains:
    """Return the gains of the filters, from their response at the frequencies of the cosine transform.

    The slope is taken along one axis; those along the others gain as much.
    """
    along = slope_response(cosine_frequencies(response.shape)[0]) ** 2
    h, hh = _summed_across(response), _summed_across(response**2)
    h[0], hh[0] = h[0] / 2, hh[0] / 2
    return NoiseGains(
        gradient=float((along * hh).mean()),
        slope=float((along * h).mean()),
        # the sum of products is a quadratic form of the noise, with the kernel slope * gradient
        slope_spread=float(np.sqrt(2 * (along**2 * hh).mean())),
        smooth=float(h.mean()),
    )


def _summed_across(response: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean over all axes but the first.

    Frequency 0 stands for half as many as the others: the mean is that far from the borders, where
    the mirrored noise adds to itself.
    """
    out = response.astype(np.float64)
    for _ in range(response.ndim - 1):
        out = (out.sum(axis=-1) - out[..., 0] / 2) / out.shape[-1]
    return out


def make_template(
    pixels: NDArray[np.float32], mask: NDArray[np.bool_], noise: NDArray[np.float32], low_pass: LowPass
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
    """
    whole = filled(pixels, mask)
    inside = inner(mask)
    if np.count_nonzero(inside) < INNER_PART * np.count_nonzero(mask):
        inside = mask  # scattered
    response = low_pass.response(cosine_frequencies(whole.shape))
    smooth = np.asarray(scipy.fft.idctn(scipy.fft.dctn(whole) * response), np.float32)
    gradient = np.stack([_slope(smooth, axis) for axis in range(whole.ndim)])
    slope = np.stack([_slope(whole, axis) for axis in range(whole.ndim)])
    return Template(
        pixels,
        inside,
        low_pass,
        noise,
        gradient,
        smooth,
        slope,
        noise_gains(response),
        interpolation_error(whole, inside, [*gradient, smooth], noise, low_pass),
    )


def _slope(image: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Return the derivative along one axis."""
    return np.asarray(scipy.ndimage.correlate1d(image, SLOPE, axis, mode="nearest"))
