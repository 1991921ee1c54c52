"""Sums over the common pixels of two images for the few lags of a window.

`plain_window_sums` is the definition for any number of axes; two axes have a compiled twin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.kernels import common_sums_2d, window_sums_2d
from maskreg.geometry import overlap_slices

LEAST_VARIANCE = 1e-6
"""Less than this part of the sum of squares is no variance: rounding could have made it."""


@dataclass(frozen=True)
class WindowSums:
    """Sums over pixels x of the reference that are valid, for every lag s of a window.

    The set is one for all lags: x valid in reference, and `safe` at x - centre in moving.

    Attributes
    ----------
    n : ndarray
        Number of pixels (the same for all lags).
    a, aa : ndarray
        Sums of reference(x) and its square (the same for all lags).
    b, bb, ab : ndarray
        Sums of moving(x - s), its square, and the product.
    """

    n: NDArray[np.float64]
    a: NDArray[np.float64]
    aa: NDArray[np.float64]
    b: NDArray[np.float64]
    bb: NDArray[np.float64]
    ab: NDArray[np.float64]

    @property
    def ncc(self) -> NDArray[np.float64]:
        """Masked NCC of each lag; NaN without variance."""
        n = np.maximum(self.n, 1)
        va, vb = self.aa - self.a**2 / n, self.bb - self.b**2 / n
        ok = (va > LEAST_VARIANCE * self.aa) & (vb > LEAST_VARIANCE * self.bb)
        covariance = self.ab - self.a * self.b / n
        return np.where(ok, np.clip(covariance / np.sqrt(np.where(ok, va * vb, 1)), -1, 1), np.nan)


class CommonSums(NamedTuple):
    """What `WindowSums` holds of a single lag, and what follows from it."""

    n: float
    a: float
    aa: float
    b: float
    bb: float
    ab: float

    @property
    def ncc(self) -> float:
        """Masked NCC; NaN without variance."""
        n = max(self.n, 1.0)
        va, vb = self.aa - self.a**2 / n, self.bb - self.b**2 / n
        if not (va > LEAST_VARIANCE * self.aa and vb > LEAST_VARIANCE * self.bb):
            return math.nan
        return min(1.0, max(-1.0, (self.ab - self.a * self.b / n) / math.sqrt(va * vb)))

    @property
    def variances(self) -> tuple[float, float]:
        """Those of reference and moving."""
        n = max(self.n, 1.0)
        return self.aa / n - (self.a / n) ** 2, self.bb / n - (self.b / n) ** 2

    @property
    def covariance(self) -> float:
        """That of reference and moving."""
        n = max(self.n, 1.0)
        return (self.ab - self.a * self.b / n) / n


def window_sums(
    reference: NDArray[np.float32],
    reference_mask: NDArray[np.bool_],
    moving: NDArray[np.float32],
    safe: NDArray[np.bool_],
    centre: tuple[int, ...],
    radius: int,
) -> WindowSums:
    """Return the sums for every lag within `radius` of `centre`.

    Parameters
    ----------
    reference, moving : ndarray of float32
        Zero where ignored.
    reference_mask : ndarray of bool
    safe : ndarray of bool
        Pixels of moving whose neighbours within `radius` are all valid and inside the image.
    centre : tuple of int
        The middle lag.
    radius : int
    """
    if moving.ndim == 2 and radius == 0:
        sums = common_sums_2d(reference, reference_mask, moving, safe, *centre)
        return WindowSums(*sums.reshape(6, 1, 1))
    if moving.ndim == 2:
        return WindowSums(
            *window_sums_2d(reference, reference_mask, moving, safe, centre[0], centre[1], radius)
        )
    if moving.ndim == 3:
        from maskreg.core.image.volume_kernels import window_sums_3d

        totals, sums = window_sums_3d(reference, reference_mask, moving, safe, centre, radius)
        full = np.ones(sums.shape[:-1])
        return WindowSums(*(total * full for total in totals), *(sums[..., k].copy() for k in range(3)))
    return plain_window_sums(reference, reference_mask, moving, safe, centre, radius)


def plain_window_sums(
    reference: NDArray[Any],
    reference_mask: NDArray[np.bool_],
    moving: NDArray[Any],
    safe: NDArray[np.bool_],
    centre: tuple[int, ...],
    radius: int,
) -> WindowSums:
    """Return what `window_sums` does, by slices, for any number of axes."""
    here, there = overlap_slices(reference.shape, moving.shape, centre)
    w = reference_mask[here] & safe[there]
    a = np.where(w, reference[here], 0).astype(np.float64)
    padded = np.pad(moving, radius)
    shape = (2 * radius + 1,) * moving.ndim
    b, bb, ab = (np.zeros(shape) for _ in range(3))
    for index in np.ndindex(shape):
        # lag centre + i - radius meets the pixel x - centre - i + radius; the padding adds radius
        view = padded[
            tuple(
                slice(t.start + 2 * radius - i, t.stop + 2 * radius - i)
                for t, i in zip(there, index, strict=True)
            )
        ]
        values = np.where(w, view, 0).astype(np.float64)
        b[index], bb[index], ab[index] = values.sum(), (values**2).sum(), (values * a).sum()
    n, total, square = (np.full(shape, float(v)) for v in (np.count_nonzero(w), a.sum(), (a**2).sum()))
    return WindowSums(n, total, square, b, bb, ab)
