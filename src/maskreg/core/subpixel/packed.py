"""The fields of a template as 16-bit numbers: half as many bytes for a pass to wait for.

A row of each field has a step of its own, so that one bright pixel makes its row coarse and no other. With
G_i the greatest gradient of row i, rounding adds sum of (G_i / 32767)^2 / 12 a pixel to the squares of the
gradient, of which there is at least sum of G_i^2 a row: over rows of W pixels it is less than the part
W / (12 x 32767^2) of the variance of a refined shift, whatever the image. For W = 4096 that is 6e-4 of sigma.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.runs import Region

LARGEST = 32767
"""Of 16-bit numbers."""

LANES = 16
"""So many pixels of a row are worked on at once; what is left over costs a pass as much as ten times that."""


@dataclass(frozen=True)
class Packed:
    """Fields of a template, and the sums over all its pixels.

    Attributes
    ----------
    numbers : (4, rows, lanes) ndarray of int16
        Pixels, low-passed image, gradient along rows and columns; zero where not valid, and behind the last
        column as far as whole `LANES` reach.
    steps : (4, rows) ndarray of float64
        By what each is multiplied.
    sums : (9,) ndarray of float64
        n, r, h, rr, hr, g, gr of `subpixel.moments.Moments`, over all valid pixels, of the numbers.
    """

    numbers: NDArray[np.int16]
    steps: NDArray[np.float64]
    sums: NDArray[np.float64]


def packed(
    pixels: NDArray[np.float32], gradient: NDArray[np.float32], smooth: NDArray[np.float32], region: Region
) -> Packed:
    """Return the packed fields of a template of two axes, valid in a region."""
    from maskreg.core.subpixel.refine_kernels import packed_2d

    return Packed(*packed_2d(pixels, gradient, smooth, *region.runs))


def plain_packed(
    pixels: NDArray[np.float32], gradient: NDArray[np.float32], smooth: NDArray[np.float32], region: Region
) -> Packed:
    """Return what `packed` does, without loops."""
    fields = np.stack([pixels, smooth, *gradient]).astype(np.float64) * region.mask
    greatest = np.abs(fields).max(axis=2, initial=0)
    steps = np.where(greatest > 0, greatest / LARGEST, 1.0)
    numbers = np.rint(fields / steps[..., None]).astype(np.int16)
    numbers = np.pad(numbers, [(0, 0), (0, 0), (0, -pixels.shape[1] % LANES)])
    r, h, *g = numbers * steps[..., None]
    sums = [np.count_nonzero(region.mask), r.sum(), h.sum(), (r * r).sum(), (h * r).sum()]
    sums += [one.sum() for one in g] + [(one * r).sum() for one in g]
    return Packed(numbers, steps, np.array(sums, np.float64))
