"""What the template says of a refined shift: the Jacobian of its equation, and the noise there.

Both are sums over the common pixels that change little from step to step and from frame to frame, so that
they are made at a few lags only, and kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from maskreg.core.frequencies.spectrum import NOISE_DOUBT
from maskreg.core.image.kernels import normal_sums_2d
from maskreg.core.image.shifted import shifted_mask
from maskreg.core.subpixel.template import Template

DOUBT = 3.0
"""A direction whose Jacobian is within so many standard deviations of nothing is not known."""

CONTRADICTED = 1.5
"""A Jacobian contradicts what the spectrum promises if it is less by so many times its doubt."""

LEAST_SHOWN = 0.4
"""At least this part of the energy that the spectrum promises must be seen along each direction."""

NOISE_STEP = 0.02
"""Matrices for noisier images are made at variances of this ratio, and kept; between them they scale."""


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
    noisier : dict of int to (NormalMatrices or None)
        These matrices where the noise has more variance, by so many times `NOISE_STEP`; what was asked for.
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
    def principal(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Orthonormal directions, as columns, and the Jacobian along each of them alone."""
        values, directions = np.linalg.eigh((self.jacobian + self.jacobian.T) / 2)
        return directions, values

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
        from maskreg.core.image.volume_kernels import normal_sums_3d

        (n, v, vv), firsts, vg, gd, vgg = normal_sums_3d(
            template.mask, usable, template.noise, template.gradient, template.slope, lag
        )
        return NormalSums(float(n), float(v), float(vv), firsts[:3], firsts[3:], gd, vgg, vg)
    if usable.ndim != 2:
        return plain_normal_sums(template, usable, lag)
    s = normal_sums_2d(template.mask, usable, template.noise, template.gradient, template.slope, *lag)
    n, v, vv = s[:3].tolist()
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


def for_noise(template: Template, normal: NormalMatrices, scale: float) -> tuple[NormalMatrices, float]:
    """Return the matrices of images whose noise has `scale` times the variance, and what they lack of that.

    As of a detector whose gain nobody told: more of what looks like structure is noise as well. Noise that is
    known to `NOISE_DOUBT`, and matrices that lose a direction, stay as they are.
    """
    if not scale > 1 + NOISE_DOUBT:
        return normal, scale
    steps = round(float(np.log(scale)) / NOISE_STEP)
    supposed = float(np.exp(NOISE_STEP * steps))
    if steps not in normal.noisier:
        normal.noisier[steps] = _matrices(template, normal.sums.noisier(supposed))
    found = normal.noisier[steps]
    if found is None or found.blind.shape != normal.blind.shape:
        return normal, scale
    return found, scale / supposed
