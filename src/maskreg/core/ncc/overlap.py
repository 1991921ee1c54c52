"""The six sums over the common pixels of two images at one lag, and their masked NCC.

`plain_overlap_sums` is the definition for any number of axes; two axes have a compiled twin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.kernels import overlap_sums_2d
from maskreg.core.ncc.centred import CentredImage
from maskreg.geometry import overlap_slices


@dataclass(frozen=True)
class OverlapSums:
    """Sums over the pixels that are valid in both images at one lag.

    Attributes
    ----------
    n : int
        How many they are.
    a, aa, b, bb, ab : float
        Sums of reference, its square, moving, its square, and the product.
    """

    n: int
    a: float
    aa: float
    b: float
    bb: float
    ab: float

    @property
    def root(self) -> float:
        """Root of the product of both images' squared deviations from their means; 0 if that is rounding."""
        n = max(self.n, 1)
        va, vb = self.aa - self.a**2 / n, self.bb - self.b**2 / n
        if va <= 1e-12 * self.aa or vb <= 1e-12 * self.bb:
            return 0.0
        return math.sqrt(va) * math.sqrt(vb)

    @property
    def ncc(self) -> float:
        """Masked NCC; 0 where an image has no variance beyond rounding."""
        root = self.root
        return (self.ab - self.a * self.b / max(self.n, 1)) / root if root > 0 else 0.0


def overlap_sums(reference: CentredImage, moving: CentredImage, lag: tuple[int, ...]) -> OverlapSums:
    """Return the sums of deviations at a whole-pixel lag.

    Parameters
    ----------
    reference, moving : CentredImage
    lag : tuple of int
        The pixel x of reference meets the pixel x - lag of moving.
    """
    here, there = overlap_slices(reference.mask.shape, moving.mask.shape, lag)
    if moving.mask.ndim == 2:
        a, b = (
            (image.values[part], image.mask[part], image.scale, image.mean)
            for image, part in ((reference, here), (moving, there))
        )
        n, *sums = overlap_sums_2d(*a, *b)
        return OverlapSums(int(n), *sums)
    return plain_overlap_sums(
        reference.deviations[here], reference.mask[here], moving.deviations[there], moving.mask[there]
    )


def plain_overlap_sums(
    a: NDArray[Any], a_mask: NDArray[np.bool_], b: NDArray[Any], b_mask: NDArray[np.bool_]
) -> OverlapSums:
    """Return what `overlap_sums` does, for the pixels that meet, for any number of axes."""
    x, y = np.where(b_mask, a, 0.0), np.where(a_mask, b, 0.0)
    return OverlapSums(
        int(np.count_nonzero(a_mask & b_mask)),
        float(x.sum()),
        float((x * x).sum()),
        float(y.sum()),
        float((y * y).sum()),
        float((x * y).sum()),
    )
