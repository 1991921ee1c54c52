"""An image without holes, and its cosine transform, whose mirrored borders make no edges."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from maskreg.core.image.fill import filled
from maskreg.core.image.holes import Holes


class Whole:
    """An image whose ignored pixels are filled, for all that is read off its spectrum.

    Parameters
    ----------
    pixels : ndarray of float32
        Zero where `mask` is False.
    mask : ndarray of bool
        Not all False.
    holes : Holes, optional
        Of this mask, where single pixels are ignored.

    Attributes
    ----------
    pixels : ndarray of float32
        Filled.
    known : ndarray of bool
        The valid pixels, and the single ones between them.
    """

    def __init__(
        self, pixels: NDArray[np.float32], mask: NDArray[np.bool_], holes: Holes | None = None
    ) -> None:
        self.pixels = filled(pixels, mask) if holes is None else holes(pixels)
        self.known = mask if holes is None else mask | holes.places

    @cached_property
    def coefficients(self) -> NDArray[np.float32]:
        """The cosine transform, orthonormal: white noise of variance v has coefficients of variance v."""
        return coefficients_of(self.pixels)

    def forget(self) -> None:
        """Let go of the cosine transform, which is made again when it is needed."""
        self.__dict__.pop("coefficients", None)


def coefficients_of(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cosine transform, orthonormal."""
    return np.asarray(scipy.fft.dctn(image, norm="ortho"), np.float32)


def image_of(coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the image of which these are the cosine transform; they are overwritten."""
    return np.asarray(scipy.fft.idctn(coefficients, norm="ortho", overwrite_x=True), np.float32)
