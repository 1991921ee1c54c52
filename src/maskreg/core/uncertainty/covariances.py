"""Two covariances of one shift, compared along the axes that they share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def common_axes(
    known: NDArray[np.float64], shown: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the axes along which two covariances are independent, and how many times larger one of them is.

    Parameters
    ----------
    known : (ndim, ndim) ndarray of float64
        Positive definite.
    shown : (ndim, ndim) ndarray of float64

    Returns
    -------
    axes : (ndim, ndim) ndarray of float64
        Its columns are as long as the known standard deviations: ``known = axes @ axes.T``.
    times : (ndim,) ndarray of float64
        ``shown = (axes * times) @ axes.T``.
    """
    root = np.linalg.cholesky(known)
    apart = np.linalg.solve(root, np.linalg.solve(root, shown).T)
    times, directions = np.linalg.eigh((apart + apart.T) / 2)
    return root @ directions, times
