"""The reference's side of the refinement: everything heavy, computed once.

The refinement (`refine`) projects the residual on the gradient G of the low-passed reference. G
stays on the reference's own grid, where its noise is never interpolated; only the moving image is.
The width of the low-pass is chosen by the smallest covariance that the reference's own spectrum
predicts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.fill import filled, inner

WIDTHS = (0.8, 1.1, 1.5, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0, 23.0, 32.0)
"""Widths of the low-pass to choose from, sigma in px."""

INNER_PART = 0.25
"""The pixels off the mask's edge are used alone if they are at least this part of the valid ones."""

LINEAR = 3.0
"""A low-pass is steady if it is wider than this many predicted standard deviations of the shift."""

TRUNCATE = 4.0
"""Gaussian filters end at this many sigma."""

SLOPE = np.array([-1, 9, -45, 0, 45, -9, 1]) / 60
"""Derivative at the middle of seven pixels, exact for polynomials to degree six."""


@dataclass(frozen=True)
class Template:
    """A reference prepared for refinement.

    Attributes
    ----------
    pixels : ndarray of float32
        Stabilised, mean off, zero where ignored.
    mask : ndarray of bool
        The pixels that are projected: the inner ones, unless these are too few (scattered masks).
    width : float
        Sigma of the low-pass, px.
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
    """

    pixels: NDArray[np.float32]
    mask: NDArray[np.bool_]
    width: float
    noise: NDArray[np.float32]
    gradient: NDArray[np.float32]
    smooth: NDArray[np.float32]
    slope: NDArray[np.float32]
    gains: NoiseGains


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


def noise_gains(width: float, ndim: int) -> NoiseGains:
    """Return the gains of the filters as they are, from their responses to a single bright pixel.

    The filters are separable: along one axis the slope is taken, along the others only the low-pass.
    """
    radius = int(TRUNCATE * width + 1) + 2 * len(SLOPE)
    impulse = np.zeros(2 * radius + 1, np.float32)
    impulse[radius] = 1
    low = _smoothed(impulse, width)
    slope = _slope(impulse, 0)
    gradient = _smoothed(slope, width)
    # the sum of products is a quadratic form of the noise, whose kernel is the slope of the gradient
    kernel = _slope(gradient, 0)
    across = float((low**2).sum()) ** (ndim - 1)
    centre = float(low[radius])
    return NoiseGains(
        gradient=float((gradient**2).sum()) * across,
        slope=float((gradient * slope).sum()) * centre ** (ndim - 1),
        slope_spread=float(np.sqrt(2 * (kernel**2).sum() * across)),
        smooth=centre**ndim,
    )


def make_template(
    pixels: NDArray[np.float32], mask: NDArray[np.bool_], noise: NDArray[np.float32], width: float
) -> Template:
    """Return the template of a reference with at least one valid pixel.

    Parameters
    ----------
    pixels : ndarray of float32
        Stabilised, mean off, zero where ignored.
    mask : ndarray of bool
    noise : ndarray of float32
        Variance of each pixel's noise.
    width : float
        Width of the low-pass, sigma in px.
    """
    whole = filled(pixels, mask)
    slope = np.stack([_slope(whole, axis) for axis in range(whole.ndim)])
    inside = inner(mask)
    scattered = np.count_nonzero(inside) < INNER_PART * np.count_nonzero(mask)
    return Template(
        pixels,
        mask if scattered else inside,
        width,
        noise,
        np.stack([_smoothed(component, width) for component in slope]),
        _smoothed(whole, width),
        slope,
        noise_gains(width, whole.ndim),
    )


def _smoothed(image: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """Return the image low-passed by a Gaussian of this sigma."""
    return np.asarray(scipy.ndimage.gaussian_filter(image, width, mode="nearest", truncate=TRUNCATE))


def _slope(image: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Return the derivative along one axis."""
    return np.asarray(scipy.ndimage.correlate1d(image, SLOPE, axis, mode="nearest"))


@dataclass(frozen=True)
class Forecast:
    """Which low-pass refines best, and how well.

    Attributes
    ----------
    width : float
        Sigma of the low-pass, px.
    sigma : float
        Predicted uncertainty of the shift, px; inf where noise is all there is.
    """

    width: float
    sigma: float


def forecast(pixels: NDArray[np.float32], mask: NDArray[np.bool_], noise: NDArray[np.float32]) -> Forecast:
    """Return the width of the low-pass with the smallest predicted variance of the shift.

    Among those that are wider than a few times that uncertainty: beyond its width the gradient says
    nothing about where the answer is.

    With signal spectrum P and white noise of variance v in both images, weighting the gradient by
    h = exp(-2 pi^2 width^2 f^2) gives the Jacobian A, the sum of (2 pi f)^2 h P, and the noise M,
    the sum of (2 pi f)^2 h^2 (2 v P + v^2); the covariance is A^-1 M A^-1.
    """
    whole = filled(pixels, mask)
    axes = range(whole.ndim)
    # not tapered by the mask: its sharp edge would spread a bright background over all frequencies
    taper = np.ones(whole.shape)
    for axis in axes:
        window = np.hanning(whole.shape[axis] + 2)[1:-1]
        taper *= window.reshape([-1 if k == axis else 1 for k in axes])
    weight = float((taper**2).sum())
    floor = float((taper**2 * noise).sum() / max(weight, 1e-30))
    centred = (whole - np.average(whole, weights=taper) if weight > 0 else whole) * taper
    power = np.abs(scipy.fft.rfftn(centred)) ** 2 / max(weight, 1e-30) - floor
    frequencies = [np.fft.fftfreq(n) for n in whole.shape[:-1]] + [np.fft.rfftfreq(whole.shape[-1])]
    # of a real image half the spectrum is kept: each of its frequencies stands for two
    grid = [np.sqrt(2) * 2 * np.pi * f for f in np.meshgrid(*frequencies, indexing="ij", sparse=True)]
    f2 = sum(f**2 for f in grid) / (8 * np.pi**2)
    usable = [w for w in WIDTHS if w <= max(WIDTHS[0], min(whole.shape) / 8)]
    sigmas = np.array([_predicted_sigma(power, grid, f2, width, floor) for width in usable])
    steady = np.where(LINEAR * sigmas < usable, sigmas, np.inf)
    if np.isfinite(steady).any():
        best = int(np.argmin(steady))
    else:
        best = int(np.argmin(sigmas / usable)) if np.isfinite(sigmas).any() else len(usable) - 1
    return Forecast(usable[best], float(sigmas[best]))


def _predicted_sigma(
    power: NDArray[np.float64],
    grid: list[NDArray[np.float64]],
    f2: NDArray[np.float64],
    width: float,
    noise: float,
) -> float:
    low = np.exp(-2 * (np.pi * width) ** 2 * f2)
    ndim = len(grid)
    signal, energy, own = np.zeros((ndim, ndim)), np.zeros((ndim, ndim)), np.zeros((ndim, ndim))
    for i in range(ndim):
        for j in range(i, ndim):
            product = grid[i] * grid[j] * low
            signal[i, j] = signal[j, i] = float((product * power).sum())
            energy[i, j] = energy[j, i] = float((product * low * power).sum())
            own[i, j] = own[j, i] = float((product * low).sum())
    if np.linalg.eigvalsh(signal)[0] <= 0 or np.linalg.eigvalsh(energy)[0] <= 0:
        return np.inf
    inverse = np.linalg.inv(signal)
    covariance = inverse @ (2 * noise * energy + noise**2 * own) @ inverse
    # equal forecasts (no noise at all): the narrower low-pass keeps more of the image
    return float(np.sqrt(np.diagonal(covariance).max())) + 1e-12 * width
