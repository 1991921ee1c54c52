"""Sums of products of images at every lag, of several pairs at once, in the memory of half their lags.

Masks with a pattern, such as a chessboard, meet themselves at one lag and not at the next: all that is summed
over common pixels is another at every lag, and takes a transform for each. Negative row lags are made first,
then the others, each time from the images anew, in the place where their transforms were.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

ROWS = 64
"""So many rows are transformed at once, and stay in the cache,"""

COLUMNS = 16
"""and so many columns, of which the transforms of all images are held at once."""

Image = tuple[NDArray[Any], int]
"""Pixels, and to which power they are taken."""


def sums_of_products(
    reference: Sequence[Image],
    moving: Sequence[Image],
    pairs: Sequence[tuple[int, int]],
    window: tuple[int, ...],
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield the first of a few row lags, and the sums at these; ascending, none across zero.

    Parameters
    ----------
    reference, moving : sequence of Image
        Of two axes; those of one side have one shape. One that is on both sides is transformed once.
    pairs : sequence of (int, int)
        Which of the reference's images is multiplied with which of moving's.
    window : (int, int)
        Shape of transforms in which no lag meets another's copy.

    Yields
    ------
    lag : int
    sums : (pairs, rows, width) ndarray of float32
        Column lag s at s modulo the width.
    """
    height, width = window
    images: list[Image] = []
    first_places, other_places = (
        [_place_in(images, image) for image in side] for side in (reference, moving)
    )
    p, q = len(reference[0][0]), len(moving[0][0])
    places = [(first_places[one], other_places[other]) for one, other in pairs]
    planes = np.empty((max(len(pairs), len(images)), max(p, q), width // 2 + 1), np.complex64)
    for first, end in ((1 - q, 0), (0, p)):
        for image, plane in zip(images, planes, strict=False):
            transform_rows(*image, plane, width)
        for k in range(0, planes.shape[2], COLUMNS):
            _to_lags(
                planes[:, :, k : k + COLUMNS], [len(image) for image, _ in images], places, height, first, end
            )
        for lag in range(first, end, ROWS):
            some = planes[: len(pairs), lag - first : min(lag + ROWS, end) - first]
            yield lag, scipy.fft.irfft(some, width)


def _place_in(images: list[Image], image: Image) -> int:
    """Return where an image is in a list, which it is added to unless it is there: equal masks are one."""
    for k, (pixels, power) in enumerate(images):
        if pixels is image[0] and power == image[1]:
            return k
    images.append(image)
    return len(images) - 1


def transform_rows(pixels: NDArray[Any], power: int, plane: NDArray[np.complex64], width: int) -> None:
    """Fill the first rows of a plane with the transforms of those of an image to a power."""
    for i in range(0, len(pixels), ROWS):
        rows = pixels[i : i + ROWS].astype(np.float32) ** power
        plane[i : i + len(rows)] = scipy.fft.rfft(rows, width)


def _to_lags(
    columns: NDArray[np.complex64],
    lengths: list[int],
    pairs: list[tuple[int, int]],
    height: int,
    first: int,
    end: int,
) -> None:
    """Replace a few columns of the images by the sums of pairs of them, at row lags from first to end."""
    from maskreg.core.lags.race_kernels import times_conjugate_2d

    spectra = [scipy.fft.fft(column[:n], height, axis=0) for column, n in zip(columns, lengths, strict=False)]
    at = first % height
    for (one, other), out in zip(pairs, columns, strict=False):
        sums = scipy.fft.ifft(times_conjugate_2d(spectra[one], spectra[other]), axis=0, overwrite_x=True)
        out[: end - first] = sums[at : at + end - first]
