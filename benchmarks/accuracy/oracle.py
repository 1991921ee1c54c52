"""A search that knows more than any tool: how often a faint pair can be placed at all.

Both frames, less their smooth background and of equal noise, are correlated at all lags with the weights
rho / (1 + 2 rho) of each frequency, rho being the power of the *noise-free* frame over that of the noise:
for a signal of that spectrum this is the log-likelihood of a lag, and the best that products of the two can
do. It answers in whole pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from benchmarks.accuracy.pairs import Answer, Case

BACKGROUND_PX = 20.0
"""Sigma of what is taken for background."""

LEAST_OVERLAP = 0.05
"""Lags of a smaller part of the greatest overlap are not looked at."""

RINGS = 64
"""Rings of frequencies over which the power is averaged."""

LEAST_VARIANCE = 0.1
"""Electrons squared; what read noise makes at least."""


def oracle_answer(case: Case) -> Answer:
    """Return the lag of the greatest likelihood."""
    background = _background(case.expected, case.mask)
    signal = _even(case.expected, background, case.mask)
    frames = [_even(f, _background(f, case.mask), case.mask) for f in (case.reference, case.moving)]
    shape = tuple(2 * n for n in case.mask.shape)
    reference, moving, true, mask = (
        np.fft.rfft2(image, shape) for image in (*frames, signal, case.mask.astype(float))
    )
    rho = _ring_power(true, shape) / np.count_nonzero(case.mask)
    overlap = np.fft.irfft2(np.abs(mask) ** 2, shape)
    match = np.fft.irfft2(np.conj(moving) * reference * rho / (1 + 2 * rho), shape)
    # products of n pixels scatter by the root of n
    scaled = np.where(
        overlap > LEAST_OVERLAP * overlap.max(), match / np.sqrt(np.maximum(overlap, 1)), -np.inf
    )
    place = np.unravel_index(int(np.argmax(scaled)), shape)
    lag = [float(k - n if k >= n // 2 else k) for k, n in zip(place, shape, strict=True)]
    return Answer(np.array(lag), np.full((2, 2), np.nan), "ok")


def _background(image: NDArray[np.floating], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    part, mean = (
        gaussian_filter(field, BACKGROUND_PX, mode="constant")
        for field in (mask.astype(float), np.where(mask, image, 0).astype(float))
    )
    return np.asarray(np.where(mask, mean / np.maximum(part, 1e-3), 0))


def _even(
    image: NDArray[np.floating], background: NDArray[np.float64], mask: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return an image less its background, of unit noise; zero where ignored."""
    return np.asarray(np.where(mask, (image - background) / np.sqrt(background + LEAST_VARIANCE), 0))


def _ring_power(spectrum: NDArray[np.complex128], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the power of each frequency, averaged over its ring."""
    f = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]))
    ring = np.minimum((2 * RINGS * f).astype(int), RINGS - 1)
    total = np.bincount(ring.ravel(), (np.abs(spectrum) ** 2).ravel())
    return np.asarray((total / np.bincount(ring.ravel()))[ring])
