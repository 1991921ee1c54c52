"""Images that have nothing to do with each other, from rough to smooth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft


def noise_field(shape: tuple[int, ...], exponent: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a random field whose amplitude spectrum falls as 1 / frequency^exponent.

    Two of them are unrelated: what a registration finds between them is chance. The field is
    cut from one twice as large along each axis, so that its opposite edges do not match.

    Parameters
    ----------
    shape : tuple of int
        Any number of axes, px.
    exponent : float
        0 is white; 1 resembles natural images; 2 is smooth.
    rng : numpy.random.Generator
        Draws the field.

    Returns
    -------
    float64, of `shape`
        Mean 0, standard deviation 1 (0 for a single pixel).
    """
    double = tuple(2 * n for n in shape)
    spectrum = fft.rfftn(rng.standard_normal(double))
    spectrum *= _falling_amplitude(double, exponent)
    field: NDArray[np.float64] = fft.irfftn(spectrum, double)
    field = field[tuple(slice(n) for n in shape)]
    field = field - field.mean()
    return field / (field.std() or 1.0)


def _falling_amplitude(shape: tuple[int, ...], exponent: float) -> NDArray[np.float64]:
    """Return f^-exponent on the grid of a real transform of `shape`, and 0 at zero frequency."""
    axes = [*(fft.fftfreq(n) for n in shape[:-1]), fft.rfftfreq(shape[-1])]
    squares = np.zeros(())
    for axis in axes:
        squares = squares[..., None] + axis**2
    squares[(0,) * len(shape)] = 1.0
    amplitude: NDArray[np.float64] = squares ** (-exponent / 2.0)
    amplitude[(0,) * len(shape)] = 0.0
    return amplitude
