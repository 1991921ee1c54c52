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

from maskreg.core.aligned.interpolate_frame import interpolated
from maskreg.core.frequencies.interpolation_error import SLOPE
from maskreg.core.frequencies.low_pass import LowPass
from maskreg.core.frequencies.spectrum import WIDTHS, known_weights
from maskreg.core.frequencies.wiener import BAND, TRUNCATE, apply_matrix, signal_matrix
from maskreg.core.image.whole import image_of
from maskreg.core.lags.spectra import sum_of_squares

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

    def forget(self) -> None:
        """Let go of what only the choice of a low-pass needs."""
        self.__dict__.pop("coefficients", None)

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
        P, P H and the two components of P K G (see `aligned.known`).
    """

    def __init__(self, mean: Mean, low_pass: LowPass) -> None:
        self.width = width = low_pass.width
        self._variance = _variance(mean, width)
        self._per_frame = np.where(mean.covered, self._variance / np.maximum(mean.weight, 1e-30), 0)
        self._slope, self._wrong = _slopes(mean.pixels), _slopes(mean.twin)
        value, noise = (image_of(low_pass.weigh(c)) for c in mean.coefficients)
        gradient, false = _slopes(value), _slopes(noise)
        matrix = self._signal_matrix(mean.covered, gradient, false)
        self._gradient, self._false = apply_matrix(matrix, gradient), apply_matrix(matrix, false)
        del matrix
        self.instruments = self._instruments(mean, value)
        self._own = self.instruments[0] * noise * mean.twin
        self._shown = self.instruments[0] * mean.twin**2
        self._softened = 1.0

    def _signal_matrix(
        self, covered: NDArray[np.bool_], gradient: NDArray[np.float32], false: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return what leaves of a gradient what is signal; `false` is that of the noise alone."""
        shown = float(sum((f[covered] ** 2).sum(dtype=np.float64) for f in false)) / 2
        scale = shown / max(float(self._per_frame.sum(dtype=np.float64)), 1e-30)
        inside = np.where(covered, gradient, 0)
        return signal_matrix(inside, np.float32(scale) * self._per_frame, self.width)

    def _instruments(self, mean: Mean, value: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return P, P H and P K G; what they project on a constant is off from H and G."""
        out = np.empty((4, *value.shape), np.float32)
        n = np.maximum(mean.weight, 1e-30)
        p = np.where(mean.covered, 1 / (self._variance * (1 + 1 / n)), 0).astype(np.float32)
        self._gradient -= _centre(p, self._gradient)
        value -= _centre(p, value[None])[0]
        out[0], out[1], out[2:] = p, p * value, p * self._gradient
        return out

    def normal(self, common: NDArray[np.bool_]) -> Normal | None:
        """Return the sums over a set of pixels; None where noise hides a direction."""
        raw, lock, frame, of_mean, noise = (np.zeros((2, 2)) for _ in range(5))
        number, residual, shown, own = 0, 0.0, 0.0, 0.0
        for i in range(0, len(common), BAND):
            band = slice(i, i + BAND)
            here = common[band]
            p, v = self.instruments[0, band][here], self._variance[band][here]
            g, d = self._gradient[:, band][:, here], self._slope[:, band][:, here]
            f, w = self._false[:, band][:, here], self._wrong[:, band][:, here]
            raw += _products(p, g, d)
            lock += _products(p, f, w)
            frame += _products(p * p * v, g, g)
            weight = p * p * self._per_frame[band][here]
            of_mean += _products(weight, g, g)
            noise += _products(weight, f, f)
            number += p.size
            residual += float((p * v).sum(dtype=np.float64))
            shown += float(self._shown[band][here].sum(dtype=np.float64))
            own += float(self._own[band][here].sum(dtype=np.float64))
        jacobian = raw - lock
        jacobian = (jacobian + jacobian.T) / 2
        if number < 3 or not np.linalg.eigvalsh(jacobian)[0] > LEAST_SIGNAL * float(np.trace(raw)):
            return None
        signal = of_mean - noise
        values, vectors = np.linalg.eigh((signal + signal.T) / 2)
        return Normal(
            jacobian,
            (lock + lock.T) / 2,
            self._softened * frame,
            (vectors * np.maximum(values, 0)) @ vectors.T,
            residual,
            shown,
            own,
        )

    def soften(self) -> None:
        """Allow for what interpolation does to the noise that meets the finest parts of the instrument.

        What it takes off the noise of the frame does not get through; the average over fractions.
        """
        energy, left = 0.0, 0.0
        for field in self.instruments[2:]:
            noise = np.sqrt(self._variance) * field
            energy += sum_of_squares(noise)
            left += sum(sum_of_squares(interpolated(noise, np.array(fraction))) for fraction in FRACTIONS)
        self._softened = left / len(FRACTIONS) / max(energy, 1e-30)

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
