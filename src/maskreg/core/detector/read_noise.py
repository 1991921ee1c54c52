"""Read noise of faint counts: how much there is, and how many electrons a value stands for.

A detector that rounds makes ones out of nothing where its read noise is half an electron, more of them than
a faint frame has electrons; a two is an electron nearly always. The search of faint frames weighs counts by
what they know of the brightness: the derivative of log p(value | brightness), which by Fisher's identity is
E / brightness - 1, E being the electrons that are to be expected behind a value there.

How much read noise there is one image tells: rounded Gaussians make ones and hardly any twos, Poisson's
electrons both, and structure more of the twos (a negative binomial, whose shape is fitted as well).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import scipy.special
from numpy.typing import NDArray

from maskreg.core.detector.noise import SPARSE
from maskreg.core.image.detail import BinnedPlane, LocalPlane, plane_of
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import MaskPyramid
from maskreg.core.image.sample import sampled_rows
from maskreg.core.image.stabilise import Detector, poisson

BRIGHTNESS_PX = 20.0
"""Sigma of the local plane that is taken for the brightness, px."""

READ_NOISES = (0.0, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 1.0)
"""To choose from, electrons. Rounding leaves nothing of less, and of more no single electron is seen."""

SHAPES = (np.inf, 30.0, 10.0, 5.0, 3.0, 2.0, 1.0, 0.5, 0.3, 0.2)
"""Of the negative binomial: one over the squared contrast of the structure."""

CLASSES = 16
"""The pixels are sorted by local brightness into so many classes of equal size."""

MOST_COUNTED = 6
"""Greater values are not told apart when the read noise is fitted."""

SURE = 3.0
"""Read noise is believed in if the log-likelihood is so much greater than without it."""

FINEST_STEP = 0.1
"""Values of a step finer than this, electrons, are looked at together."""

RESTORED_UP_TO = 40.0
"""Values of more electrons are as good as their electrons."""

LEAST_BRIGHTNESS, MOST_BRIGHTNESS = 1e-3, 20.0
"""Of the tables, electrons."""

DEEPEST = 8.0
"""Values so many standard deviations of the read noise below no electron stand for all lower ones."""

EVENED_FROM = 0.25
"""Noise is evened out from this brightness on, electrons: below, one must not tower over the rest."""


@dataclass(frozen=True)
class RestoredDetector(Detector):
    """A detector whose values are replaced by the electrons that are to be expected behind them.

    Attributes
    ----------
    step, lowest : float
        Between values, and of the lowest one, electrons.
    rounded : float
        Read noise before rounding, electrons.
    """

    step: float = 1.0
    lowest: float = 0.0
    rounded: float = 0.0

    @cached_property
    def expected(self) -> NDArray[np.float64]:
        """Electrons to be expected, (brightnesses, values)."""
        read = self._read
        chance = _electrons(_brightnesses(), read.shape[1])
        seen = chance @ read.T
        found = (chance * np.arange(read.shape[1])) @ read.T / np.maximum(seen, 1e-300)
        # what no brightness makes is what it is
        return np.asarray(np.where(seen > 1e-12, found, np.maximum(self.values, 0.0)))

    @cached_property
    def means(self) -> NDArray[np.float64]:
        """Mean value of each brightness of the table, electrons."""
        return np.asarray(self._chances @ self.values)

    @cached_property
    def noise_table(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ascending means, and variances, of the stabilised expected electrons."""
        stabilised = 2 * np.sqrt(self.expected + self.pad)
        centres = (self._chances * stabilised).sum(axis=1)
        return centres, (self._chances * (stabilised - centres[:, None]) ** 2).sum(axis=1)

    @cached_property
    def least_noise(self) -> float:
        """Noise is not evened out below this variance."""
        return float(np.interp(EVENED_FROM, _brightnesses(), self.noise_table[1]))

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """Electrons of each value of the table."""
        number = int((RESTORED_UP_TO - self.lowest) / self.step) + 1
        return np.asarray(self.lowest + self.step * np.arange(number), np.float64)

    @cached_property
    def _read(self) -> NDArray[np.float64]:
        return _read(self.values, self.step, self.rounded, int(1.5 * RESTORED_UP_TO))

    @cached_property
    def _chances(self) -> NDArray[np.float64]:
        """Probability of each value, (brightnesses, values)."""
        return np.asarray(_electrons(_brightnesses(), self._read.shape[1]) @ self._read.T)


class Restoration:
    """What replaces the values of faint frames by the electrons to be expected behind them.

    Parameters
    ----------
    detector : Detector
        As named or supposed.
    read_noise : float
        Before rounding, electrons.
    """

    def __init__(self, detector: Detector, read_noise: float) -> None:
        step = detector.gain * max(1, round(FINEST_STEP / detector.gain))
        nothing = detector.offset * detector.gain
        lowest = step * max(0.0, np.floor((nothing - DEEPEST * read_noise) / step)) - nothing
        self.detector = RestoredDetector(True, step=step, lowest=float(lowest), rounded=read_noise)
        self._named = detector
        self._last: tuple[MaskPyramid, LocalPlane | BinnedPlane] | None = None

    def __call__(self, image: Prepared) -> Prepared:
        """Return the image with its values replaced."""
        detector, electrons = self.detector, self._named.electrons(image.raw).astype(np.float32)
        at = np.rint((electrons - np.float32(detector.lowest)) / np.float32(detector.step))
        known = at < len(detector.values)
        value = np.clip(at, 0, len(detector.values) - 1).astype(np.intp)
        seen = np.where(image.mask, np.minimum(electrons, np.float32(RESTORED_UP_TO)), np.float32(0))
        place = np.interp(self._plane(image.masks)(seen), detector.means, np.arange(len(detector.means)))
        below = np.minimum(place.astype(np.intp), len(detector.means) - 2)
        part = (place - below).astype(np.float32)
        table = detector.expected.astype(np.float32)
        restored = (1 - part) * table[below, value] + part * table[below + 1, value]
        return Prepared(np.where(known, restored, electrons), image.masks, detector)

    def _plane(self, masks: MaskPyramid) -> LocalPlane | BinnedPlane:
        """Return the plane of a mask; kept for the last one."""
        last = self._last  # another thread may put another one there
        if last is None or last[0] is not masks:
            last = self._last = masks, plane_of(masks.mask, BRIGHTNESS_PX)
        return last[1]


def restoration_of(reference: Prepared) -> Restoration | None:
    """Return what restores frames of this reference; None where counts are as good as their electrons."""
    named, typical = reference.detector, reference.typical
    if not named.counts or typical is None or float(named.electrons(np.array(typical))) >= SPARSE:
        return None
    told = named != Detector(True)
    read_noise = named.read_noise if told else fitted_read_noise(reference.raw, reference.mask)
    return Restoration(named, read_noise) if read_noise > 0 else None


def fitted_read_noise(counts: NDArray[Any], mask: NDArray[np.bool_]) -> float:
    """Return the read noise that the counts of a faint image show, electrons; 0 if it is in doubt."""
    plane = plane_of(mask, BRIGHTNESS_PX)
    brightness = plane(np.where(mask, np.minimum(counts, RESTORED_UP_TO), 0).astype(np.float32))
    rows = sampled_rows(mask)
    valid = mask[rows]
    # what is taken off of counts, such as stripes, may leave less than nothing
    seen = np.clip(counts[rows][valid], 0, MOST_COUNTED).astype(np.intp)
    local = brightness[rows][valid]
    edges = np.quantile(local, np.arange(1, CLASSES) / CLASSES)
    of = np.searchsorted(edges, local)
    number = np.zeros((CLASSES, MOST_COUNTED + 1))
    np.add.at(number, (of, seen), 1)
    mean = np.bincount(of, local, CLASSES) / np.maximum(number.sum(axis=1), 1)
    likely = [max(_log_likelihood(number, mean, noise, shape) for shape in SHAPES) for noise in READ_NOISES]
    best = int(np.argmax(likely))
    return READ_NOISES[best] if likely[best] > likely[0] + SURE else 0.0


def _log_likelihood(
    number: NDArray[np.float64], mean: NDArray[np.float64], noise: float, shape: float
) -> float:
    """Return that of the numbers of each value, (classes, values), for classes of these mean values."""
    electrons = int(1.5 * RESTORED_UP_TO)
    values = np.arange(float(electrons))
    read = _read(values, 1.0, noise, electrons)
    means = _electrons(_brightnesses(), electrons, shape) @ read.T @ values
    chance = _electrons(np.interp(mean, means, _brightnesses()), electrons, shape) @ read.T
    told = np.hstack([chance[:, :MOST_COUNTED], chance[:, MOST_COUNTED:].sum(axis=1, keepdims=True)])
    return float((number * np.log(np.maximum(told, 1e-30))).sum())


def _read(values: NDArray[np.float64], step: float, noise: float, electrons: int) -> NDArray[np.float64]:
    """Return the probability of each value, of so many electrons: (values, electrons).

    The lowest and the greatest value stand for all that are beyond.
    """
    sigma = max(noise, 1e-6)
    edges = (values[:-1, None] + step / 2 - np.arange(electrons)) / sigma
    below = np.vstack([np.zeros(electrons), scipy.special.ndtr(edges), np.ones(electrons)])
    return np.diff(below, axis=0)


def _electrons(brightness: NDArray[np.float64], most: int, shape: float = np.inf) -> NDArray[np.float64]:
    """Return the probability of 0, 1, ... electrons, (brightnesses, most)."""
    n, mean = np.arange(most), brightness[:, None]
    if np.isinf(shape):
        return poisson(n, mean)
    log = scipy.special.gammaln(n + shape) - scipy.special.gammaln(shape) - scipy.special.gammaln(n + 1)
    return np.asarray(
        np.exp(log + shape * np.log(shape / (shape + mean)) + n * np.log(mean / (shape + mean)))
    )


@cache
def _brightnesses() -> NDArray[np.float64]:
    return np.geomspace(LEAST_BRIGHTNESS, MOST_BRIGHTNESS, 80)
