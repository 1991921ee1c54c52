"""What projects the residual of a frame against a nearly known reference, and how noisy that is.

Noise and signal in the mean are not modelled but seen. The difference of the means of two halves
of the frames, scaled, is its *twin*: it has the noise of the mean, with all correlations that
interpolation made, and none of its signal. Products of two fields of the mean less those of its
twin are free of noise on average.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.interpolate_frame import interpolated
from maskreg.core.interpolation_error import SLOPE
from maskreg.core.spectrum import WIDTHS, LowPass, known_weights
from maskreg.core.whole import image_of
from maskreg.core.wiener import TRUNCATE, apply_matrix, signal_matrix

VARIANCE_WIDTHS = 1.5
"""The variance is read off the mean low-passed by so many widths of the gradient's low-pass: the
score of counts is the gradient of log(mu), in which both are smoothed alike."""

NARROWEST = 1.0
"""But by no less than this, px."""

LEAST_VARIANCE = 0.03
"""No pixel is taken to be less noisy than this part of the average one."""

FRACTIONS = ((0.0, 0.0), (0.0, 0.5), (0.5, 0.0), (0.5, 0.5))
"""Of a pixel: over these the effect of interpolation is averaged."""

LEAST_SIGNAL = 0.01
"""A direction that has less than this part of the sum of squared slopes is not known."""


@dataclass(frozen=True)
class Mean:
    """A mean of aligned frames and its twin, filled where nothing is known.

    Attributes
    ----------
    pixels, twin : (rows, cols) ndarray of float32
        The mean less `level`, and its noise without its signal.
    level : float
        What was taken off.
    weight : (rows, cols) ndarray of float32
        How many frames of the reference's exposure it is made of; 0 where nothing is known.
    counts : bool
        Whether the values are electrons.
    read_noise : float
        Electrons.
    """

    pixels: NDArray[np.float32]
    twin: NDArray[np.float32]
    level: float
    weight: NDArray[np.float32]
    counts: bool
    read_noise: float

    @cached_property
    def coefficients(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Orthonormal cosine transforms of pixels and twin."""
        pixels, twin = (scipy.fft.dctn(image, norm="ortho") for image in (self.pixels, self.twin))
        return pixels.astype(np.float32), twin.astype(np.float32)

    def low_passes(self) -> Iterator[LowPass]:
        """Yield filters to choose from, the best one first; each next one is wider."""
        weights = known_weights(*self.coefficients, float(np.median(self.weight[self.covered])))
        yield from (LowPass(weights, width) for width in WIDTHS)

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Where the mean is known."""
        return self.weight > 0


@dataclass(frozen=True)
class Normal:
    """Sums over common pixels that change little from step to step.

    Attributes
    ----------
    jacobian : (2, 2) ndarray
        Of the equation.
    lock : (2, 2) ndarray
        What the noise of the mean adds to the Jacobian; as much as a frame that is in the mean adds,
        whose noise in the gradient meets itself while it moves from where it is in the mean.
    of_frame, of_mean : (2, 2) ndarray
        Variance of its left side that the noise of a frame of the reference's exposure makes, and
        that of the mean.
    residual, residual_of_mean : float
        Expected weighted sum of squared residuals: the part of such a frame, if it is not
        interpolated, and that of the mean.
    own : float
        What the mean's noise makes of the sum that fits the intensity.
    """

    jacobian: NDArray[np.float64]
    lock: NDArray[np.float64]
    of_frame: NDArray[np.float64]
    of_mean: NDArray[np.float64]
    residual: float
    residual_of_mean: float
    own: float


class Fields:
    """The instruments of one low-pass.

    Attributes
    ----------
    width : float
        Of the low-pass, as the sigma of a Gaussian, px.
    instruments : (4, rows, cols) ndarray of float32
        P, P H and the two components of P K G (see `maskreg.core.known`).
    """

    def __init__(self, mean: Mean, low_pass: LowPass) -> None:
        self.width = width = low_pass.width
        self._variance = _variance(mean, width)
        n = np.maximum(mean.weight, 1e-30)
        p = np.where(mean.covered, 1 / (self._variance * (1 + 1 / n)), 0).astype(np.float32)
        self._slope, self._wrong = _slopes(mean.pixels), _slopes(mean.twin)
        value, noise = (image_of(low_pass.weigh(c)) for c in mean.coefficients)
        gradient, false = _slopes(value), _slopes(noise)
        per_frame = np.where(mean.covered, self._variance / n, 0)
        shown = np.where(mean.covered, (false**2).sum(axis=0) / 2, 0)
        scale = float(shown.sum(dtype=np.float64)) / max(float(per_frame.sum(dtype=np.float64)), 1e-30)
        inside = np.where(mean.covered, gradient, 0)
        matrix = signal_matrix(inside, np.float32(scale) * per_frame.astype(np.float32), width)
        self._gradient, self._false = apply_matrix(matrix, gradient), apply_matrix(matrix, false)
        self._gradient -= _centre(p, self._gradient)
        value = value[None] - _centre(p, value[None])
        self._p, self._per_frame = p, per_frame
        self._shown = p * mean.twin**2
        self._own = p * noise * mean.twin
        self._softened = 1.0
        self.instruments = np.ascontiguousarray(np.concatenate([p[None], p * value, p * self._gradient]))

    def normal(self, common: NDArray[np.bool_]) -> Normal | None:
        """Return the sums over a set of pixels; None where noise hides a direction."""
        p, v = self._p[common], self._variance[common]
        g, d = self._gradient[:, common], self._slope[:, common]
        f, w = self._false[:, common], self._wrong[:, common]
        raw = _products(p, g, d)
        lock = _products(p, f, w)
        jacobian = raw - lock
        jacobian = (jacobian + jacobian.T) / 2
        if p.size < 3 or not np.linalg.eigvalsh(jacobian)[0] > LEAST_SIGNAL * float(np.trace(raw)):
            return None
        of_mean = p * p * self._per_frame[common]
        signal = _products(of_mean, g, g) - _products(of_mean, f, f)
        values, vectors = np.linalg.eigh((signal + signal.T) / 2)
        return Normal(
            jacobian,
            (lock + lock.T) / 2,
            self._softened * _products(p * p * v, g, g),
            (vectors * np.maximum(values, 0)) @ vectors.T,
            float((p * v).sum(dtype=np.float64)),
            float(self._shown[common].sum(dtype=np.float64)),
            float(self._own[common].sum(dtype=np.float64)),
        )

    def soften(self) -> None:
        """Allow for what interpolation does to the noise that meets the finest parts of the instrument.

        What it takes off the noise of the frame does not get through; the average over fractions.
        """
        fields = [np.sqrt(self._variance) * field for field in self.instruments[2:]]
        energy = sum(float((f**2).sum(dtype=np.float64)) for f in fields)
        left = [
            float((interpolated(f, np.array(fraction)) ** 2).sum(dtype=np.float64))
            for f in fields
            for fraction in FRACTIONS
        ]
        self._softened = sum(left) / len(FRACTIONS) / max(energy, 1e-30)

    def forecast(self, common: NDArray[np.bool_]) -> float:
        """Return the variance of the shift, summed over both axes, px²; inf where it is not known."""
        normal = self.normal(common)
        if normal is None:
            return np.inf
        inverse = np.linalg.inv(normal.jacobian)
        return float(np.trace(inverse @ (normal.of_frame + normal.of_mean) @ inverse.T))


def _variance(mean: Mean, width: float) -> NDArray[np.float32]:
    """Return the variance of a pixel of one frame of the reference's exposure."""
    if not mean.counts:
        shown = mean.twin[mean.covered].astype(np.float64) ** 2 * mean.weight[mean.covered]
        return np.full(mean.pixels.shape, max(float(shown.mean()), 1e-30), np.float32)
    smooth = _low(mean.pixels[None], max(NARROWEST, VARIANCE_WIDTHS * width))[0] + np.float32(mean.level)
    model = np.maximum(smooth, 0) + np.float32(mean.read_noise**2)
    least = LEAST_VARIANCE * float(model[mean.covered].mean(dtype=np.float64))
    return np.asarray(np.maximum(model, np.float32(max(least, 1e-30))))


def _centre(weight: NDArray[np.float32], fields: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weighted mean of each field: without it a constant offset projects on nothing."""
    total = max(float(weight.sum(dtype=np.float64)), 1e-30)
    sums = (weight * fields).sum(axis=(1, 2), dtype=np.float64)
    return np.asarray(sums / total, np.float32)[:, None, None]


def _products(
    weight: NDArray[np.float32], one: NDArray[np.float32], other: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return the sums of weight one_i other_j, (2, 2)."""
    return np.array([[float((weight * a * b).sum(dtype=np.float64)) for b in other] for a in one])


def _slopes(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.stack([scipy.ndimage.correlate1d(image, SLOPE, axis, mode="nearest") for axis in (0, 1)])


def _low(fields: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    return np.asarray(
        scipy.ndimage.gaussian_filter(fields, (0, width, width), mode="nearest", truncate=TRUNCATE)
    )
