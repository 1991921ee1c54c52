"""Refine a shift against a nearly known reference: the mean of many aligned frames.

The two frames of a pair are equally noisy, and their noise is made the same everywhere first
(`stabilise`), which below about one electron a pixel loses information. Against a mean of many
frames that is not needed: the variance of each pixel, v = mu + read_noise^2, can be told from the
mean. So grey values stay linear, and the shift s, intensity a and offset b of a frame M solve

    sum over x of Z(x) [R(x) - a M(x - s) - b] = 0,     Z = P (K G, H, 1),     P = 1 / (v (1 + 1/n)).

R is the mean without the frame's own part, n the number of frames it is made of at x, G the
gradient and H the value of the low-passed mean, K what `wiener` leaves of the gradient. Without
noise in the mean, P G is the score of the likelihood. All of these stay on the reference frame's
grid; only M is interpolated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from threading import RLock

import numpy as np
from numpy.typing import NDArray

from maskreg.core.aligned.known_fields import Fields, Mean, Normal
from maskreg.core.frequencies.low_pass import gaussian_low_pass
from maskreg.core.frequencies.spectrum import LINEAR
from maskreg.core.frequencies.wiener import BAND
from maskreg.core.image.fill import filled
from maskreg.core.image.interpolate import noise_kept
from maskreg.core.image.shifted import shifted_mask
from maskreg.core.machine.made import Made
from maskreg.core.subpixel.coarse_lag import MOST_KEPT, coarse_lag
from maskreg.core.subpixel.refine import SHORTEST_STEP, STEP_LIMIT
from maskreg.geometry import nearest_lag

LEAST_PART = 0.1
"""A pixel of the mean is used where at least this part of the frames, and two of them, have seen it."""

LEAST_LEFT = 0.4
"""Without a frame's own part, so much of that must be left."""

MOST_STEPS = 15
"""Of the iteration: more than it needs where it converges at all."""

SMALL_STEP = 0.03
"""The iteration has converged when a step is shorter than this many standard deviations."""

FURTHEST_PX = 2.0
"""A shift that goes further than this from its start, and than three widths, has gone astray."""

Moved = tuple[NDArray[np.float32], NDArray[np.bool_]]
"""A frame on the reference's grid, and where it may be used."""


@dataclass(frozen=True)
class KnownSums:
    """Sums over the common pixels; u = interpolated frame, r = mean without it, p, h, z as in Z.

    Attributes
    ----------
    n, p, pr, pu, prr, pru, puu, h, hr, hu : float
        Number, and sums of products.
    z, zr, zu : (2,) ndarray
        Sums of P K G, P K G r and P K G u.
    """

    n: float
    p: float
    pr: float
    pu: float
    prr: float
    pru: float
    puu: float
    h: float
    hr: float
    hu: float
    z: NDArray[np.float64]
    zr: NDArray[np.float64]
    zu: NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """What a frame is, against a nearly known reference.

    Attributes
    ----------
    shift : (2,) ndarray
        Px.
    covariance : (2, 2) ndarray
        Px², the noise of frame and mean in it.
    gain : float
        By what the frame is multiplied to be as bright as the mean.
    """

    shift: NDArray[np.float64]
    covariance: NDArray[np.float64]
    gain: float


class KnownReference:
    """The mean of aligned frames, ready to register a frame against it. Thread-safe.

    Parameters
    ----------
    halves : (2, rows, cols) ndarray
        Mean of the frames of either half, on the reference's grid.
    weights : (2, rows, cols) ndarray
        How many frames, in units of the reference's exposure, each of its pixels is made of.
    frames : int
        How many frames there are altogether.
    mask : (rows, cols) ndarray of bool
        Static mask of the frames, True = valid.
    counts : bool
        Whether the values are electrons; otherwise they are equally noisy everywhere.
    read_noise : float
        Electrons.
    width : float, optional
        Of a Gaussian low-pass, px; the mean's own spectrum tells the best one unless given.
    """

    def __init__(
        self,
        halves: NDArray[np.floating],
        weights: NDArray[np.floating],
        frames: int,
        mask: NDArray[np.bool_],
        *,
        counts: bool,
        read_noise: float = 0.0,
        width: float | None = None,
    ) -> None:
        self._safe = mask
        self._lock = RLock()
        self._normals: Made[tuple[int, ...], Normal | None] = Made(MOST_KEPT)
        total = weights.sum(axis=0)
        self._least = max(LEAST_PART, 2 / frames) * float(total.max())
        covered = (weights > 0).all(axis=0) & (total >= 0.999 * self._least)
        self._width = width
        self._anywhere = bool(covered.any())
        if self._anywhere:
            self.mean = _mean(halves, weights, covered, counts, read_noise)

    @property
    def fields(self) -> Fields | None:
        """The instruments, made when they are first needed; None where the mean is known nowhere."""
        with self._lock:
            return self._made_fields

    @cached_property
    def _made_fields(self) -> Fields | None:
        if not self._anywhere:
            return None
        fields = _fields(self.mean, self._width)
        self.mean.forget()
        fields.soften()
        return fields

    def forget(self) -> None:
        """Let go of the fields, which are made again when they are needed, with the same bits."""
        with self._lock:
            self.__dict__.pop("_made_fields", None)

    def refine(
        self,
        moved: Callable[[NDArray[np.float64]], Moved],
        start: NDArray[np.float64],
        own: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
    ) -> Known | None:
        """Return what a frame is near `start`, or None where the images do not tell.

        Parameters
        ----------
        moved : callable
            Returns the frame interpolated at a shift, and where it may be used.
        start : (2,) ndarray
            Shift, px, within about a width of the low-pass of the answer.
        own : tuple of two (rows, cols) ndarrays of float32, optional
            The frame as it is in the mean, and its weight there.
        """
        if self.fields is None:
            return None
        furthest = max(FURTHEST_PX, 3 * self.fields.width)
        shift = np.array(start, np.float64)
        for _ in range(MOST_STEPS):
            sums, normal = self.sums(own, *moved(shift)), self._normal(nearest_lag(shift))
            gain = None if normal is None else _gain(sums, normal, inside=own is not None)
            if normal is None or gain is None:
                return None
            covariance = _covariance(normal, sums, gain, shift)
            left = _projected_residual(sums, gain)
            if own is not None:
                # its part in the gradient pulls it back to where that part is
                left -= normal.lock @ (shift - start)
            step = -np.linalg.solve(normal.jacobian, left)
            limit = STEP_LIMIT * max(self.fields.width, 1.0)
            step *= min(1.0, limit / max(float(np.abs(step).max()), 1e-30))
            shift = shift + step
            if not np.abs(shift - start).max() <= furthest:
                return None
            if (np.abs(step) < SMALL_STEP * np.sqrt(np.diagonal(covariance)) + SHORTEST_STEP).all():
                return Known(shift, covariance, gain)
        return None

    def sums(
        self,
        own: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
        moved: NDArray[np.float32],
        valid: NDArray[np.bool_],
    ) -> KnownSums:
        """Return the sums of one pass."""
        from maskreg.core.aligned.known_kernels import known_sums_2d

        assert self.fields is not None
        mean, level = self.mean, np.float32(self.mean.level)
        image, part = (moved, np.zeros_like(mean.pixels)) if own is None else own
        out = known_sums_2d(
            mean.pixels, mean.weight, np.float32(LEAST_LEFT * self._least), self.fields.instruments,
            image - level, part, moved - level, valid,
        )  # fmt: skip
        n, p, pr, pu, prr, pru, puu, h, hr, hu = (float(v) for v in out[:10])
        return KnownSums(n, p, pr, pu, prr, pru, puu, h, hr, hu, z=out[10:12], zr=out[12:14], zu=out[14:16])

    def _normal(self, lag: tuple[int, ...]) -> Normal | None:
        """Return the normal sums at the nearest lag of a coarse grid."""
        fields, shape = self.fields, self._safe.shape
        assert fields is not None
        near = coarse_lag(lag, shape)
        return self._normals.get(
            near, lambda: fields.normal(self.mean.covered & shifted_mask(self._safe, near, shape))
        )


def _fields(mean: Mean, width: float | None) -> Fields:
    """Return the fields of the best low-pass that is steady; of the widest if none is."""
    if width is not None:
        return Fields(mean, gaussian_low_pass(width))
    for low_pass in mean.low_passes():
        fields = Fields(mean, low_pass)
        if LINEAR * np.sqrt(fields.forecast(mean.covered) / 2) < max(fields.width, 1.0):
            break
    return fields


def plain_known_sums(
    pixels: NDArray[np.float32],
    weight: NDArray[np.float32],
    least: float,
    instruments: NDArray[np.float32],
    own: NDArray[np.float32],
    part: NDArray[np.float32],
    moved: NDArray[np.float32],
    valid: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return what `aligned.known_kernels.known_sums_2d` does, by arrays."""
    left = weight - part
    w = (weight > 0) & valid & (left >= least)
    r = (pixels + (pixels - own) * part / np.where(w, left, 1))[w].astype(np.float64)
    u = moved[w].astype(np.float64)
    p, h, y, x = instruments[:, w].astype(np.float64)
    terms = (np.ones_like(p), p, p * r, p * u, p * r * r, p * r * u, p * u * u, h, h * r, h * u)
    return np.array([t.sum() for t in (*terms, y, x, y * r, x * r, y * u, x * u)])


def _mean(
    halves: NDArray[np.floating],
    weights: NDArray[np.floating],
    covered: NDArray[np.bool_],
    counts: bool,
    read_noise: float,
) -> Mean:
    mean, twin, weight = (np.zeros(covered.shape, np.float32) for _ in range(3))
    level, number = 0.0, 0
    for i in range(0, len(covered), BAND):  # the double precision of few rows at a time
        band = slice(i, i + BAND)
        here, w, of = covered[band], weights[:, band], halves[:, band].astype(np.float64)
        total = np.where(here, w.sum(axis=0, dtype=np.float64), 1)
        joined = (of * w).sum(axis=0) / total
        level += float(joined[here].sum())
        number += int(np.count_nonzero(here))
        mean[band] = joined
        twin[band][here] = ((of[0] - of[1]) * np.sqrt(w[0].astype(np.float64) * w[1]) / total)[here]
        weight[band][here] = total[here]
    level /= number
    mean -= np.float32(level)
    mean[~covered] = 0
    return Mean(filled(mean, covered), filled(twin, covered), level, weight, counts, read_noise)


def _gain(sums: KnownSums, normal: Normal, *, inside: bool) -> float | None:
    """Return the gain a of the frame into the mean; None where they do not agree in sign.

    The mean's own noise is in the instrument H and adds to its product with the mean. If the frame
    is in the mean, the product with the frame has as much of it, and the ratio is right as it is.
    """
    if sums.n < 3 or not sums.p > 0:
        return None
    reference = sums.hr - sums.h * sums.pr / sums.p - (0.0 if inside else normal.own)
    moving = sums.hu - sums.h * sums.pu / sums.p
    if not (reference > 0 and moving > 0):
        return None
    return reference / moving


def _offset(sums: KnownSums, gain: float) -> float:
    return (sums.pr - gain * sums.pu) / sums.p


def _projected_residual(sums: KnownSums, gain: float) -> NDArray[np.float64]:
    """Return the sums of P K G times the residual."""
    return np.asarray(sums.zr - gain * sums.zu - _offset(sums, gain) * sums.z)


def _covariance(
    normal: Normal, sums: KnownSums, gain: float, shift: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return A^-1 B A^-T, A being the Jacobian and B the noise that the residual shows."""
    offset = _offset(sums, gain)
    residual = sums.prr - 2 * gain * sums.pru + gain**2 * sums.puu - offset**2 * sums.p
    shown = max(residual, 0.0) / (normal.residual * gain * noise_kept(shift) + normal.residual_of_mean)
    inverse = np.linalg.inv(normal.jacobian)
    covariance = shown * inverse @ (gain * normal.of_frame + normal.of_mean) @ inverse.T
    return np.asarray(covariance + SHORTEST_STEP**2 * np.eye(2))
