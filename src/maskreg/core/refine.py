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
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskreg.core.interpolate import lagrange_slopes, lagrange_taps
from maskreg.core.refine_kernels import projected_2d, steps_2d
from maskreg.core.runs import Region
from maskreg.core.template import Template
from maskreg.geometry import nearest_lag, overlap_slices

MOST_STEPS = 20

SMALL_STEP = 0.1
"""The iteration has converged when what is left is less than this many standard deviations."""

MODEL_DOUBT = 0.1
"""The reference's slopes make the Jacobian of interpolated images to this part, which is left of a step."""

STEP_LIMIT = 0.75
"""A step is cut to this many widths of the low-pass: the gradient says nothing further away."""

DOUBT = 3.0
"""A direction whose Jacobian is within so many standard deviations of nothing is not known."""

CONTRADICTED = 1.5
"""A Jacobian contradicts what the spectrum promises if it is less by so many times its doubt."""

KNOWN = 0.3
"""Slopes of the interpolated image are believed where the Jacobian is known to this part."""

SLOPES_DOUBT = 0.01
"""They make it to this part where the low-pass is a pixel wide: what is left is interpolation's own error."""

SHORT_STEP = 0.1
"""After a step of less than this part of the low-pass's width the slopes are those of before."""

LEAST_SHOWN = 0.4
"""At least this part of the energy that the spectrum promises must be seen along each direction."""

NOISE_DOUBT = 0.1
"""The variance of the noise is known to this part."""

NOISE_STEP = 0.02
"""Matrices for noisier images are made at variances of this ratio, and kept; between them they scale."""

INTERPOLATION_PX = 3e-3
"""Interpolation adds less than this, px: it is taken off where steps are to be shorter."""

SHORTEST_STEP = 2e-5
"""Steps shorter than this, px, are not asked for: float32 images end here."""

_NO_ERROR = np.zeros((3, 1, 1))


@dataclass(frozen=True)
class Moments:
    """Sums over the common pixels, with u = interpolated moving, r = reference, G, H as above.

    Attributes
    ----------
    n, r, u, h : float
        Numbers and sums.
    rr, ru, uu, hr, hu : float
        Sums of products.
    g, gr, gu : (ndim,) ndarray
        Sums of G, G r and G u.
    s : (ndim,) ndarray, optional
        Sums of the slopes S of u: by how much it changes with the shift along each axis.
    gs : (ndim, ndim) ndarray, optional
        Sums of G_i S_j.
    """

    n: float
    r: float
    u: float
    h: float
    rr: float
    ru: float
    uu: float
    hr: float
    hu: float
    g: NDArray[np.float64]
    gr: NDArray[np.float64]
    gu: NDArray[np.float64]
    s: NDArray[np.float64] | None = None
    gs: NDArray[np.float64] | None = None


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


def moments(
    template: Template,
    moving: NDArray[np.float32],
    usable: Region,
    shift: NDArray[np.float64],
    near: tuple[int, ...],
    *,
    slopes: bool = False,
) -> Moments:
    """Return the sums of one pass at a sub-pixel shift.

    `near` is a whole-pixel shift at most 1 px away, at which the usable pixels of moving are taken. The
    `slopes` are summed where they are asked for, but never those of volumes.
    """
    if moving.ndim == 3:
        return _moments_of_volume(template, moving, usable, shift, near)
    if moving.ndim != 2:
        return plain_moments(template, moving, usable, shift, near, slopes=slopes)
    from maskreg.core.refine_kernels import moments_2d

    packed = template.packed
    out, slope = moments_2d(
        *template.region.runs, packed.numbers, packed.steps, packed.sums, moving, *usable.runs,
        np.asarray(shift, np.float64), near, slopes,
    )  # fmt: skip
    n, r, u, h, rr, ru, uu, hr, hu = out[:9].tolist()
    s, gs = (slope[:2], slope[2:].reshape(2, 2)) if slopes else (None, None)
    return Moments(n, r, u, h, rr, ru, uu, hr, hu, g=out[9:11], gr=out[11:13], gu=out[13:15], s=s, gs=gs)


def projected(
    template: Template,
    moving: NDArray[np.float32],
    usable: Region,
    shift: NDArray[np.float64],
    near: tuple[int, ...],
    gain: float,
) -> float:
    """Return the sum of the first component of G times the residual, offset solved for, of two axes.

    At a sub-pixel shift, as `moments`; it takes a third of such a pass. NaN without common pixels.
    """
    packed = template.packed
    fields = packed.numbers, packed.steps, packed.sums
    return float(projected_2d(*template.region.runs, *fields, moving, *usable.runs, shift, near, gain))


def plain_projected(
    template: Template,
    moving: NDArray[np.float32],
    usable: Region,
    shift: NDArray[np.float64],
    near: tuple[int, ...],
    gain: float,
) -> float:
    """Return what `projected` does, by slices."""
    return float(projected_residual(plain_moments(template, moving, usable, shift, near), gain)[0])


def _moments_of_volume(
    template: Template,
    moving: NDArray[np.float32],
    usable: Region,
    shift: NDArray[np.float64],
    near: tuple[int, ...],
) -> Moments:
    from maskreg.core.volume_kernels import moments_3d

    taps = [lagrange_taps(-float(s)) for s in shift]
    out, across = moments_3d(
        template.pixels, template.mask, template.gradient, template.smooth, moving, usable.mask,
        near, tuple(first for first, _ in taps), np.array([w for _, w in taps], np.float32),
    )  # fmt: skip
    n, r, u, h, rr, ru, uu, hr, hu = (float(v) for v in out[:9])
    g, gr, gu = (np.array([across[k], *out[9 + 2 * k : 11 + 2 * k]]) for k in range(3))
    return Moments(n, r, u, h, rr, ru, uu, hr, hu, g=g, gr=gr, gu=gu)


def plain_moments(
    template: Template,
    moving: NDArray[np.float32],
    usable: Region,
    shift: NDArray[np.float64],
    near: tuple[int, ...],
    *,
    slopes: bool = False,
) -> Moments:
    """Return what `moments` does, by slices, for any number of axes."""
    shape = template.mask.shape
    common = template.mask & shifted_mask(usable.mask, near, shape)
    u = _moved(moving, shift, shape, None)
    w = common & where_taps_are_inside(shift, shape, moving.shape)
    steep = (
        np.stack([_moved(moving, shift, shape, axis)[w] for axis in range(moving.ndim)]) if slopes else None
    )
    r, h, u = template.pixels[w].astype(np.float64), template.smooth[w].astype(np.float64), u[w]
    g = template.gradient[:, w].astype(np.float64)
    return Moments(
        n=float(r.size),
        r=float(r.sum()),
        u=float(u.sum()),
        h=float(h.sum()),
        # not by BLAS: the last bits of its products depend on the number of its threads
        rr=float((r * r).sum()),
        ru=float((r * u).sum()),
        uu=float((u * u).sum()),
        hr=float((h * r).sum()),
        hu=float((h * u).sum()),
        g=g.sum(axis=1),
        gr=(g * r).sum(axis=1),
        gu=(g * u).sum(axis=1),
        s=None if steep is None else steep.sum(axis=1),
        gs=None if steep is None else np.array([[(one * other).sum() for other in steep] for one in g]),
    )


def where_taps_are_inside(
    shift: NDArray[np.float64], shape: tuple[int, ...], moving_shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Return at which pixels of a grid of `shape` all that interpolates moving(x - shift) is inside of it."""
    inside = np.ones(shape, bool)
    for axis, s in enumerate(shift):
        first, weights = lagrange_taps(-float(s))
        index = np.arange(shape[axis])
        ok = (index + first >= 0) & (index + first + len(weights) <= moving_shape[axis])
        inside &= ok.reshape([-1 if k == axis else 1 for k in range(len(shape))])
    return inside


def _moved(
    moving: NDArray[np.float32], shift: NDArray[np.float64], shape: tuple[int, ...], along: int | None
) -> NDArray[np.float64]:
    """Return moving(x - shift) on a grid of `shape`, zero beyond the border; or its slope along an axis."""
    out = moving.astype(np.float64)
    for axis, s in enumerate(shift):
        first, weights = lagrange_taps(-float(s))
        # the place falls as the shift grows
        weights = -lagrange_slopes(-float(s)) if axis == along else weights
        out = _interpolated(out, axis, first, weights, shape[axis])
    return out


def _interpolated(
    values: NDArray[np.float64], axis: int, first: int, weights: NDArray[np.float64], length: int
) -> NDArray[np.float64]:
    """Return values at index + place along one axis, zero beyond the border."""
    moved = np.moveaxis(values, axis, 0)
    out = np.zeros((length, *moved.shape[1:]))
    for k, weight in enumerate(weights):
        offset = first + k
        start, stop = max(0, -offset), min(length, moved.shape[0] - offset)
        if start < stop:
            out[start:stop] += weight * moved[start + offset : stop + offset]
    return np.moveaxis(out, 0, axis)


def shifted_mask(mask: NDArray[np.bool_], lag: tuple[int, ...], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return mask(x - lag) on a grid of `shape`, False beyond the border."""
    here, there = overlap_slices(shape, mask.shape, lag)
    out = np.zeros(shape, bool)
    out[here] = mask[there]
    return out


@dataclass(frozen=True)
class NormalMatrices:
    """Sums over the common pixels that change little from step to step.

    Attributes
    ----------
    jacobian : (ndim, ndim) ndarray
        Of the equation: sum of G times the gradient of the noise-free reference.
    projected : (ndim, ndim) ndarray
        Variance of the sum of G times the residual, for noise of the template's variance in both
        images.
    noise : float
        Mean of the template's noise variance.
    inverse : (ndim, ndim) ndarray
        Of the Jacobian; nothing along blind directions.
    known, blind : (ndim, ...) ndarray
        Orthonormal directions along which the images tell the shift, at least one, and along which
        they do not: parallel lines are blind along themselves.
    doubt : float
        The part to which the Jacobian is known along the known directions.
    sums : NormalSums
        Of which they are made.
    noisier : dict
        These matrices where the noise has more variance, by the number of `NOISE_STEPS`; what was asked for.
    """

    jacobian: NDArray[np.float64]
    projected: NDArray[np.float64]
    noise: float
    inverse: NDArray[np.float64]
    known: NDArray[np.float64]
    blind: NDArray[np.float64]
    doubt: float
    sums: NormalSums
    noisier: dict[int, NormalMatrices | None] = field(default_factory=dict, repr=False)

    @cached_property
    def variance(self) -> NDArray[np.float64]:
        """Covariance of the shift for noise of the template's variance."""
        # the Jacobian that made the error is not quite this one
        doubted = 1 + (self.doubt / DOUBT) ** 2
        return np.asarray(self.inverse @ self.projected @ self.inverse.T * doubted)

    @cached_property
    def along_known(self) -> NDArray[np.float64]:
        """What leaves of a shift the part along the known directions."""
        return np.asarray(self.known @ self.known.T)

    @cached_property
    def least_variance(self) -> float:
        """The least of that along any direction that is known."""
        return max(0.0, float(np.linalg.eigvalsh(self.known.T @ self.variance @ self.known)[0]))


@dataclass(frozen=True)
class NormalSums:
    """Sums over the common pixels, with G, the slope D of the unfiltered reference and its noise v.

    Attributes
    ----------
    n, v, vv : float
        Number of pixels, sums of v and v squared.
    g, d, vg : (ndim,) ndarray
        Sums of G, D and v G.
    gd, vgg : (ndim, ndim) ndarray
        Sums of G_i D_j and v G_i G_j.
    """

    n: float
    v: float
    vv: float
    g: NDArray[np.float64]
    d: NDArray[np.float64]
    gd: NDArray[np.float64]
    vgg: NDArray[np.float64]
    vg: NDArray[np.float64]

    def noisier(self, scale: float) -> NormalSums:
        """Return the sums where the noise has `scale` times the variance."""
        return replace(
            self, v=scale * self.v, vv=scale**2 * self.vv, vgg=scale * self.vgg, vg=scale * self.vg
        )


def normal_sums(template: Template, usable: NDArray[np.bool_], lag: tuple[int, ...]) -> NormalSums:
    """Return the sums at a whole-pixel lag."""
    if usable.ndim == 3:
        from maskreg.core.volume_kernels import normal_sums_3d

        (n, v, vv), firsts, vg, gd, vgg = normal_sums_3d(
            template.mask, usable, template.noise, template.gradient, template.slope, lag
        )
        return NormalSums(float(n), float(v), float(vv), firsts[:3], firsts[3:], gd, vgg, vg)
    if usable.ndim != 2:
        return plain_normal_sums(template, usable, lag)
    from maskreg.core.kernels import normal_sums_2d

    s = normal_sums_2d(
        template.mask, usable, template.noise, template.gradient, template.slope, lag[0], lag[1]
    )
    n, v, vv = (float(x) for x in s[:3])
    return NormalSums(n, v, vv, s[3:5], s[5:7], s[7:11].reshape(2, 2), s[11:15].reshape(2, 2), s[15:17])


def plain_normal_sums(template: Template, usable: NDArray[np.bool_], lag: tuple[int, ...]) -> NormalSums:
    """Return what `normal_sums` does, by slices, for any number of axes."""
    w = template.mask & shifted_mask(usable, lag, template.mask.shape)
    v = template.noise[w].astype(np.float64)
    g, d = template.gradient[:, w].astype(np.float64), template.slope[:, w].astype(np.float64)
    gd, vgg = (
        np.array([[(one * other).sum() for other in right] for one in left])
        for left, right in ((g, d), (g * v, g))
    )
    return NormalSums(
        float(v.size),
        float(v.sum()),
        float((v * v).sum()),
        g.sum(axis=1),
        d.sum(axis=1),
        gd,
        vgg,
        (g * v).sum(axis=1),
    )


def normal_matrices(
    template: Template, usable: NDArray[np.bool_], lag: tuple[int, ...]
) -> NormalMatrices | None:
    """Return the matrices, the reference's own noise taken off; None where that hides all directions.

    The signal in G meets the noise of both images, the noise in G only that of moving: its product
    with the reference's own vanishes, the kernel being odd.
    """
    return _matrices(template, normal_sums(template, usable, lag))


def _matrices(template: Template, sums: NormalSums) -> NormalMatrices | None:
    if sums.n < 3:
        return None
    gains = template.gains
    mean = sums.g / sums.n
    raw = sums.gd - np.outer(mean, sums.d)
    jacobian = raw - sums.v * template.own_slope
    slopes, directions = np.linalg.eigh((jacobian + jacobian.T) / 2)
    energy, own = _energy(sums), sums.vv * template.own_energy
    # how far each sum itself is known: noise meets noise, and the slopes of noise meet what G there is
    meeting = np.diagonal(directions.T @ energy @ directions) / template.low_pass.width**2
    doubt = DOUBT * np.sqrt(sums.vv * gains.slope_spread**2 + np.maximum(meeting, 0))
    doubt += NOISE_DOUBT * sums.v * gains.slope + 1e-9 * float(np.abs(np.trace(raw)))
    seen = slopes > doubt
    shown = np.diagonal(directions.T @ (energy - own) @ directions)
    supposed = ~seen & _as_promised(template, sums, slopes, doubt, shown)
    if not (seen | supposed).any():
        return None
    values, vectors = np.linalg.eigh(energy - own)
    signal = (vectors * np.maximum(values, 0)) @ vectors.T
    for slope, u in zip(slopes[supposed], directions.T[supposed], strict=True):
        jacobian = jacobian + np.outer(u, u) * (sums.v * template.promised.jacobian - slope)
        lacking = sums.vv * template.promised.energy - float(u @ signal @ u)
        signal = signal + np.outer(u, u) * max(lacking, 0.0)
    inverse, known, blind = _inverted(jacobian, int(np.count_nonzero(seen | supposed)))
    part = 1.0 if supposed.any() else float((doubt[seen] / slopes[seen]).max())
    return NormalMatrices(jacobian, 2 * signal + own, sums.v / sums.n, inverse, known, blind, part, sums)


def _as_promised(
    template: Template,
    sums: NormalSums,
    slopes: NDArray[np.float64],
    doubt: NDArray[np.float64],
    shown: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return along which directions in doubt the Jacobian may be taken for what the spectrum promises.

    That is an average over all directions and so better known. But it must not be contradicted, and the
    low-passed gradient must show as much along each of them, which parallel lines do not along
    themselves; its energy is known far better than the Jacobian.
    """
    jacobian = sums.v * template.promised.jacobian
    known = (jacobian > doubt / np.sqrt(len(doubt))) & (jacobian < slopes + CONTRADICTED * doubt)
    return np.asarray(known & (shown > _enough(template, sums)))


def _enough(template: Template, sums: NormalSums) -> float:
    """Return the energy of the low-passed gradient that is neither chance nor less than promised."""
    by_chance = DOUBT * sums.vv / float(np.sqrt(sums.n)) * template.gains.gradient_spread
    return max(by_chance, LEAST_SHOWN * sums.vv * template.promised.energy)


def shows_all_directions(template: Template, usable: NDArray[np.bool_], lag: tuple[int, ...]) -> bool:
    """Return whether the low-passed gradient has the energy that the spectrum promises along all directions.

    Parallel lines show none along themselves. Told from noise long before the Jacobian is.
    """
    sums = normal_sums(template, usable, lag)
    if sums.n < 3:
        return False
    energies = np.linalg.eigvalsh(_energy(sums) - sums.vv * template.own_energy)
    return bool(energies[0] > _enough(template, sums))


def _energy(sums: NormalSums) -> NDArray[np.float64]:
    """Return the sums of v times products of the components of G, the mean of G taken off."""
    mean = sums.g / sums.n
    crossed = np.outer(mean, sums.vg)
    return np.asarray(sums.vgg - crossed - crossed.T + sums.v * np.outer(mean, mean))


def _inverted(
    jacobian: NDArray[np.float64], rank: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the inverse of this rank, and the directions that it keeps and drops.

    Those are singular vectors to the right: what the slopes of the reference say. The ones to the left
    also see what filling made of G along the edge.
    """
    left, values, right = np.linalg.svd(jacobian)
    inverse = (right[:rank].T / values[:rank]) @ left[:, :rank].T
    return inverse, right[:rank].T, right[rank:].T


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


def projected_residual(sums: Moments, gain: float) -> NDArray[np.float64]:
    """Return the sums of G times the residual, offset solved for."""
    reference = sums.gr - sums.g * (sums.r / sums.n)
    moving = sums.gu - sums.g * (sums.u / sums.n)
    return np.asarray(reference - gain * moving)


def _of_slopes(template: Template, sums: Moments, gain: float) -> tuple[NDArray[np.float64], float] | None:
    """Return the inverse Jacobian that the slopes of the interpolated image make, and its doubt.

    They are those of this very image: no noise of the reference meets itself in them.
    """
    if sums.s is None or sums.gs is None:
        return None
    slopes = -gain * (sums.gs - np.outer(sums.g, sums.s) / sums.n)
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
    # interpolation between pixels averages the noise of moving
    kept = float(np.prod([np.sum(lagrange_taps(-float(s))[1] ** 2) for s in shift]))
    return max(residual, 0.0) / (1 + kept)


def _covariance(template: Template, normal: NormalMatrices, scale: float) -> NDArray[np.float64]:
    """Return the covariance of the shift, A^-1 M A^-1, with the noise that the residual shows."""
    if scale > 1 + NOISE_DOUBT:
        # a detector whose gain nobody told: more of what looks like structure is noise as well
        steps = round(float(np.log(scale)) / NOISE_STEP)
        supposed = float(np.exp(NOISE_STEP * steps))
        if steps not in normal.noisier:
            normal.noisier[steps] = _matrices(template, normal.sums.noisier(supposed))
        found = normal.noisier[steps]
        if found is not None and found.blind.shape == normal.blind.shape:
            normal, scale = found, scale / supposed
    return np.asarray(normal.variance * scale + SHORTEST_STEP**2 * normal.along_known)
