"""Low-passes that depend on |f| only: weights at rings of frequencies, times a Gaussian."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from maskreg.core.frequencies.spectrum_kernels import weighed
from maskreg.core.image.interpolate import lagrange_taps

RINGS = (8, 128)
"""The fewest and the most rings of frequencies that are told apart."""

FINER = 8
"""The filter is tabulated at so many radii a ring."""


@dataclass(frozen=True)
class LowPass:
    """A filter that depends on |f|: weights times a Gaussian.

    Attributes
    ----------
    weights : (rings,) ndarray of float64
        At the middles of rings that divide |f| from 0 to 0.5 cycles/px evenly; the last one also
        stands for all beyond.
    gaussian : float
        Sigma, px; 0 for none.
    """

    weights: NDArray[np.float64]
    gaussian: float

    def response(self, frequencies: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
        """Return the filter on the grid of these frequencies along each axis, cycles/px."""
        out = on_grid(self.profile, frequencies)
        for f in np.meshgrid(*frequencies, indexing="ij", sparse=True):
            out *= kept_half_way(f).astype(np.float32)
        return np.asarray(out)

    def weigh(self, coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the cosine transform of an image times the filter."""
        *others, along = cosine_frequencies(coefficients.shape)
        *gains, gain = (kept_half_way(f).astype(np.float32) for f in (*others, along))
        across = np.ones(1, np.float32)
        for values in gains:
            across = np.multiply.outer(across, values).ravel()
        found = weighed(
            coefficients.reshape(-1, along.size), squared_frequencies(others), across, along**2, gain,
            self.profile, np.float32(2 * FINER * len(self.weights)),
        )  # fmt: skip
        return np.asarray(found).reshape(coefficients.shape)

    @cached_property
    def profile(self) -> NDArray[np.float32]:
        """The filter over the radius from 0 to 0.5 cycles/px, `FINER` values a ring."""
        weights = finer(self.weights)
        f = ring_frequencies(len(weights))
        return (weights * np.exp(-2 * (np.pi * self.gaussian * f) ** 2)).astype(np.float32)

    @cached_property
    def width(self) -> float:
        """Sigma of the Gaussian that passes frequencies as far, px."""
        profile = self.profile
        f = ring_frequencies(len(profile))
        passed = profile * f  # a ring's length grows with its radius
        return float(np.sqrt(2 * passed.sum() / max(float((passed * (2 * np.pi * f) ** 2).sum()), 1e-30)))


def number_of_rings(shape: tuple[int, ...]) -> int:
    """Return how many rings of frequencies are told apart in an image."""
    return int(np.clip(min(shape) // 2, *RINGS))


def ring_frequencies(rings: int) -> NDArray[np.float64]:
    """Return the middles of rings that divide |f| from 0 to 0.5 cycles/px evenly."""
    return (np.arange(rings) + 0.5) / (2 * rings)


def finer(rings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what is known at the middles of rings at `FINER` radii a ring."""
    places = (np.arange(FINER * len(rings)) + 0.5) / FINER
    return np.interp(places, np.arange(len(rings)) + 0.5, rings)


def on_grid(profile: NDArray[np.float32], frequencies: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
    """Return a function of |f|, tabulated from 0 to 0.5 cycles/px, on the grid of these frequencies."""
    place = radius_of(frequencies) * np.float32(2 * len(profile))
    return np.asarray(profile[np.minimum(place, len(profile) - 1).astype(np.int32)])


def gaussian_low_pass(width: float) -> LowPass:
    """Return a filter that is no more than a Gaussian of this sigma, px."""
    return LowPass(np.ones(RINGS[1]), width)


def kept_half_way(f: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return what six-tap interpolation half-way between pixels keeps of the power of a frequency.

    What it does not keep it makes up: such frequencies tell little.
    """
    first, taps = lagrange_taps(0.5)
    offsets = first + np.arange(len(taps)) - 0.5
    kept = sum(tap * np.cos(2 * np.pi * offset * f) for tap, offset in zip(taps, offsets, strict=True))
    return np.asarray(np.maximum(kept, 0.0) ** 2)


def cosine_frequencies(shape: tuple[int, ...]) -> list[NDArray[np.float32]]:
    """Return the frequencies of an image's cosine transform along each axis, cycles/px."""
    return [(np.arange(n) / (2 * n)).astype(np.float32) for n in shape]


def squared_frequencies(frequencies: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the sum of squares of the frequencies along some axes, on their flattened grid."""
    out = np.zeros(1, np.float32)
    for f in frequencies:
        out = np.add.outer(out, f**2).ravel()
    return out


def radius_of(frequencies: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
    """Return |f| on the grid of these frequencies along each axis."""
    grid = np.meshgrid(*frequencies, indexing="ij", sparse=True)
    return np.asarray(np.sqrt(sum(f.astype(np.float32) ** 2 for f in grid)))
