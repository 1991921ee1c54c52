"""A matched filter for the search of faint images, where noise drowns single pixels.

Of a signal of power P in white noise v in both images, the log-likelihood of a lag is their product
with the weights h = rho / (1 + 2 rho), rho = P / v, of each frequency (`frequencies.spectrum`). So both
images are filtered by the root of h, which the reference's own spectrum tells; how wide a blur finds the
place nobody has to choose.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskreg.core.frequencies.low_pass import cosine_frequencies
from maskreg.core.frequencies.spectrum import search_filter
from maskreg.core.image.detail import Detail
from maskreg.core.image.whole import coefficients_of, image_of
from maskreg.core.lags.spectra import sum_of_squares

LEVEL = 5.0
"""About what the greatest of many lags reaches by chance, standard deviations.

A smooth Gaussian map passes a level u as often as one of independent values would that are
(sqrt(2 pi) / (slope u)) lags apart along each axis, the slope being its derivative's standard deviation
(Adler, *The Geometry of Random Fields*, 1981)."""


class Matched:
    """The filter that a reference asks for.

    Parameters
    ----------
    reference : ndarray of float32
        Its detail (`image.detail`), zero where ignored.

    Attributes
    ----------
    width : float
        Of a Gaussian that passes frequencies as far, sigma in px.
    resolved : float
        How many independent values a pixel of filtered noise is worth.
    independent : float
        How many independent values each lag of unrelated images is worth, as to how high the greatest is.
    kept : float
        Part of the variance of white noise that the filter keeps.
    slope : float
        Standard deviation of the derivative, per lag, of a map of unrelated images in units of its spread.
    """

    def __init__(self, reference: NDArray[np.float32]) -> None:
        self._low_pass = search_filter(coefficients_of(reference))
        response = self._low_pass.response(cosine_frequencies(reference.shape))
        self.width = self._low_pass.width
        self.kept = float((response**2).mean(dtype=np.float64))
        fourth = float((response**4).mean(dtype=np.float64))
        self.resolved = self.kept**2 / max(fourth, 1e-30)
        # products of two noises have the spectrum of the response to the fourth
        squared = (2 * np.pi * cosine_frequencies(reference.shape)[0]) ** 2
        passed = (response**4).reshape(len(squared), -1).mean(axis=1, dtype=np.float64)
        self.slope = float(np.sqrt((passed * squared).sum() / max(float(passed.sum()), 1e-30)))
        self.independent = min(1.0, (self.slope * LEVEL / np.sqrt(2 * np.pi)) ** reference.ndim)

    def __call__(self, found: Detail, mask: NDArray[np.bool_]) -> Detail:
        """Return the filtered detail of an image of this mask, of the same window."""
        pixels = self.filtered(found.pixels, mask)
        padded = np.zeros_like(found.padded)
        corner = tuple(slice(0, n) for n in pixels.shape)
        padded[0][corner] = pixels
        padded[1][corner] = pixels * pixels
        return Detail(pixels, padded, sum_of_squares(pixels), found.whole)

    def filtered(self, pixels: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return the filtered pixels of an image of this mask."""
        out = image_of(self._low_pass.weigh(coefficients_of(pixels)))
        out[~mask] = 0
        return out
