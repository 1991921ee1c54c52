"""Which of some places of a lattice the broad part of two faint images prefers.

The periods of a lattice match nearly as well as the place itself; its envelope and the diffuse background,
which the matched filter takes off, do not. Both images are averaged over a Gaussian window; of n independent
windows that are valid at a place, whose residual has the mean square v there, the log-likelihood is
-(n / 2) log v. What stands still would prefer no shift: so this only chooses where chance leaves a choice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.image.pyramid import LevelImage
from maskreg.geometry import overlap_slices

WINDOW_PX = 12.0
"""Sigma of the window, level pixels."""

GAINS = (0.5, 2.0)
"""Of moving, within which the residual is least."""

LEAST_PART = 1e-3
"""A window of which less is valid is as one of which so much is."""


def broad_likelihood(
    reference: LevelImage, moving: LevelImage, lags: Sequence[tuple[int, ...]]
) -> NDArray[np.float64]:
    """Return the log-likelihood of each lag, level pixels, less the greatest."""
    one, other = _averaged(reference), _averaged(moving)
    number, residual = np.zeros(len(lags)), np.ones(len(lags))
    for k, lag in enumerate(lags):
        here, there = overlap_slices(one.shape, other.shape, lag)
        common = reference.mask[here] & moving.mask[there]
        if np.count_nonzero(common) > 1:
            number[k] = np.count_nonzero(common) / (2 * np.sqrt(np.pi) * WINDOW_PX) ** common.ndim
            residual[k] = _residual(one[here][common], other[there][common])
    # of lags of unequal overlap the larger would win by its number alone
    found = -number.mean() / 2 * np.log(np.maximum(residual, 1e-30))
    return np.asarray(found - found.max())


def _residual(reference: NDArray[np.float64], moving: NDArray[np.float64]) -> float:
    """Return the mean square of what gain and offset of moving do not explain."""
    a, b = reference - reference.mean(), moving - moving.mean()
    gain = float(np.clip((a * b).sum() / max(float((b * b).sum()), 1e-30), *GAINS))
    return float(np.mean((a - gain * b) ** 2))


def _averaged(image: LevelImage) -> NDArray[np.float64]:
    """Return the mean of the valid pixels of the window around each."""
    part, total = (
        scipy.ndimage.gaussian_filter(field.astype(np.float64), WINDOW_PX, mode="constant")
        for field in (image.mask, image.pixels)
    )
    return np.asarray(total / np.maximum(part, LEAST_PART))
