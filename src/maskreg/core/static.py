"""What stays with the detector while the pattern moves: flat-field pattern or scattered light.

A frame i at detector pixel x shows f(x) m(x + s_i) + h(x): the sample m moves with the shift s_i,
the flat-field f and the background h do not. In turns m is the mean in the sample's coordinates,
and f or h the mean residual in the detector's. The residuals of one half of the frames are taken
about the mean of the other half, so that the two results have no noise in common: their covariance
is the strength of what really stays, and says how far it is to be believed.

What is so wide that it hardly changes over the drift cannot be told from the sample, and is left
where it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.aligned import AlignedFrames, seen

LEAST_DRIFT_PX = 2.0
"""Root mean square distance of the shifts from their mean; below it nothing can be told apart."""

FEWEST_FRAMES = 6

FEWEST_PIXELS = 400

SCALES_PX = (0.0, 0.7, 1.4, 2.8)
"""Widths over which the residuals are smoothed, sigma in px; the best one is taken."""

SURE = 6.0
"""The covariance of the two halves must stand out by so many of its standard deviations."""

LIKELY = 2.0
"""Once it is sure that there is something, more of it need only be likely."""

ROUNDS = 8

LEAST_LEVEL = 0.05
"""No pixel is taken to be less bright than this part of the mean when its noise is told."""

LOCAL_PX = 4.0
"""A frame shows static structure about its local mean, sigma in px."""

SHOWS = 8.0
"""What is static is in a frame if it stands out by so many standard deviations."""


@dataclass(frozen=True)
class Static:
    """What stays with the detector: a factor, or something added.

    Attributes
    ----------
    factor, added : (rows, cols) ndarray of float32
        A frame is corrected by ``(frame - added) / factor``; 1 and 0 where nothing is known.
    strength : float
        Root mean square of the part that was found: of the factor, or of what is added (in the
        grey values of the frames).
    """

    factor: NDArray[np.float32]
    added: NDArray[np.float32]
    strength: float

    @property
    def multiplies(self) -> bool:
        """Whether it is a factor."""
        return not self.added.any()

    def corrected(self, frame: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a frame without it."""
        return np.asarray((frame - self.added) / self.factor)

    @staticmethod
    def is_sure(spreads: float) -> bool:
        """Return whether what `shows_in` returned is beyond chance."""
        return spreads > SHOWS

    def shows_in(self, frame: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
        """Return by how many standard deviations a frame's detail follows what is static."""
        image, local = _about_local(frame, mask)
        wanted = self.factor - 1 if self.multiplies else self.added
        pattern, _ = _about_local(wanted, mask)
        if self.multiplies:
            pattern = pattern * local
        x, y = pattern[mask].astype(np.float64), image[mask].astype(np.float64)
        norm = float(np.sqrt((x @ x) * (y @ y)))
        return float(x @ y) / norm * float(np.sqrt(x.size)) if norm > 0 else 0.0


def find_static(aligned: AlignedFrames) -> Static | None:
    """Return what stays while the frames drift, or None where nothing sure can be told.

    Parameters
    ----------
    aligned : AlignedFrames
        Grey values that are zero where there is no light, if a factor is to be found.
    """
    spread = aligned.shifts - aligned.shifts.mean(axis=0) if len(aligned) else aligned.shifts
    if len(aligned) < FEWEST_FRAMES or np.sqrt((spread**2).sum(axis=1).mean()) < LEAST_DRIFT_PX:
        return None
    aligned, _ = aligned.evened()
    shape = aligned.mask.shape
    nothing = Static(np.ones(shape, np.float32), np.zeros(shape, np.float32), 0.0)
    begun = [_step(aligned, nothing, multiplies=kind, sure=SURE) for kind in (True, False)]
    sure = [one for one in begun if one is not None]
    if not sure:
        return None
    _, static = max(sure, key=lambda one: one[0])
    # the mean has some of it too, the more the shorter the drift: turn by turn it is told apart
    for _ in range(ROUNDS):
        step = _step(aligned, static, multiplies=static.multiplies, sure=LIKELY)
        if step is None:
            break
        static = step[1]
    return static


def _step(
    aligned: AlignedFrames, static: Static, *, multiplies: bool, sure: float
) -> tuple[float, Static] | None:
    corrected = np.stack([static.corrected(frame) for frame in aligned.frames])
    even = np.arange(len(aligned)) % 2 == 0
    (one, weight), (other, more) = (
        _residual(aligned, corrected, half, multiplies=multiplies) for half in (even, ~even)
    )
    valid = aligned.mask & (weight > 0) & (more > 0)
    if np.count_nonzero(valid) < FEWEST_PIXELS:
        return None
    weight, more = np.where(valid, weight, 0), np.where(valid, more, 0)
    tried = [_at_scale(one, weight, other, more, valid, scale, sure) for scale in SCALES_PX]
    explained, strength, believed = max(tried, key=lambda found: found[0])
    if not strength > 0:
        return None
    if multiplies:
        factor = 1 + believed
        return explained, Static(factor, static.added, _spread(factor[aligned.mask]))
    return explained, Static(static.factor, believed, _spread(believed[aligned.mask]))


def _at_scale(
    one: NDArray[np.float32],
    weight: NDArray[np.float32],
    other: NDArray[np.float32],
    more: NDArray[np.float32],
    valid: NDArray[np.bool_],
    scale: float,
    sure: float,
) -> tuple[float, float, NDArray[np.float32]]:
    """Return how much of one half the other explains, the strength of that, and what is believed.

    Both halves are smoothed by `scale`: what is static may be of one pixel or of many. Strength 0
    where it is not sure.
    """
    (a, u), (b, v) = (_smoothed(field, w, scale) for field, w in ((one, weight), (other, more)))
    w = np.sqrt(u[valid].astype(np.float64) * v[valid])
    x, y = a[valid].astype(np.float64), b[valid].astype(np.float64)
    x -= np.average(x, weights=w)
    y -= np.average(y, weights=w)
    products = w * x * y
    covariance = float(products.sum() / w.sum())
    # smoothed pixels are not independent
    scatter = float(np.sqrt((products**2).sum() * (1 + 4 * np.pi * scale**2)))
    if not products.sum() > sure * scatter:
        return 0.0, 0.0, np.zeros(a.shape, np.float32)
    mean = (x + y) / 2
    noise = max(float(np.average(mean**2, weights=w)) - covariance, 0.0)
    expected = 1 / w
    noise_at = expected * (noise / float(np.average(expected, weights=w)))
    believed = np.zeros(a.shape, np.float32)
    believed[valid] = mean * covariance / (covariance + noise_at)
    # what one half says of the other, unsmoothed: smoothing may gain nothing by itself
    raw = other[valid].astype(np.float64)
    raw -= np.average(raw, weights=more[valid])
    said = float((more[valid] * raw * x).sum())
    return said**2 / max(float((more[valid] * x * x).sum()), 1e-30), float(np.sqrt(covariance)), believed


def _spread(values: NDArray[np.float32]) -> float:
    return float(values.std(dtype=np.float64))


def _smoothed(
    field: NDArray[np.float32], weight: NDArray[np.float32], scale: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the weighted mean around each pixel, and its weight."""
    if scale == 0:
        return field, weight
    total = scipy.ndimage.gaussian_filter(weight, scale, mode="constant")
    mean = scipy.ndimage.gaussian_filter(weight * field, scale, mode="constant") / np.maximum(total, 1e-30)
    return mean.astype(np.float32), total.astype(np.float32)


def _residual(
    aligned: AlignedFrames,
    corrected: NDArray[np.float32],
    half: NDArray[np.bool_],
    *,
    multiplies: bool,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mean residual of one half of the frames about the mean of the other, and its weight.

    In units of the factor, or of what is added; the weight is an inverse variance but for a
    constant, with the noise taken to grow with the brightness.
    """
    mean, covered = aligned.part(~half).mean(corrected[~half])
    level = LEAST_LEVEL * float(np.abs(mean[covered]).mean()) if covered.any() else 1.0
    total, weight = np.zeros(mean.shape, np.float32), np.zeros(mean.shape, np.float32)
    for image, shift in zip(aligned.frames[half], aligned.shifts[half], strict=True):
        model, valid = seen(mean, covered, shift, aligned.mask)
        noise = np.maximum(model, np.float32(max(level, 1e-30)))
        x = model if multiplies else np.ones_like(model)
        bright = _brightness(image, model, valid)
        total += np.where(valid, x * (image - bright * model) / noise, 0)
        weight += np.where(valid, x * x / noise, 0)
    return np.asarray(total / np.maximum(weight, np.float32(1e-30))), weight


def _brightness(
    image: NDArray[np.float32], model: NDArray[np.float32], valid: NDArray[np.bool_]
) -> np.float32:
    """Return how bright a frame is against the model."""
    total = float(model[valid].sum(dtype=np.float64))
    return np.float32(float(image[valid].sum(dtype=np.float64)) / total if total > 0 else 1.0)


def _about_local(
    image: NDArray[np.float32], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return an image less its local mean over the valid pixels, and that mean."""
    part = scipy.ndimage.gaussian_filter(mask.astype(np.float32), LOCAL_PX, mode="constant")
    smooth = scipy.ndimage.gaussian_filter(np.where(mask, image, np.float32(0)), LOCAL_PX, mode="constant")
    local = smooth / np.maximum(part, np.float32(1e-6))
    return np.where(mask, image - local, 0).astype(np.float32), local.astype(np.float32)
