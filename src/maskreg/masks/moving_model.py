"""What each pixel would show if it saw the sample, and how well that explains what it does show.

With the shifts of the frames known, the sample's own image is the mean of the aligned frames.
Put back to where a frame was, it predicts that frame's every pixel. A frame is never used to
predict itself: what stands still would otherwise be explained by its own copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float64]
Stack = NDArray[np.float32]
Mask = NDArray[np.bool_]

_LEAST_WEIGHT = 0.4
"""Of the weights of bilinear interpolation, on pixels that are known; below, nothing is predicted."""


@dataclass(frozen=True)
class Prediction:
    """Sums over the frames in which a pixel is predicted, all (rows, cols) in detector coordinates."""

    count: Image
    """Frames in which it is."""
    level: Image
    """Mean of the predictions."""
    bias: Image
    """Mean of value less prediction."""
    spread: Image
    """Sum of squares of the prediction about its mean."""
    together: Image
    """Sum of products of value and prediction about their means."""
    share: Image
    """Mean variance of a prediction over that of a frame."""


def explained(prediction: Prediction, variance: Image, where: Mask) -> float:
    """Return which part of the temporal `variance` of the pixels in `where` the moving model explains.

    One at best, near zero for shifts that have nothing to do with the sample, below it for worse.
    """
    where = where & (prediction.count >= 3) & (variance > 0)
    total = variance * np.maximum(prediction.count - 1, 1)
    # sum of squares less that of the residuals: v^2 - (v - p)^2
    part = (2 * prediction.together - prediction.spread)[where] / total[where]
    return float(np.median(part)) if part.size else -np.inf


def predict(frames: Stack, shifts: NDArray[np.float64], valid: Mask) -> Prediction:
    """Compare every pixel with the sample as the `valid` pixels of the other frames saw it.

    Parameters
    ----------
    frames : (n, rows, cols) float32
    shifts : (n, 2) float64
        Of each frame onto the common place, px.
    valid : (rows, cols) bool
        Pixels that are believed to see the sample.
    """
    zero = float(np.median(frames[0][valid])) if valid.any() else 0.0
    weight = valid.astype(np.float32)
    total = np.zeros((2, *valid.shape), np.float32)
    for frame, shift in zip(frames, shifts, strict=True):
        total += _moved(np.stack([(frame - zero) * weight, weight]), shift)
    sums = np.zeros((6, *valid.shape))
    for frame, shift in zip(frames, shifts, strict=True):
        values = frame - np.float32(zero)
        others = total - _moved(np.stack([values * weight, weight]), shift)
        known = others[1] >= 0.5
        mean = np.where(known, others[0] / np.maximum(others[1], 0.5), 0)
        share = np.where(known, 1 / np.maximum(others[1], 0.5), 0)
        back = _moved(np.stack([mean, known.astype(np.float32), share]), -shift)
        seen = back[1] > _LEAST_WEIGHT
        norm = np.maximum(back[1], _LEAST_WEIGHT)
        p, v = np.where(seen, back[0] / norm, 0), np.where(seen, values, 0)
        for k, term in enumerate((seen, v, p, p * p, v * p, np.where(seen, back[2] / norm, 0))):
            sums[k] += term
    return _prediction(sums, zero)


def _prediction(sums: NDArray[np.float64], zero: float) -> Prediction:
    count, v, p, pp, vp, share = sums
    n = np.maximum(count, 1)
    return Prediction(
        count=count,
        level=p / n + zero,
        bias=(v - p) / n,
        spread=np.maximum(pp - p * p / n, 0),
        together=vp - v * p / n,
        share=share / n,
    )


def _moved(images: Stack, shift: NDArray[np.float64]) -> Stack:
    """Return (k, rows, cols) moved by `shift` px: bilinear, zero where nothing is known."""
    for axis, step in ((1, float(shift[0])), (2, float(shift[1]))):
        whole = floor(step)
        fraction = np.float32(step - whole)
        images = (1 - fraction) * _rolled(images, axis, whole) + fraction * _rolled(images, axis, whole + 1)
    return images


def _rolled(images: Stack, axis: int, step: int) -> Stack:
    """Return `images` moved by whole pixels along `axis`, zero where nothing comes in."""
    result = np.zeros_like(images)
    length = images.shape[axis]
    if abs(step) < length:
        source, target = np.moveaxis(images, axis, 0), np.moveaxis(result, axis, 0)
        target[max(0, step) : length + min(0, step)] = source[max(0, -step) : length - max(0, step)]
    return result
