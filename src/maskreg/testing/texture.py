"""A random band-limited texture, as in images of tissue, terrain or amorphous films."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from maskreg.testing.scene import Scene

_HIGHEST = 0.40
"""No content at or above this frequency, cycles/px: below Nyquist, so that it moves exactly."""

_BLUR = 0.7
"""Sigma of the optics' point spread, px."""


class Texture(Scene):
    """One realisation of a 1/f random field, cut off at 0.40 cycles/px.

    It lives on a periodic field half as large again as the frame (plus 32 px) and is moved by
    the phases of its Fourier coefficients, which is exact. Drifts of more than a quarter of the
    frame bring content back in on the other side.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns, px.
    seed : int
        Draws the field.
    contrast : float
        Standard deviation over mean.
    """

    def __init__(self, shape: tuple[int, int] = (256, 256), seed: int = 2, *, contrast: float = 0.35) -> None:
        super().__init__(shape)
        rows, columns = (fft.next_fast_len(n + n // 2 + 32, real=True) for n in self.shape)
        self._field_shape = (rows, columns)
        self._corner = ((rows - self.shape[0]) // 2, (columns - self.shape[1]) // 2)
        self._frequencies = (fft.fftfreq(rows), fft.rfftfreq(columns))
        # the few lowest frequencies would be a tilt of the frame, not a texture
        self._lowest = 3.0 / min(self._field_shape)
        noise = np.random.default_rng(seed).standard_normal(self._field_shape)
        spectrum = fft.rfft2(noise) * self._amplitude(self._frequencies[0][:, None], self._frequencies[1])
        field = fft.irfft2(spectrum, self._field_shape)
        self._strength = contrast / float(field.std())
        pedestal = max(1.0, 0.08 - self._strength * float(field.min()))
        self._spectrum = spectrum * self._strength
        self._spectrum[0, 0] = pedestal * rows * columns

    def power(
        self, row_frequency: NDArray[np.float64], column_frequency: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the power spectral density of the ensemble this scene was drawn from.

        Parameters
        ----------
        row_frequency, column_frequency : float64, broadcast against each other
            Frequencies, cycles/px, within -0.5 to 0.5.

        Returns
        -------
        float64
            Density of the variance, px², of the scene of mean 1: its integral over all
            frequencies is the variance of `render`.
        """
        return (self._amplitude(row_frequency, column_frequency) * self._strength * self._scale) ** 2

    def _amplitude(
        self, row_frequency: NDArray[np.float64], column_frequency: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the transfer from white noise to texture: 1/f, optics, square pixels, band limits."""
        f = np.hypot(row_frequency, column_frequency)
        blur = np.exp(-2.0 * (np.pi * _BLUR * f) ** 2)
        pixel = np.sinc(row_frequency) * np.sinc(column_frequency)
        inside = (f > self._lowest) & (f < _HIGHEST)
        return np.where(inside, blur * pixel / np.maximum(f, self._lowest), 0.0)

    def _intensity(self, row: float, column: float) -> NDArray[np.float64]:
        moved = self._spectrum * np.exp(-2j * np.pi * row * self._frequencies[0])[:, None]
        moved *= np.exp(-2j * np.pi * column * self._frequencies[1])
        field: NDArray[np.float64] = fft.irfft2(moved, self._field_shape, overwrite_x=True)
        top, left = self._corner
        return field[top : top + self.shape[0], left : left + self.shape[1]].copy()
