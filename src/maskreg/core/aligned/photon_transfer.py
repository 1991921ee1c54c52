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

from maskreg.core.aligned.frames import AlignedFrames, Mean
from maskreg.core.lags.scores import HUBER, SPREAD_OF_MAD

CLASSES = 24
"""The pixels are sorted by brightness into so many classes of equal size."""

FEWEST_FRAMES, FEWEST_PIXELS = 4, 2000
"""Of fewer frames, or valid pixels, nothing is told."""

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


def photon_transfer(evened: AlignedFrames) -> PhotonTransfer | None:
    """Return the detector model that the frames show, or None where they show none that is sure.

    None as well where the counts are electrons already.

    Parameters
    ----------
    evened : AlignedFrames
        Evened grey values (`AlignedFrames.evened`).
    """
    if len(evened) < FEWEST_FRAMES or np.count_nonzero(evened.mask) < FEWEST_PIXELS:
        return None
    means, variances = _curve(evened)
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


def _curve(evened: AlignedFrames) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and variance of the grey values in each class of brightness."""
    mean = evened.mean()
    parts = list(evened.over_rows(lambda rows: _pairs(evened, mean, rows)))
    brightness, squares = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    if brightness.size < FEWEST_PIXELS:
        return np.zeros(0), np.zeros(0)
    order = np.argsort(brightness, kind="stable")
    # of a frame's noise the mean has taken some of 1 / n along: interpolation keeps about that much
    kept = 2 * (1 - INTERPOLATED / len(evened))
    classes = np.array_split(order, CLASSES)
    return (
        np.array([brightness[part].mean(dtype=np.float64) for part in classes]),
        np.array([squares[part].mean(dtype=np.float64) / kept for part in classes]),
    )


def _pairs(evened: AlignedFrames, mean: Mean, rows: slice) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return brightness and squared difference of the residuals of neighbouring frames in some rows."""
    step = 1 + evened.mask.size // MOST_PIXELS
    few = slice(-rows.start % step, None, step)
    expected, residuals, seen = [], [], []
    for frame, shift, line in zip(evened.frames, evened.shifts, evened.lines, strict=True):
        model, valid = mean.seen(shift, evened.mask, rows)
        # frames differ in brightness and veil, and are as noisy as they are bright
        expected.append(line[0] * model[few].astype(np.float64) + line[1])
        residuals.append(frame[rows][few] - expected[-1])
        seen.append(valid[few])
    brightness, squares = [], []
    for k in range(len(evened) - 1):
        common = seen[k] & seen[k + 1]
        brightness.append((expected[k][common] + expected[k + 1][common]) / 2)
        squares.append((residuals[k][common] - residuals[k + 1][common]) ** 2)
    return np.concatenate(brightness).astype(np.float32), np.concatenate(squares).astype(np.float32)


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
        spread = max(SPREAD_OF_MAD * float(np.median(np.abs(relative))), 1e-9)
        huber = np.minimum(1, HUBER * spread / np.maximum(np.abs(relative), 1e-30))
        scale = np.maximum(design @ solution, 0.1 * y)
    sigma = spread * float(np.sqrt(np.linalg.inv(normal)[1, 1]))
    return float(solution[0]), float(solution[1]), float(solution[1]) / sigma
