"""Which part of a noisy gradient is signal: a Wiener filter for every neighbourhood and direction.

Around each pixel the gradients G make a matrix T, the local mean of G G^T, of which the part N is
noise. The filtered gradient is K G, K = (T - N) T^-1 with negative eigenvalues cut to zero: where
there is nothing but noise G vanishes, and along a ring, where only one direction has a gradient,
the other one does.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

TRUNCATE = 4.0
"""Gaussians end at this many sigma."""

WINDOW_PX = 4.0
"""Sigma of the neighbourhood, px;"""

WINDOW_WIDTHS = 2.0
"""at least so many widths of the low-pass."""

BAND = 64
"""So many rows are made at once: what is between stays in the cache."""

CAUTION = 1.3
"""The noise is taken so much larger: what merely looks like signal costs more than what is lost."""


def signal_matrix(
    gradient: NDArray[np.float32], noise: NDArray[np.float32], width: float
) -> NDArray[np.float32]:
    """Return K as its elements (row row, row col, col col), (3, rows, cols).

    Parameters
    ----------
    gradient : (2, rows, cols) ndarray
        G; zero where it is not used.
    noise : (rows, cols) ndarray
        Variance of either component of the noise in G; zero where G is not used.
    width : float
        Of the low-pass that G has seen, sigma in px.
    """
    window = max(WINDOW_PX, WINDOW_WIDTHS * width)
    rows, cross, cols, below = (
        scipy.ndimage.gaussian_filter(field, window, mode="nearest", truncate=TRUNCATE)
        for field in (gradient[0] ** 2, gradient[0] * gradient[1], gradient[1] ** 2, CAUTION * noise)
    )
    out = np.empty((3, *noise.shape), np.float32)
    for i in range(0, len(noise), BAND):
        band = slice(i, i + BAND)
        out[:, band] = _elements(rows[band], cross[band], cols[band], below[band])
    return out


def _elements(
    rows: NDArray[np.float32],
    cross: NDArray[np.float32],
    cols: NDArray[np.float32],
    below: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the elements of K from those of T, and how much noise is in it."""
    middle, half = (rows + cols) / 2, (rows - cols) / 2
    radius = np.hypot(half, cross)
    along, across = (
        np.clip(1 - below / np.maximum(value, 1e-30), 0, 1) for value in (middle + radius, middle - radius)
    )
    return with_eigenvalues(along, across, half, cross, radius)


def with_eigenvalues(
    along: NDArray[np.floating],
    across: NDArray[np.floating],
    half: NDArray[np.floating],
    cross: NDArray[np.floating],
    radius: NDArray[np.floating],
) -> NDArray[np.float32]:
    """Return matrices with the eigenvectors of T and other eigenvalues, (row row, row col, col col).

    Parameters
    ----------
    along, across : ndarray
        Eigenvalues along the strongest direction of T and across it.
    half, cross, radius : ndarray
        (T_00 - T_11) / 2, T_01 and their length: where that direction points.
    """
    mean, spread = (along + across) / 2, (along - across) / (2 * np.maximum(radius, 1e-30))
    return np.stack([mean + spread * half, spread * cross, mean - spread * half]).astype(np.float32)


def apply_matrix(matrix: NDArray[np.float32], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return symmetric matrices (3, rows, cols) times vectors (2, rows, cols), which are overwritten."""
    for i in range(0, matrix.shape[1], BAND):
        band = slice(i, i + BAND)
        first, second = vectors[:, band].copy()
        of = matrix[:, band]
        vectors[0, band] = of[0] * first + of[1] * second
        vectors[1, band] = of[1] * first + of[2] * second
    return vectors
