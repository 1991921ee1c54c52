"""Things a laboratory has: each simulated by itself, as pairs and where it needs one as a series.

The drifts of the pairs are fixed, so that a pull towards zero (or any other place) shows as a bias:
each is repeated with fresh noise, and the greatest mean error over all drifts and axes is given in
units of the claimed sigma (pure noise shows about twice its standard error). A series wanders; its
first frame is the reference, whose noise all its errors share: a series is one sample of the bias.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import erf

from benchmarks.accuracy.figures import summarise
from benchmarks.accuracy.garbage import hide
from benchmarks.accuracy.pairs import Answer, Measured, Outcomes, gathered, mapper
from maskreg.testing import (
    Detector,
    DiffuseRings,
    Rings,
    Scene,
    Spots,
    beam_block,
    noise_field,
    pair_bound,
)
from maskreg.testing.block import distance_to_block

SHAPE = (192, 192)
DOSE = 100.0
DRIFTS = ((0.3, 0.4), (3.4, -4.7), (-12.6, 8.2), (17.5, 15.3))
FRAMES = 24
"""Of a series."""

MOST_FLAGGED = 0.05
MOST_BIAS = 1.0
"""Limits of the issue: part of the frames flagged, and bias in sigmas."""

COUNTER = Detector(read_noise=0.3, dtype=np.uint16)
CAMERA = Detector(gain=0.4, offset=100.0, read_noise=1.5, dtype=np.uint16)

Light = Callable[[NDArray[np.float64], int, np.random.Generator], NDArray[np.float64]]
"""Changes the expected image (mean 1) of frame number k."""


@dataclass(frozen=True)
class Situation:
    """What is wrong with the frames.

    Attributes
    ----------
    name : str
        For the table.
    scenes : (Scene, Scene)
        Of the first frame and of the later ones; the bound is that of the first.
    mask : (rows, columns) bool
        True = valid; what the user passes.
    light : callable
        What happens to the expected image.
    detector : object with ``expose``
        What makes counts of electrons.
    drifts : ((float, float), ...)
        Of the pairs, px.
    saturation : float, optional
        Pixels from this count on are masked, frame by frame.
    options : dict
        What the user tells.
    series : bool
        Whether it is measured as a series as well.
    limited : bool
        Whether the limits hold; False: measured to show what happens if it is left as it is.
    """

    name: str
    scenes: tuple[Scene, Scene]
    mask: NDArray[np.bool_] = field(default_factory=lambda: beam_block(SHAPE))
    light: Light = lambda image, k, rng: image
    detector: Any = COUNTER
    drifts: Sequence[tuple[float, float]] = DRIFTS
    saturation: float | None = None
    options: dict[str, float] = field(default_factory=dict)
    series: bool = False
    limited: bool = True

    def record(
        self, drifts: Sequence[Sequence[float]], rng: np.random.Generator
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Return frames (n, rows, columns) and the mask of each."""
        images = [self.scenes[min(k, 1)].render(drift) for k, drift in enumerate(drifts)]
        frames = np.stack(
            [self.detector.expose(DOSE * self.light(image, k, rng), rng) for k, image in enumerate(images)]
        )
        hide(frames, self.mask, DOSE, rng)
        masks = np.broadcast_to(self.mask, frames.shape)
        return frames, masks if self.saturation is None else masks & (frames < self.saturation)

    def bound(self, drift: Sequence[float]) -> NDArray[np.float64]:
        """Return the bound of a pair without the trouble, px²."""
        return pair_bound(self.scenes[0], drift, self.mask, DOSE, 0.3)


@dataclass(frozen=True)
class BlurringDetector:
    """A camera whose point spread comes after the counting: neighbours share their noise."""

    width: float
    camera: Detector = field(default_factory=lambda: Detector(gain=0.1, dtype=np.uint16))

    def expose(self, electrons: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.generic]:
        """Return one noisy frame, ten counts an electron."""
        blurred = gaussian_filter(rng.poisson(electrons).astype(np.float64), self.width)
        return np.rint(blurred / self.camera.gain).clip(0, 65535).astype(np.uint16)


@cache
def situations() -> list[Situation]:
    """Return all of them."""
    rings, spots = Rings(SHAPE), Spots(SHAPE)
    still = (rings, rings)
    soft, tight = _penumbra()
    far = ((105.3, 0.4), (-60.7, 75.2))
    return [
        Situation("nothing", still, series=True),
        Situation("gain 0.4, pedestal 100, unknown", still, detector=CAMERA, series=True),
        Situation(
            "gain 0.4, pedestal 100, told",
            still,
            detector=CAMERA,
            options={"gain": 0.4, "offset": 100.0, "read_noise": 1.5},
            series=True,
        ),
        Situation("intensity 0.5-1.5, offset 0-30 %", still, light=_changing, series=True),
        Situation("blur 0.5 px after counting", still, detector=BlurringDetector(0.5)),
        Situation("blur 1 px after counting", still, detector=BlurringDetector(1.0)),
        Situation("saturated, masked by value", (spots, spots), detector=_saturating(), saturation=1000),
        Situation("saturated, not masked", (spots, spots), detector=_saturating(), limited=False),
        Situation("penumbra, mask grown by 5 px", still, light=soft, mask=_grown(tight, 5)),
        Situation("penumbra, tight mask", still, light=soft, mask=tight, limited=False),
        Situation("mask of 30 %", still, mask=beam_block(SHAPE, "large")),
        Situation("overlap of 30-45 %", still, drifts=far),
        Situation("background 20 times the rings", (DiffuseRings(SHAPE),) * 2),
        Situation("flat-field pattern of 1 %", still, light=partial(_pattern, 0.01), series=True),
        Situation("flat-field pattern of 3 %", still, light=partial(_pattern, 0.03), series=True),
        Situation("static background of 5 %", still, light=partial(_background, 0.05), series=True),
        Situation("one spot in five fades by 20 %", (spots, Spots(SHAPE, fading=0.2)), series=True),
        Situation("rings expand by 0.3 %", (rings, Rings(SHAPE, expansion=1.003)), series=True),
    ]


def _changing(image: NDArray[np.float64], k: int, rng: np.random.Generator) -> NDArray[np.float64]:
    return image if k == 0 else image * rng.uniform(0.5, 1.5) + rng.uniform(0, 0.3)


def _pattern(
    size: float, image: NDArray[np.float64], k: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Multiply by a gain pattern: half of it white, half of it smooth."""
    pixels, smooth = (noise_field(image.shape, e, np.random.default_rng(7)) for e in (0.0, 1.0))
    return image * np.maximum(1 + size * (pixels + smooth) / np.sqrt(2), 0)


def _background(
    size: float, image: NDArray[np.float64], k: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Add light that stands still: the same mean everywhere, with as much structure."""
    field_ = noise_field(image.shape, 1.0, np.random.default_rng(8))
    return image + size * np.maximum(1 + field_, 0)


def _saturating() -> Detector:
    return Detector(read_noise=0.3, saturation=1000, dtype=np.uint16)


def _penumbra() -> tuple[Light, NDArray[np.bool_]]:
    """Return a block's soft shadow of sigma 1.5 px, and the mask of its hard edge."""
    distance = distance_to_block(SHAPE, (0.48 * SHAPE[0], 0.53 * SHAPE[1]), 30.0, 12.0)
    shadow = 0.5 * (1 + erf(distance / (np.sqrt(2) * 1.5)))
    return (lambda image, k, rng: image * shadow), distance > 0


def _grown(mask: NDArray[np.bool_], px: int) -> NDArray[np.bool_]:
    from maskreg.masks import grow

    return grow(mask, px)


@dataclass(frozen=True)
class Verdict:
    """The figures of a situation.

    Attributes
    ----------
    frames : int
    rmse, z : float
        Over the bound of the untroubled pair; spread of the z-scores.
    bias : float
        Greatest mean error of a fixed drift over the claimed sigma; of a series, the mean error.
    bias_error : float
        Its standard error.
    flagged : float
        Part that is not ok.
    """

    frames: int
    rmse: float
    z: float
    bias: float
    bias_error: float
    flagged: float

    @property
    def kept(self) -> bool:
        """Whether the limits hold, the bias within twice its standard error."""
        return self.flagged <= MOST_FLAGGED and self.bias <= MOST_BIAS + 2 * self.bias_error


def judge_pairs(situation: Situation, pairs: int, run: Callable[..., Any], seed: int) -> Verdict:
    """Register `pairs` pairs of a situation, shared among its drifts."""
    repeats = max(2, pairs // len(situation.drifts))
    each = []
    for number, drift in enumerate(situation.drifts):
        task = partial(_pair, situation.name, drift, (seed, zlib.crc32(situation.name.encode()), number))
        each.append(gathered(run(task, range(repeats))))
    biases = [_bias(outcomes) for outcomes in each]
    return _verdict(each, max(biases), 1 / np.sqrt(repeats))


def judge_series(situation: Situation, series: int, run: Callable[..., Any], seed: int) -> Verdict:
    """Align some series of a situation."""
    task = partial(_series, situation.name, (seed, zlib.crc32(situation.name.encode()), 99))
    each = [gathered(rows) for rows in run(task, range(series))]
    # the noise of the reference is common to all frames of a series: one sample of the bias a series
    means = np.array([np.nanmean(o.error[o.ok] / _sigma(o), axis=0) for o in each if o.ok.any()])
    bias = float(np.abs(means.mean(axis=0)).max()) if len(means) else float("nan")
    return _verdict(each, bias, 1 / np.sqrt(2 * max(len(means), 1)))


def _verdict(each: list[Outcomes], bias: float, bias_error: float) -> Verdict:
    whole = Outcomes(
        *(np.concatenate([getattr(o, column.name) for o in each]) for column in fields(Outcomes))
    )
    figures = summarise(whole)
    return Verdict(figures.pairs, figures.rmse, figures.z, bias, bias_error, figures.flagged)


def _bias(outcomes: Outcomes) -> float:
    """Return the greatest mean error over the claimed sigma; NaN without a trusted answer."""
    if not outcomes.ok.any():
        return float("nan")
    return float(np.abs((outcomes.error[outcomes.ok] / _sigma(outcomes)).mean(axis=0)).max())


def _sigma(outcomes: Outcomes) -> NDArray[np.float64]:
    return np.sqrt(np.median(np.diagonal(outcomes.covariance[outcomes.ok], axis1=1, axis2=2), axis=0))


def _named(name: str) -> Situation:
    """Return a situation; processes are told its name, since a function in it cannot be sent."""
    return next(s for s in situations() if s.name == name)


def _pair(name: str, drift: tuple[float, float], key: tuple[int, ...], index: int):
    from maskreg import register

    situation = _named(name)
    frames, masks = situation.record([(0.0, 0.0), drift], np.random.default_rng([*key, index]))
    found = register(frames[0], frames[1], masks[0], masks[1], **situation.options)
    answer = Answer(found.shift, found.covariance, found.status.label)
    return Measured(-np.array(drift), answer, situation.bound(drift))


def _series(name: str, key: tuple[int, ...], index: int):
    from maskreg import align

    situation = _named(name)
    rng = np.random.default_rng([*key, index])
    drifts = wander(FRAMES, rng)
    frames, _ = situation.record(drifts, rng)
    table = align(frames, situation.mask, workers=1, **situation.options).table()
    rows = []
    for drift, row in list(zip(drifts, table, strict=True))[1:]:
        found = row.registration
        answer = Answer(found.shift, found.covariance, found.status.label)
        rows.append(Measured(-drift, answer, situation.bound(drift)))
    return rows


def wander(frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the drifts of a series: a random walk of 2 px a frame from (0, 0), (n, 2) px."""
    steps = rng.normal(0.0, 2.0, (frames, 2))
    steps[0] = 0.0
    return np.clip(np.cumsum(steps, axis=0), -20.0, 20.0)


def static_frames(series: int, seed: int) -> dict[str, int]:
    """Return what becomes of frames that hold nothing but a 2 % pattern and a 5 % background.

    Each series has as many good frames before them.
    """
    from maskreg import align

    scene, mask = Rings(SHAPE), beam_block(SHAPE)
    found: dict[str, int] = {}
    for number in range(series):
        rng = np.random.default_rng([seed, number])
        images = [scene.render(d) for d in wander(FRAMES // 2, rng)] + [np.full(SHAPE, 0.2)] * (FRAMES // 2)
        lit = [_pattern(0.02, _background(0.05, image, 0, rng), 0, rng) for image in images]
        frames = np.stack([COUNTER.expose(DOSE * image, rng) for image in lit])
        for row in list(align(frames, mask, workers=1).table())[FRAMES // 2 :]:
            label = row.registration.status.label
            found[label] = found.get(label, 0) + 1
    return found


def all_verdicts(pairs: int, workers: int, seed: int, pattern: str = "*"):
    """Yield (situation, 'pairs' or 'series', verdict)."""
    from fnmatch import fnmatch

    with mapper(workers) as run:
        for situation in situations():
            if not fnmatch(situation.name, pattern):
                continue
            yield situation, "pairs", judge_pairs(situation, pairs, run, seed)
            if situation.series:
                yield situation, "series", judge_series(situation, max(2, pairs // FRAMES), run, seed)
