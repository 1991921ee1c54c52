"""What each pixel would show if it saw the sample, and how well that explains what it does show.

With the shifts of the frames known, the sample's own image is the mean of the aligned frames.
Put back to where a frame was, it predicts that frame's every pixel. A frame is never used to
predict itself: what stands still would otherwise be explained by its own copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskreg.stream import ordered_map

Image = NDArray[np.float64]
Stack = NDArray[np.float32]
Mask = NDArray[np.bool_]

_BLOCK = 32
"""Rows that a thread takes at once."""


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


def predict(
    frames: Stack, shifts: NDArray[np.float64], valid: Mask, *, workers: int | None = 1
) -> Prediction:
    """Compare every pixel with the sample as the `valid` pixels of the other frames saw it.

    Parameters
    ----------
    frames : (n, rows, cols) float32
    shifts : (n, 2) float64
        Of each frame onto the common place, px.
    valid : (rows, cols) bool
        Pixels that are believed to see the sample.
    workers : int, optional
        Threads, each of which does some rows; they never change a bit.
    """
    from maskreg.masks.prediction_kernels import prediction_rows, total_rows

    zero = np.float32(np.median(frames[0][valid]) if valid.any() else 0)
    weight = valid.astype(np.float32)
    wholes, fractions = _steps(shifts)
    # the sample's image has room for every frame, however far these have moved
    rows, cols = (n + 1 + int(most) for n, most in zip(valid.shape, wholes.max(axis=0), strict=True))
    total = np.zeros((2, rows, cols), np.float32)
    sums = np.zeros((6, *valid.shape))

    def add_frames(block: tuple[int, int]) -> None:
        total_rows(frames, weight, zero, wholes, fractions, *block, total)

    def predict_rows(block: tuple[int, int]) -> None:
        prediction_rows(frames, weight, zero, wholes, fractions, total, *block, sums)

    for step, length in ((add_frames, rows), (predict_rows, len(valid))):
        blocks = [(first, min(first + _BLOCK, length)) for first in range(0, length, _BLOCK)]
        # an item of a map is a task: its result, which is none, is waited for
        list(ordered_map(step, blocks, workers=workers))
    return _prediction(sums, float(zero))


def _steps(shifts: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the whole pixels of each shift, from the least one on, and what is left of it, 0 to 1."""
    wholes = np.floor(shifts)
    return (wholes - wholes.min(axis=0)).astype(np.int64), (shifts - wholes).astype(np.float32)


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
