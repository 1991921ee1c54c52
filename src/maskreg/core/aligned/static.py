"""What stays with the detector while the pattern moves: flat-field pattern or scattered light.

A frame i at detector pixel x shows f(x) m(x + s_i) + h(x): the sample m moves with the shift s_i,
the flat-field f and the background h do not. In turns m is the mean in the sample's coordinates,
and f or h the mean residual in the detector's. The residuals of one half of the frames are taken
about the mean of the other half, so that the two results have no noise in common: their covariance
is the strength of what really stays, and says how far it is to be believed.

What is so wide that it hardly changes over the drift cannot be told from the sample, and is left
where it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.aligned.frames import AlignedFrames, Mean
from maskreg.core.image.filters import gaussian
from maskreg.core.image.prepare_kernels import cleaned_2d

LEAST_DRIFT_PX = 2.0
"""Root mean square distance of the shifts from their mean; below it nothing can be told apart."""

FEWEST_FRAMES, FEWEST_PIXELS = 6, 400
"""Of fewer frames, or pixels that both halves of them have seen, nothing is told."""

SCALES_PX = (0.0, 0.7, 1.4, 2.8)
"""Widths over which the residuals are smoothed, sigma in px; the best one is taken."""

SURE = 6.0
"""The covariance of the two halves must stand out by so many of its standard deviations."""

LIKELY = 2.0
"""Once it is sure that there is something, more of it need only be likely."""

ROUNDS = 8
"""So many times at most what moves and what stays are told apart anew."""

SETTLED = 0.002
"""What is told apart has settled when its strength changes by less than this part."""

REACH = 4.0
"""The windows of smoothing end at so many sigma."""

FACTOR, ADDED = 0, 1
"""The kinds of what stays."""

LEAST_LEVEL = 0.05
"""No pixel is taken to be less bright than this part of the mean when its noise is told."""

LEVEL_PX = 2.0
"""The mean is smoothed over so much where it tells the noise, sigma in px: else it would be its own noise
that weighs the residuals about it, and what is too dark by chance would always weigh more."""

LOCAL_PX = 4.0
"""A frame shows static structure about its local mean, sigma in px."""

SHOWS = 8.0
"""What is static is in a frame if it stands out by so many standard deviations."""


@dataclass(frozen=True, eq=False)
class Static:
    """What stays with the detector: a factor, or something added.

    Attributes
    ----------
    pattern : (rows, cols) ndarray of float32
        By which a frame is divided, or what is taken off it: 1 or 0 where nothing is known.
    multiplies : bool
        Whether it is a factor.
    strength : float
        Root mean square of the part that was found: of the factor, or of what is added (in the
        grey values of the frames).
    """

    pattern: NDArray[np.float32]
    multiplies: bool
    strength: float

    def corrected(self, frame: NDArray[np.float32], rows: slice = slice(None)) -> NDArray[np.float32]:
        """Return a frame, or some rows of it, without it."""
        take_off = np.divide if self.multiplies else np.subtract
        return np.asarray(take_off(frame, self.pattern[rows]))

    def clean(
        self, frame: NDArray[Any], offset: float, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return grey values, `offset` of them without light, without it; in `out` if it is given."""
        clean = np.empty(frame.shape, np.float32) if out is None else out
        if frame.dtype.kind == "f" and frame.dtype not in (np.float32, np.float64):
            frame = frame.astype(np.float32)  # compiled code knows no others, such as half precision
        cleaned_2d(frame, self.pattern, np.float32(offset), self.multiplies, clean)
        return clean

    @staticmethod
    def is_sure(spreads: float) -> bool:
        """Return whether what `shows_in` returned is beyond chance."""
        return spreads > SHOWS

    def shows_in(self, frame: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
        """Return by how many standard deviations a frame's detail follows what is static."""
        image, local = _about_local(frame, mask)
        wanted = self.pattern - 1 if self.multiplies else self.pattern
        pattern, _ = _about_local(wanted, mask)
        if self.multiplies:
            pattern = pattern * local
        x, y = pattern[mask].astype(np.float64), image[mask].astype(np.float64)
        norm = float(np.sqrt((x @ x) * (y @ y)))
        return float(x @ y) / norm * float(np.sqrt(x.size)) if norm > 0 else 0.0


def find_static(evened: AlignedFrames) -> Static | None:
    """Return what stays while the frames drift, or None where nothing sure can be told.

    Parameters
    ----------
    evened : AlignedFrames
        Evened grey values that are zero where there is no light, if a factor is to be found.
    """
    spread = evened.shifts - evened.shifts.mean(axis=0) if len(evened) else evened.shifts
    if len(evened) < FEWEST_FRAMES or np.sqrt((spread**2).sum(axis=1).mean()) < LEAST_DRIFT_PX:
        return None
    found = _step(evened, None, (FACTOR, ADDED), SURE)
    if found is None:
        return None
    # the mean has some of it too, the more the shorter the drift: turn by turn it is told apart
    kind = FACTOR if found.multiplies else ADDED
    for _ in range(ROUNDS):
        more = _step(evened, found, (kind,), LIKELY)
        if more is None:
            break
        found, before = more, found
        if abs(found.strength - before.strength) < SETTLED * found.strength:
            break
    return found


def _step(evened: AlignedFrames, known: Static | None, kinds: tuple[int, ...], sure: float) -> Static | None:
    """Return what stays, of the kind and at the width that explain most, or None where nothing is sure.

    What is known already is not in the means, about which the residuals are taken.
    """
    fields = residuals(evened, known)
    tried = []
    for kind in kinds:
        halves = _Halves(fields[:, :, kind], evened)
        if halves.count >= FEWEST_PIXELS:
            tried += [(one.explained, kind, one, halves) for one in halves.agreements() if one.is_sure(sure)]
    if not tried:
        return None
    _, kind, agreement, halves = max(tried, key=lambda one: one[0])
    pattern = halves.believed(agreement)
    if kind == FACTOR:
        pattern += 1
    return Static(pattern, kind == FACTOR, float(pattern[evened.mask].std(dtype=np.float64)))


def residuals(evened: AlignedFrames, known: Static | None) -> NDArray[np.float32]:
    """Return the residuals of each half of the frames about the mean of the other half.

    (half, rows, kind, sum and weight, cols): in units of the factor, or of what is added. The weight is an
    inverse variance but for a constant, with the noise taken to grow with the brightness around a pixel;
    the sum is that of residuals times weights.
    """
    even = np.arange(len(evened)) % 2 == 0
    fields = np.zeros((2, evened.mask.shape[0], 2, 2, evened.mask.shape[1]), np.float32)
    for half, chosen in enumerate((even, ~even)):
        others = evened.part(~chosen)
        mean = (others if known is None else others.corrected(known.corrected)).mean()
        _add_residuals(evened.part(chosen), mean, fields[half])
    return fields


def _add_residuals(frames: AlignedFrames, mean: Mean, fields: NDArray[np.float32]) -> None:
    from maskreg.core.aligned.aligned_kernels import add_residual_2d

    n, x, y, *_ = frames.sums_over(mean).T
    level = float(np.abs(mean.pixels).sum(dtype=np.float64)) / max(int(np.count_nonzero(mean.covered)), 1)
    least, typical = np.float32(max(LEAST_LEVEL * level, 1e-30)), float(mean.typical)
    models, values = x + n * typical, y + n * typical
    bright = np.where(models > 0, values / np.where(models > 0, models, 1), 1).astype(np.float32)
    around = _smooth(mean)

    def add(rows: slice) -> None:
        for k, shift in enumerate(frames.shifts):
            model, valid = mean.seen(shift, frames.mask, rows)
            smooth, _ = around.seen(shift, frames.mask, rows)
            add_residual_2d(model, smooth, valid, frames.values(k, rows), bright[k], least, fields[rows])

    for _ in frames.over_rows(add):
        pass


def _smooth(mean: Mean) -> Mean:
    """Return the mean of the covered pixels around each."""
    part = gaussian(mean.covered.astype(np.float32), LEVEL_PX, REACH)
    total = gaussian(np.where(mean.covered, mean.pixels, np.float32(0)), LEVEL_PX, REACH)
    return replace(mean, pixels=np.where(mean.covered, total / np.maximum(part, np.float32(1e-6)), 0))


def plain_add_residual(
    model: NDArray[np.float32],
    level: NDArray[np.float32],
    valid: NDArray[np.bool_],
    values: NDArray[np.float32],
    bright: np.float32,
    least: np.float32,
    fields: NDArray[np.float32],
) -> None:
    """Add a frame's residual about the model, `bright` times it, to sums and weights of both kinds.

    `fields` are (rows, kind, sum and weight, cols), all others (rows, cols). What weighs a residual is made
    of `level`, the model around each pixel, which has hardly any of the residual's noise.
    """
    weight = np.where(valid, 1 / np.maximum(level, least), 0)
    for kind, x, shown in ((FACTOR, level, model), (ADDED, 1, 1)):
        fields[:, kind, 0] += x * (values - bright * model) * weight
        fields[:, kind, 1] += x * shown * weight


@dataclass(frozen=True)
class Agreement:
    """How the residuals of two halves agree when both are smoothed: sums over the valid pixels.

    With x, y their values and u, v their weights, w = sqrt(u v); y', v' before smoothing.

    Attributes
    ----------
    scale : float
        Of the smoothing, sigma in px.
    n, weight, products, squares, mean, said, model : float
        Sums of 1, w, w x y, (w x y)², w ((x + y) / 2)², v' y' x and v' x x.
    """

    scale: float
    n: float
    weight: float
    products: float
    squares: float
    mean: float
    said: float
    model: float

    def is_sure(self, spreads: float) -> bool:
        """Return whether the covariance stands out by so many of its standard deviations."""
        # smoothed pixels are not independent
        return self.products > spreads * float(np.sqrt(self.squares * (1 + 4 * np.pi * self.scale**2)))

    @property
    def covariance(self) -> float:
        """That of the halves: the variance of what stays."""
        return self.products / max(self.weight, 1e-30)

    @property
    def noise(self) -> float:
        """Variance of the noise of the mean of both halves at a pixel with w = 1."""
        return max(self.mean - self.products, 0.0) / max(self.n, 1.0)

    @property
    def explained(self) -> float:
        """How much of one half the other explains, unsmoothed: smoothing may gain nothing by itself."""
        return self.said**2 / max(self.model, 1e-30)


class _Halves:
    """The residuals of both halves of the frames, in one unit.

    Parameters
    ----------
    fields : (2, rows, 2, cols) ndarray of float32
        For each half and row, sum of residuals times weights, and weights.
    frames : AlignedFrames
        Whose rows they are.
    """

    def __init__(self, fields: NDArray[np.float32], frames: AlignedFrames) -> None:
        self._fields = fields
        self._frames = frames
        sums = np.asarray(sum(frames.over_rows(self._sums)))
        self.count = int(sums[2, 0])
        self._means = (sums[0] / np.maximum(sums[1], 1e-30)).astype(np.float32)

    def agreements(self) -> list[Agreement]:
        """Return how they agree at each width."""
        sums = np.asarray(sum(self._frames.over_rows(self._agreement_sums)))
        return [Agreement(scale, *map(float, row)) for scale, row in zip(SCALES_PX, sums, strict=True)]

    def believed(self, agreement: Agreement) -> NDArray[np.float32]:
        """Return what stays, each pixel as far as its noise allows."""
        out = np.zeros(self._frames.mask.shape, np.float32)

        def fill(rows: slice) -> None:
            (x, u), (y, v) = (self._smoothed(half, rows, agreement.scale) for half in (0, 1))
            noise = np.float32(agreement.noise) / np.sqrt(np.maximum(u * v, np.float32(1e-30)))
            covariance = np.float32(agreement.covariance)
            out[rows] = np.where(self._valid(rows), (x + y) / 2 * (covariance / (covariance + noise)), 0)

        for _ in self._frames.over_rows(fill):
            pass
        return out

    def _valid(self, rows: slice) -> NDArray[np.bool_]:
        return np.asarray((self._fields[0, rows, 1] > 0) & (self._fields[1, rows, 1] > 0))

    def _sums(self, rows: slice) -> NDArray[np.float64]:
        """Return for each half the sum of residuals times weights and of weights, and how many there are."""
        valid = self._valid(rows)
        sums = np.where(valid[:, None], self._fields[:, rows], 0).sum(axis=(1, 3), dtype=np.float64).T
        return np.concatenate([sums, np.full((1, 2), np.count_nonzero(valid))])

    def _agreement_sums(self, rows: slice) -> NDArray[np.float64]:
        """Return the sums of `Agreement` over some rows, for each width."""
        valid = self._valid(rows)
        raw, own = (field[valid] for field in self._centred(1, rows))
        return np.array([self._sums_at(scale, rows, valid, raw, own) for scale in SCALES_PX])

    def _sums_at(
        self,
        scale: float,
        rows: slice,
        valid: NDArray[np.bool_],
        raw: NDArray[np.float32],
        own: NDArray[np.float32],
    ) -> list[float]:
        (x, u), (y, v) = ((field[valid] for field in self._smoothed(half, rows, scale)) for half in (0, 1))
        w = np.sqrt(u * v)
        products, mean = w * x * y, (x + y) / 2
        terms = (w, products, products**2, w * mean**2, raw * x, own * x * x)
        return [float(x.size), *(float(term.sum(dtype=np.float64)) for term in terms)]

    def _centred(self, half: int, rows: slice) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return some rows of the sum of residuals times weights, and the weights; zero where not valid."""
        fields = np.where(self._valid(rows)[:, None], self._fields[half, rows], np.float32(0))
        total, weight = fields[:, 0], fields[:, 1]
        total -= self._means[half] * weight
        return total, weight

    def _smoothed(
        self, half: int, rows: slice, scale: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return some rows of the weighted mean around each pixel, and its weight."""
        reach = int(REACH * scale + 0.5)
        begin = max(rows.start - reach, 0)
        around = slice(begin, min(rows.stop + reach, self._frames.mask.shape[0]))
        wanted = slice(rows.start - begin, rows.stop - begin)
        total, weight = self._centred(half, around)
        if scale > 0:
            total, weight = (gaussian(field, scale, REACH)[wanted] for field in (total, weight))
        return np.asarray(total / np.maximum(weight, np.float32(1e-30))), weight


def _about_local(
    image: NDArray[np.float32], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return an image less its local mean over the valid pixels, and that mean."""
    part = scipy.ndimage.gaussian_filter(mask.astype(np.float32), LOCAL_PX, mode="constant")
    smooth = scipy.ndimage.gaussian_filter(np.where(mask, image, np.float32(0)), LOCAL_PX, mode="constant")
    local = smooth / np.maximum(part, np.float32(1e-6))
    return np.where(mask, image - local, 0).astype(np.float32), local.astype(np.float32)
