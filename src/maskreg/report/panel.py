"""From an image and its mask to a small picture: binning, contrast, hatching."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from maskreg.report.colour import BRIGHTNESS, DIFFERENCE, HATCH, level

_LEAST_VALID = 0.25
"""Of the area of an output pixel; below it there is nothing to show. A single hot pixel leaves more."""

_HATCH_PERIOD = 10
_HATCH_STRIPE = 3


class Binning:
    """Makes images of one shape as small, or as large, as a picture.

    Every output pixel averages the area it covers, in fractions of input pixels too; a small
    image is enlarged by the same rule, its pixels staying square. How much of that area is valid
    is counted once for all images in a row that have one mask.

    Parameters
    ----------
    shape : (rows, columns)
        Of the images.
    size : int
        Longer side of the picture, px.
    """

    def __init__(self, shape: tuple[int, ...], size: int) -> None:
        scale = size / max(shape)
        height, width = (max(1, round(n * scale)) for n in shape)
        self._down = _area_weights(shape[0], height)
        self._across = _area_weights(shape[1], width)
        self._valid: NDArray[np.bool_] | None = None
        self._area = np.empty((0, 0))

    def __call__(self, image: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the means over the valid pixels.

        Parameters
        ----------
        image : (rows, columns) float64
            NaN only where not valid.
        valid : (rows, columns) bool
            True = use.

        Returns
        -------
        (height, width) float64
            NaN where less than a quarter of the area is valid.
        """
        total = self._weighted(np.where(valid, image, 0.0))
        if self._valid is None or not np.array_equal(valid, self._valid):
            self._valid, self._area = valid.copy(), self._weighted(valid.astype(np.float64))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self._area >= _LEAST_VALID, total / self._area, np.nan)

    def _weighted(self, image: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = self._down @ image
        return np.asarray((self._across @ rows.T).T)


def binned(image: NDArray[np.float64], valid: NDArray[np.bool_], size: int) -> NDArray[np.float64]:
    """Return one image with its longer side `size` px long (see `Binning`)."""
    return Binning(image.shape, size)(image, valid)


def contrast(images: list[NDArray[np.float64]]) -> tuple[float, float]:
    """Return the values of black and white: the percentiles 0.5 and 99.5 of all that is drawn."""
    drawn = np.concatenate([image[np.isfinite(image)] for image in images])
    if drawn.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(drawn, [0.5, 99.5])
    return float(low), float(high)


def symmetric_limit(differences: list[NDArray[np.float64]]) -> float:
    """Return a round number that 99 % of the differences drawn stay within, either side of zero."""
    drawn = np.concatenate([np.abs(d[np.isfinite(d)]) for d in differences])
    limit = float(np.percentile(drawn, 99.0)) if drawn.size else 0.0
    return _rounded_up(limit) if limit > 0.0 else 1.0


def brightness_panel(image: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    """Return the palette indices of an image, on a square-root scale from `low` to `high`.

    The square root makes counting noise equally large everywhere, and faint rings visible.
    NaN is hatched.
    """
    part = (image - low) / ((high - low) or 1.0)
    return _hatched(level(np.sqrt(np.maximum(part, 0.0)), BRIGHTNESS), np.isnan(image))


def difference_panel(image: NDArray[np.float64], limit: float) -> NDArray[np.uint8]:
    """Return the palette indices of a difference, on a linear scale from -limit to +limit.

    NaN is hatched.
    """
    return _hatched(level(0.5 + 0.5 * image / limit, DIFFERENCE), np.isnan(image))


def _hatched(panel: NDArray[np.uint8], ignored: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the panel with its ignored pixels replaced by pale diagonal stripes."""
    row, column = np.indices(ignored.shape)
    stripe = (row + column) % _HATCH_PERIOD < _HATCH_STRIPE
    return np.where(ignored, (HATCH + stripe).astype(np.uint8), panel)


def _area_weights(n_in: int, n_out: int) -> csr_array:
    """Return (n_out, n_in): which part of each output pixel each input pixel covers."""
    edges = np.arange(n_out + 1) * (n_in / n_out)
    edges[-1] = n_in  # which rounding may miss
    # all places where an input or an output pixel begins cut the axis into pieces of one owner each
    cuts = np.unique(np.concatenate([edges, np.arange(n_in + 1)]))
    middle = (cuts[:-1] + cuts[1:]) / 2.0
    owner = np.minimum((middle * (n_out / n_in)).astype(np.intp), n_out - 1)
    length = np.diff(cuts) * (n_out / n_in)
    return csr_array((length, (owner, middle.astype(np.intp))), shape=(n_out, n_in))


def _rounded_up(value: float) -> float:
    """Return the next of 1, 1.5, 2, 3, 4, 5, 6, 8, 10 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(value))
    steps = np.array([1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0])
    return float(steps[np.searchsorted(steps, value / power * (1.0 - 1e-9))] * power)
