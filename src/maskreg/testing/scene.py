"""What every scene is: an expected image that can be evaluated exactly at any drift."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import InputError

Drift = Sequence[float] | NDArray[np.float64]
"""Rows and columns, px, by which the content has moved; the shift to apply is its negative."""

_DIFFERENCE_STEP = 0.05
"""Of `Scene.gradient`, px: truncation (step^4) and rounding (1/step) are both below 1e-6 here."""


class Scene(ABC):
    """An expected image that moves exactly.

    ``scene.render(drift)`` at pixel x is the integral over that pixel of the scene at
    x - drift. A scene is scaled so that the mean of ``render((0, 0))`` is 1: multiplied by a
    dose it is the expected number of electrons per pixel.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the rendered frame.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        if len(shape) != 2 or min(shape) < 1:
            raise InputError(f"shape is {shape}; a scene has rows and columns, at least one of each")
        self.shape = (int(shape[0]), int(shape[1]))

    def render(self, drift: Drift = (0.0, 0.0)) -> NDArray[np.float64]:
        """Return the expected image when the content has moved by `drift`.

        Parameters
        ----------
        drift : (2,) float
            Rows and columns, px.

        Returns
        -------
        (rows, columns) float64
            Integrated over each pixel, never negative; mean 1 at drift (0, 0).
        """
        row, column = _checked_drift(drift)
        return self._intensity(row, column) * self._scale

    def gradient(self, drift: Drift = (0.0, 0.0)) -> NDArray[np.float64]:
        """Return the derivative of `render` by the drift.

        A fourth-order central difference of exact renders, good to about 1e-6 of its own size.

        Parameters
        ----------
        drift : (2,) float
            Rows and columns, px.

        Returns
        -------
        (2, rows, columns) float64
            By the row drift and by the column drift, per px.
        """
        row, column = _checked_drift(drift)
        return np.stack([self._derivative(row, column, axis) for axis in (0, 1)])

    @abstractmethod
    def _intensity(self, row: float, column: float) -> NDArray[np.float64]:
        """Return the image in arbitrary units, its content moved by (row, column) px."""

    @cached_property
    def _scale(self) -> float:
        """One over the mean of the undrifted image."""
        return 1.0 / float(self._intensity(0.0, 0.0).mean())

    def _derivative(self, row: float, column: float, axis: int) -> NDArray[np.float64]:
        def difference(step: float) -> NDArray[np.float64]:
            move = (step, 0.0) if axis == 0 else (0.0, step)
            ahead = self._intensity(row + move[0], column + move[1])
            behind = self._intensity(row - move[0], column - move[1])
            return ahead - behind

        h = _DIFFERENCE_STEP
        return (8.0 * difference(h) - difference(2.0 * h)) * (self._scale / (12.0 * h))


def _checked_drift(drift: Drift) -> tuple[float, float]:
    if len(drift) != 2 or not np.all(np.isfinite(drift)):
        raise InputError(f"drift is {drift}; it must be two finite numbers, rows and columns in px")
    return float(drift[0]), float(drift[1])
