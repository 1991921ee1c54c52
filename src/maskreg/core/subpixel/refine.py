"""Refine a shift below the pixel: masked least squares with the gradient of a low-passed reference.

The shift s, gain a and offset b solve

    sum over x of Z(x) [R(x) - a M(x - s) - b] = 0,   Z = (G_1 .. G_ndim, H, 1),

on the pixels x that are valid in the reference R and around x - s in the moving image M. G is the
gradient and H the value of the low-passed reference, on the reference's own grid; only M is
interpolated. The noises of R and M are independent and G's kernel is odd, so that neither the
noise nor the interpolation of it locks the answer to the pixel grid: the equation holds at the
true shift on average, whatever the mask and the background.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.interpolate import noise_kept
from maskreg.core.image.runs import Region
from maskreg.core.subpixel.moments import Moments, jacobian_of_slopes, moments, projected_residual
from maskreg.core.subpixel.normal_matrices import NormalMatrices, for_noise
from maskreg.core.subpixel.refine_kernels import steps_2d
from maskreg.core.subpixel.template import Template
from maskreg.geometry import nearest_lag

MOST_STEPS = 20
"""Of the iteration: far more than it needs where it converges at all."""

SMALL_STEP = 0.1
"""The iteration has converged when what is left is less than this many standard deviations."""

MODEL_DOUBT = 0.1
"""The reference's slopes make the Jacobian of interpolated images to this part, which is left of a step."""

STEP_LIMIT = 0.75
"""A step is cut to this many widths of the low-pass: the gradient says nothing further away."""

KNOWN = 0.3
"""Slopes of the interpolated image are believed where the Jacobian is known to this part."""

SLOPES_DOUBT = 0.01
"""They make it to this part where the low-pass is a pixel wide: what is left is interpolation's own error."""

SHORT_STEP = 0.1
"""After a step of less than this part of the low-pass's width the slopes are those of before."""

INTERPOLATION_PX = 3e-3
"""Interpolation adds less than this, px: it is taken off where steps are to be shorter."""

SHORTEST_STEP = 2e-5
"""Steps shorter than this, px, are not asked for: float32 images end here."""

_NO_ERROR = np.zeros((3, 1, 1))


@dataclass(frozen=True)
class Refinement:
    """A refined shift and what its uncertainty follows from.

    Attributes
    ----------
    shift : (ndim,) ndarray of float64
        Px.
    covariance : (ndim, ndim) ndarray of float64
        Px squared, for noise that neighbours do not share; nothing along the blind directions of the
        normal matrices.
    converged : bool
    gain : float
        Of moving into reference.
    noise : float
        Variance of the noise that the residual shows, over what is known of it.
    """

    shift: NDArray[np.float64]
    covariance: NDArray[np.float64]
    converged: bool
    gain: float
    noise: float


def refine(
    template: Template,
    moving: NDArray[np.float32],
    usable: Region,
    normal: NormalMatrices,
    start: NDArray[np.float64],
    tolerance: float,
    part: float = 0.0,
) -> Refinement | None:
    """Return the refined shift, or None where the images do not determine one.

    Parameters
    ----------
    template : Template
    moving : ndarray of float32
        Stabilised.
    usable : Region
        Pixels of moving at which it may be interpolated.
    normal : NormalMatrices
        At a lag near the answer. Along its blind directions the shift stays where it started.
    start : (ndim,) ndarray
        Within about a width of the low-pass of the answer, px.
    tolerance : float
        The iteration ends when less than this is left, px.
    part : float
        Or less than this part of the least sigma along any direction.
    """
    tolerance = max(tolerance, SHORTEST_STEP)
    iterate = compiled_steps if moving.ndim == 2 else plain_steps
    found = iterate(template, moving, usable, normal, start, tolerance, part)
    if found is None:
        return None
    covariance = _covariance(template, normal, found.scale)
    # what is left of the iteration must be small against what the noise leaves open
    settled = found.left < SMALL_STEP * math.sqrt(sum(covariance.diagonal().tolist())) + tolerance
    return Refinement(found.shift, covariance, bool(settled), found.gain, found.scale)


class Steps(NamedTuple):
    """Where the iteration has ended."""

    shift: NDArray[np.float64]
    """Px."""
    left: float
    """About how far the answer is from there, px."""
    gain: float
    """Of moving into reference."""
    scale: float
    """Variance of the noise that the residual shows, over that of the normal matrices."""


def compiled_steps(
    template: Template,
    moving: NDArray[np.float32],
    usable: Region,
    normal: NormalMatrices,
    start: NDArray[np.float64],
    tolerance: float,
    part: float,
) -> Steps | None:
    """Return what `plain_steps` does, for images of two axes: in one call, without the interpreter's lock."""
    packed, (carried, steep) = template.packed, _kind(normal, tolerance)
    found, shift, left, gain, scale = steps_2d(
        *template.region.runs, packed.numbers, packed.steps, packed.sums, moving, *usable.runs,
        np.asarray(start, np.float64), np.ascontiguousarray(normal.inverse), max(normal.doubt, MODEL_DOUBT),
        normal.noise, template.gains.smooth, normal.least_variance, template.low_pass.width,
        template.error.table if carried else _NO_ERROR, carried, steep, tolerance, part,
        (STEP_LIMIT, SLOPES_DOUBT, SHORT_STEP, SHORTEST_STEP, MOST_STEPS),
    )  # fmt: skip
    return Steps(shift, left, gain, scale) if found else None


def plain_steps(
    template: Template,
    moving: NDArray[np.float32],
    usable: Region,
    normal: NormalMatrices,
    start: NDArray[np.float64],
    tolerance: float,
    part: float,
) -> Steps | None:
    """Return where the iteration ends, or None where the images do not determine a shift; as `refine`."""
    nearest = nearest_lag(start)
    shift = np.array(start, np.float64)
    width = template.low_pass.width
    carried, steep = _kind(normal, tolerance)
    inverse, doubt = promised = normal.inverse, max(normal.doubt, MODEL_DOUBT)
    found = None
    for _ in range(MOST_STEPS):
        # the set of pixels stays while it fits, or it would hop from step to step at half a pixel
        if np.abs(shift - nearest).max() > 1:
            nearest = nearest_lag(shift)
        sums = moments(template, moving, usable, shift, nearest, slopes=steep)
        if carried:
            sums = _carried(sums, template.error.at(shift))
        gain = _gain(template, sums, normal.noise)
        if gain is None:
            return None
        if steep:
            inverse, doubt = _of_slopes(template, sums, gain) or promised
        step = -inverse @ projected_residual(sums, gain)
        step *= min(1.0, STEP_LIMIT * width / max(float(np.abs(step).max()), 1e-30))
        shift = shift + step
        left = float(np.abs(step).max())
        # over a short way they change less than they are known
        steep = steep and left > SHORT_STEP * width
        left *= doubt + (left / width) ** 2
        scale = _shown(sums, gain, shift) / max(normal.noise, 1e-30)
        found = Steps(shift, left, gain, scale)
        if left < max(tolerance, part * np.sqrt(normal.least_variance * scale + SHORTEST_STEP**2)):
            break
    return found


def _kind(normal: NormalMatrices, tolerance: float) -> tuple[bool, bool]:
    """Whether interpolation's error is taken off, and whether slopes are summed, at first."""
    carried = tolerance < INTERPOLATION_PX
    # slopes cost half a pass, and save one where the matrices are not known as well as is asked for
    return carried, carried and normal.doubt < KNOWN and not normal.blind.size


def _carried(sums: Moments, error: NDArray[np.float64]) -> Moments:
    """Return the sums as interpolation without error would have them, to first order of the gain."""
    gain = np.sqrt(
        max(sums.rr - sums.r**2 / max(sums.n, 1), 0) / max(sums.uu - sums.u**2 / max(sums.n, 1), 1e-30)
    )
    scaled = sums.n * error / max(float(gain), 1e-30)
    return replace(sums, gu=sums.gu - scaled[:-1], hu=sums.hu - float(scaled[-1]))


def _gain(template: Template, sums: Moments, noise: float) -> float | None:
    """Return the gain a of moving into reference, the reference's own noise taken off."""
    if sums.n < 3:
        return None
    own = sums.n * noise * template.gains.smooth
    reference = sums.hr - sums.h * sums.r / sums.n - own
    moving = sums.hu - sums.h * sums.u / sums.n
    if not (reference > 0 and moving > 0):
        return None
    return float(reference / moving)


def _of_slopes(template: Template, sums: Moments, gain: float) -> tuple[NDArray[np.float64], float] | None:
    """Return the inverse Jacobian that the slopes of the interpolated image make, and its doubt."""
    slopes = jacobian_of_slopes(sums, gain)
    if slopes is None:
        return None
    uphill = np.linalg.eigvalsh(slopes + slopes.T)[0] > 0
    return (np.asarray(np.linalg.inv(slopes)), SLOPES_DOUBT / template.low_pass.width**2) if uphill else None


def as_moving_shows(
    template: Template,
    normal: NormalMatrices,
    moving: NDArray[np.float32],
    usable: Region,
    shift: NDArray[np.float64],
    near: tuple[int, ...],
    gain: float,
) -> NormalMatrices:
    """Return normal matrices with the Jacobian that the slopes of moving make at a refined shift, if any.

    What only the reference holds, as tracks of cosmic rays, is steep as well, but tells no shift. Those of
    volumes are returned as they are.
    """
    found = _of_slopes(template, moments(template, moving, usable, shift, near, slopes=True), gain)
    return normal if found is None else replace(normal, inverse=found[0])


def _shown(sums: Moments, gain: float, shift: NDArray[np.float64]) -> float:
    """Return the variance of the noise that the residual shows."""
    n = sums.n
    residual = (
        (sums.rr - sums.r**2 / n)
        - 2 * gain * (sums.ru - sums.r * sums.u / n)
        + gain**2 * (sums.uu - sums.u**2 / n)
    ) / n
    return max(residual, 0.0) / (1 + noise_kept(shift))


def _covariance(template: Template, normal: NormalMatrices, scale: float) -> NDArray[np.float64]:
    """Return the covariance of the shift, A^-1 M A^-1, with the noise that the residual shows."""
    normal, left = for_noise(template, normal, scale)
    return np.asarray(normal.variance * left + SHORTEST_STEP**2 * normal.along_known)
