"""Gain and pedestal of a detector from a few aligned frames: its photon transfer curve.

The variance of the noise grows with the brightness, var = read^2 + (mean - offset) / gain in grey
values. The brightness is that of the mean of the aligned frames; the noise is seen in differences
of neighbouring frames from which that mean is taken off, so that neither the sample nor what the
detector adds to every frame counts as noise. Where read noise and offset enter is only the value
at which the line meets zero; which of the two made it cannot be told, and nothing depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskreg.core.aligned import AlignedFrames, seen

CLASSES = 24
"""The pixels are sorted by brightness into so many classes of equal size."""

FEWEST_FRAMES = 4

FEWEST_PIXELS = 2000

SURE = 8.0
"""The slope must stand out by so many of its standard deviations."""

FIT = 0.15
"""The classes may scatter by this part about the line (root mean square); else it is none."""

SAME = 0.08
"""Counts whose line is within this part of that of electrons are left to be electrons."""

INTERPOLATED = 0.65
"""Part of the noise that six-tap interpolation keeps, on average over fractions of a pixel."""

MOST_PIXELS = 1 << 17
"""Of larger frames every so many-th row is taken, so that each pair has at most about so many."""

ROUNDS = 10
"""Of the robust fit."""


@dataclass(frozen=True)
class PhotonTransfer:
    """A detector model read off a series.

    Attributes
    ----------
    gain : float
        Electrons per count.
    offset : float
        Counts at which the line meets zero variance, or 0.
    read_noise : float
        Electrons; 0 if there is an offset.
    """

    gain: float
    offset: float
    read_noise: float


def photon_transfer(aligned: AlignedFrames) -> PhotonTransfer | None:
    """Return the detector model that the frames show, or None where they show none that is sure.

    None as well where the counts are electrons already.
    """
    if len(aligned) < FEWEST_FRAMES or np.count_nonzero(aligned.mask) < FEWEST_PIXELS:
        return None
    means, variances = _curve(aligned)
    if means.size == 0 or not (variances > 0).all():
        return None
    intercept, slope, sure = _line(means, variances)
    scatter = float(np.sqrt(np.mean((variances / np.maximum(intercept + slope * means, 1e-30) - 1) ** 2)))
    if not (slope > 0 and sure > SURE and scatter < FIT):
        return None
    electrons = np.abs((intercept + slope * means) / np.maximum(means, 1e-30) - 1).max()
    if electrons < SAME:
        return None
    offset = -intercept / slope
    if offset >= 0:
        return PhotonTransfer(1 / slope, offset, 0.0)
    return PhotonTransfer(1 / slope, 0.0, float(np.sqrt(intercept)) / slope)


def _curve(aligned: AlignedFrames) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and variance of the grey values in each class of brightness."""
    evened, lines = aligned.evened()
    mean, covered = evened.mean()
    pairs = [_pair(aligned, lines, k, mean, covered) for k in range(len(aligned) - 1)]
    brightness = np.concatenate([b for b, _ in pairs])
    squares = np.concatenate([d for _, d in pairs])
    if brightness.size < FEWEST_PIXELS:
        return np.zeros(0), np.zeros(0)
    order = np.argsort(brightness, kind="stable")
    # of a frame's noise the mean has taken some of 1 / n along: interpolation keeps about that much
    kept = 2 * (1 - INTERPOLATED / len(aligned))
    parts = np.array_split(order, CLASSES)
    return (
        np.array([brightness[part].mean(dtype=np.float64) for part in parts]),
        np.array([squares[part].mean(dtype=np.float64) / kept for part in parts]),
    )


def _pair(
    aligned: AlignedFrames,
    lines: NDArray[np.float64],
    k: int,
    mean: NDArray[np.float32],
    covered: NDArray[np.bool_],
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return brightness and squared difference of the residuals of frames k and k + 1."""
    models = [seen(mean, covered, aligned.shifts[j], aligned.mask) for j in (k, k + 1)]
    common = models[0][1] & models[1][1]
    rows = np.arange(common.shape[0]) % (1 + common.size // MOST_PIXELS) == 0
    common &= rows[:, None]
    # frames differ in brightness and veil, and are as noisy as they are bright
    expected = [
        slope * model[common].astype(np.float64) + offset
        for (slope, offset), (model, _) in zip(lines[k : k + 2], models, strict=True)
    ]
    noise = (aligned.frames[k][common] - expected[0]) - (aligned.frames[k + 1][common] - expected[1])
    return ((expected[0] + expected[1]) / 2).astype(np.float32), noise**2


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return intercept, slope and significance of the slope of a robust line (Huber's weights).

    A variance is known to a part of itself, so the points weigh by the inverse square of the line.
    """
    design = np.stack([np.ones_like(x), x], axis=1)
    scale = y.copy()
    huber = np.ones_like(x)
    for _ in range(ROUNDS):
        weighted = design * (huber / scale**2)[:, None]
        normal = weighted.T @ design
        solution = np.linalg.solve(normal, weighted.T @ y)
        relative = (y - design @ solution) / scale
        spread = max(1.4826 * float(np.median(np.abs(relative))), 1e-9)
        huber = np.minimum(1, 1.345 * spread / np.maximum(np.abs(relative), 1e-30))
        scale = np.maximum(design @ solution, 0.1 * y)
    sigma = spread * float(np.sqrt(np.linalg.inv(normal)[1, 1]))
    return float(solution[0]), float(solution[1]), float(solution[1]) / sigma
