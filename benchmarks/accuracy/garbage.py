"""What may lie behind a mask: anything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter


def hide(frames: NDArray[np.generic], mask: NDArray[np.bool_], dose: float, rng: np.random.Generator) -> None:
    """Write garbage over the ignored pixels of some frames, in place.

    Half of the time the same in every frame, as a real block has it; else new in each.

    Parameters
    ----------
    frames : (n, rows, columns) integers
        Changed where `mask` is False.
    mask : (rows, columns) bool
        True = valid.
    dose : float
        Mean of the valid pixels, counts.
    rng : numpy.random.Generator
        Draws it.
    """
    once = rng.uniform() < 0.5
    garbage = _garbage(mask.shape, dose, rng)
    top = np.iinfo(frames.dtype).max
    for k, frame in enumerate(frames):
        if k and not once:
            garbage = _garbage(mask.shape, dose, rng)
        frame[~mask] = np.clip(garbage, 0, top).astype(frames.dtype)[~mask]


def _garbage(shape: tuple[int, ...], dose: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return nothing, saturation, noise, or bright blobs, from faint to overwhelming."""
    height = dose * 10.0 ** rng.uniform(-1, 3)
    kind = rng.integers(4)
    if kind == 0:
        return np.zeros(shape)
    if kind == 1:
        return np.full(shape, np.inf)
    noise = rng.standard_normal(shape)
    if kind == 2:
        return height * np.abs(noise)
    blobs = gaussian_filter(noise, 3.0, mode="wrap")
    return height * np.abs(blobs) / blobs.std()
