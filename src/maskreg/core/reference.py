"""The reference's side of a registration: everything that depends on the reference only.

Each part is made when it is first needed and kept, once for all threads, which wait for that part only.
What depends on the mask of moving as well is in `maskreg.core.masked_side`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from threading import Lock, RLock
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskreg.core.detector.bright import Ceiling, ceiling, clipped
from maskreg.core.detector.lines import Line, less_lines, lines
from maskreg.core.detector.lone import least_of_lone, less, pointed, stand_out
from maskreg.core.detector.noise import NoiseCurve, counting_curve, noise_curve, sample
from maskreg.core.detector.read_noise import Restoration, restoration_of
from maskreg.core.detector.stripes import Stripes, lines_off, striped_axes, without_stripes
from maskreg.core.frequencies.bands import NOISE_KNOWN, Band, band_of, seen_bands, visible_part
from maskreg.core.frequencies.gains import noise_gains, promised
from maskreg.core.frequencies.kriging import kriged
from maskreg.core.frequencies.spectrum import FAINT, Forecast, forecast
from maskreg.core.image.holes import Holes, find_holes
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import MaskPyramid
from maskreg.core.image.shading import without_shading
from maskreg.core.image.whole import Whole
from maskreg.core.machine.made import Made
from maskreg.core.machine.room import Rooms
from maskreg.core.plan import Plan
from maskreg.core.search.periods import find_periods
from maskreg.core.search.worth_searching import worth_searching
from maskreg.core.standing.held import Middle
from maskreg.core.subpixel.expansion import Rings, find_rings
from maskreg.core.subpixel.template import Template, make_template
from maskreg.core.subpixel.templates import Templates
from maskreg.core.uncertainty.few_electrons import are_few
from maskreg.core.uncertainty.shared_noise import Block, find_block
from maskreg.options import Options

MOSTLY_VISIBLE = 0.5
"""A coarser one before it at least this part: periods that its pixels cannot tell apart it hardly shows."""

NEARLY_ALL = 0.9
"""So much of it if its pixels are not too large for the structure."""

UNEXPLAINED = 0.5
"""What such a look finds may leave this part of what it does not see unexplained, beside the noise."""

FINE_ENOUGH = 3.0
"""A level is fine enough where the best low-pass is this many of its pixels wide."""

CLEAR = 2.0
"""The reference tells ignored pixels if what it shows is so many times its noise, in G times slope."""

WORTH_FINER = 0.01
"""A finer level must lessen sigma by more than this part."""

MOST_KEPT = 512
"""So many answers of whether one pixel makes a block are kept,"""

OTHERS_PIXELS = 2**23
"""and other sides of the reference, without hot or bright pixels, of so many pixels; one in any case."""

Change = bytes | Ceiling | frozenset[Line] | Stripes | Literal["shading"]
"""Pixels that are left out, a value that none exceeds, lines that are left out, stripes, or shading."""


class Counted:
    """What is counted of all frames so far. Thread-safe."""

    def __init__(self) -> None:
        self.freed = False
        """Whether parts that stand still pulled the shift of any by more than a pixel."""
        self.enough = self.not_enough = 0
        """For how many the first look was, and for how many it was not."""
        self._lock = Lock()

    def look(self, *, enough: bool) -> None:
        """Count a frame whose first look was enough, or was not."""
        with self._lock:
            self.enough += enough
            self.not_enough += not enough


class ReferenceSide:
    """What depends on the reference only.

    Parameters
    ----------
    image : Prepared
    options : Options
    original : ReferenceSide, optional
        The one that this one is made of,
    changes : tuple, optional
        and how; default is that it is no other's.
    counted : Counted, optional
        Of the frames that are registered to it.
    """

    def __init__(
        self,
        image: Prepared,
        options: Options,
        original: ReferenceSide | None = None,
        changes: tuple[Change, ...] = (),
        counted: Counted | None = None,
    ) -> None:
        self.image = image
        self.options = options
        self._lock = RLock()
        self._blocks_noise: Made[int, float] = Made()
        self._noise: Made[int, NDArray[np.float32]] = Made()
        self._holes: Made[int, Holes | None] = Made()
        self._wholes: Made[int, Whole] = Made()
        self._forecasts: Made[int, Forecast] = Made()
        self._templates = Templates(image)
        self._bands: Made[int, Band] = Made()
        self._blocks: Made[tuple[int, float | None], Block | None] = Made()
        self._rings: Made[int, Rings | None] = Made()
        self._periods: Made[tuple[int, float | None], NDArray[np.float64]] = Made()
        self.counted = counted or Counted()
        self._fallback: tuple[int, ...] | None = None
        self._few: Made[int, bool] = Made()
        self._pointed: Made[tuple[tuple[int, ...], int], bool] = Made(MOST_KEPT)
        self._ceilings: Made[int, Ceiling | None] = Made()
        self._changes = changes
        # the original keeps all others: who kept it in turn would never be freed with it
        self._original = weakref.ref(original or self)
        self._others: Made[tuple[Change, ...], ReferenceSide] = Made(max(1, OTHERS_PIXELS // image.mask.size))
        self.rooms: Rooms = original.rooms if original else Rooms()

    @cached_property
    def _noise_of_pixels(self) -> tuple[NoiseCurve, float]:
        """How noisy a pixel is that is so bright, and the mean variance of the noise of all."""
        rows = sample(self.image)
        curve = noise_curve(self.image, rows)
        return curve, curve.mean(rows)

    @property
    def noise_of_pixels(self) -> float:
        """The mean variance of the noise of single pixels, stabilised units."""
        return self._noise_of_pixels[1]

    @property
    def noise_curve(self) -> NoiseCurve:
        """How noisy a pixel is that is so bright."""
        return self._noise_of_pixels[0]

    @cached_property
    def middle(self) -> Middle:
        """Where it is looked for a scene that has moved under what stands still."""
        return Middle(self.image, self.noise_of_pixels)

    def noise_of_blocks(self, b: int) -> float:
        """Return the mean variance of the noise of single pixels, as bright as the blocks of level `b`."""
        return self._blocks_noise.get(b, lambda: self.noise_curve.mean_of_blocks(self.image.level(b)))

    @cached_property
    def restoration(self) -> Restoration | None:
        """What restores faint counts that read noise has changed."""
        return restoration_of(self.image)

    def noise(self, b: int) -> NDArray[np.float32]:
        """Return the variance of each pixel's noise at level `b`, stabilised units."""
        return self._noise.get(b, lambda: self.noise_curve.map(self.image, b))

    @cached_property
    def lone(self) -> NDArray[np.intp]:
        """The places of the pixels that stand out by themselves, (n, ndim)."""
        return self.lone_of(self.image)

    def lone_of(self, image: Prepared) -> NDArray[np.intp]:
        """Return those of an image of the same detector."""
        return stand_out(image.level(1), self.noise_of_pixels, self._least_of_lone)

    @cached_property
    def _least_of_lone(self) -> float:
        return least_of_lone(self.image)

    def pointed(self, place: tuple[int, ...], times: int) -> bool:
        """Return whether one pixel may make most of a block of level 2 of `times` pixels per axis."""
        return self._pointed.get((place, times), lambda: pointed(self.image.level(2), place, times))

    def without(self, places: NDArray[np.intp]) -> ReferenceSide:
        """Return the side of a reference that lacks some pixels."""
        image = self.image
        return self._other(places.tobytes(), lambda: (image.raw, MaskPyramid(less(image.mask, places))))

    @cached_property
    def lines(self) -> frozenset[Line]:
        """The lines of the detector that stand out; of stripes some always do."""
        found = lines(self.image, self.noise_of_pixels)
        return frozenset(line for line in found if line.axis not in self.stripes)

    def without_lines(self, known: frozenset[Line]) -> ReferenceSide:
        """Return the side of a reference that lacks some lines."""
        image = self.image
        return self._other(known, lambda: (image.raw, MaskPyramid(less_lines(image.mask, known))))

    @cached_property
    def stripes(self) -> dict[int, NDArray[np.float64]]:
        """By how much its lines are off those beside them, along each axis where it may be striped."""
        return {axis: lines_off(self.image, axis) for axis in striped_axes(self.image)}

    def without_stripes(self, known: Stripes) -> ReferenceSide:
        """Return the side of a reference without stripes."""
        return self._other(known, lambda: (without_stripes(self.image, known), self.image.masks))

    def without_shading(self) -> ReferenceSide:
        """Return the side of a reference without its shading."""
        return self._other("shading", lambda: (without_shading(self.image), self.image.masks))

    def ceiling(self, time: int) -> Ceiling | None:
        """Return the value that few bright pixels of the reference exceed, if these hold much of it."""
        return self._ceilings.get(time, lambda: ceiling(self.image, time))

    def clipped(self, limit: Ceiling | None) -> ReferenceSide:
        """Return the side of the reference without the height of few bright pixels; this one if none is."""
        return self if limit is None else self._other(limit, lambda: self._less_bright(limit))

    def _less_bright(self, limit: Ceiling) -> tuple[NDArray[Any], MaskPyramid]:
        return clipped(self.image.raw, limit), self.image.masks

    def _other(self, change: Change, make: Callable[[], tuple[NDArray[Any], MaskPyramid]]) -> ReferenceSide:
        """Return the side of another reference of the same detector, which takes the same room."""
        original, changes = self._original() or self, (*self._changes, change)

        def other() -> ReferenceSide:
            image = Prepared(*make(), self.image.detector, refined=True)
            return ReferenceSide(image, self.options, original, changes)

        return original._others.get(changes, other)

    def holes(self, b: int) -> Holes | None:
        """Return what fills the ignored pixels of level `b`; None where they are few, or areas."""
        return self._holes.get(b, lambda: find_holes(self.image.level(b).mask))

    def whole(self, b: int) -> Whole:
        """Return the image at level `b` without holes."""
        return self._wholes.get(b, lambda: self._filled(b))

    def clear(self, b: int) -> bool:
        """Return whether level `b` shows clearly enough to tell the ignored pixels of moving."""
        return is_clear(self.forecast(b), self.image.mask.ndim)

    def _filled(self, b: int) -> Whole:
        """Fill level `b`; where the image shows clearly, single ignored pixels by its spectrum."""
        level, holes = self.image.level(b), self.holes(b)
        if holes is None:
            return Whole(level.pixels, level.mask)
        whole, noise = Whole(level.pixels, level.mask, holes), self.noise(b)
        found = forecast(whole.coefficients, float(noise.mean(dtype=np.float64)))
        if not is_clear(found, level.mask.ndim):
            return Whole(level.pixels, level.mask)
        whole.forget()
        one = found.noise_scale * float(noise[level.mask].mean(dtype=np.float64))
        whole.pixels = kriged(whole.pixels, holes.places, found.low_pass, one)
        return whole

    def forecast(self, b: int) -> Forecast:
        """Return which low-pass refines best at level `b`, and how well, in level pixels."""
        return self._forecasts.get(b, lambda: self._forecast(b))

    def _forecast(self, b: int) -> Forecast:
        found = forecast(self.whole(b).coefficients, float(self.noise(b).mean(dtype=np.float64)))
        smoothing = self.options.smoothing
        return found if isinstance(smoothing, str) else found.gaussian(smoothing / b)

    def finer_helps(self, b: int) -> bool:
        """Return whether the level of half the bin tells the shift noticeably better than level `b`.

        It does if it shows frequencies that level `b` cannot hold, or has averaged.
        """
        found = self.forecast(b)
        if found.low_pass.width >= FINE_ENOUGH:
            return False
        band = self.band(b // 2)
        beyond = found.faintest > 0 or band.structure > (FAINT + NOISE_KNOWN) * band.noise
        return beyond or found.binned > WORTH_FINER

    def template(self, b: int, gaussian: float | None = None) -> Template:
        """Return the reference prepared for refinement at level `b`.

        With the low-pass that is best there, or with a Gaussian on top of its weights, of this sigma
        in level pixels.
        """
        return self._templates.get(b, gaussian, self._template)

    def _template(self, b: int, gaussian: float | None) -> Template:
        found, level = self.forecast(b), self.image.level(b)
        low_pass = found.low_pass if gaussian is None else replace(found.low_pass, gaussian=gaussian)
        noise = self.noise(b) * np.float32(found.noise_scale)
        made = make_template(level.pixels, level.mask, noise, low_pass, found.signal, self.whole(b))
        if self._templates.is_large(b):  # made again for the few other templates there are
            self._noise.drop(b)
        return made

    def forget(self, *, every: bool) -> None:
        """Let go of the large template that few frames need, or of `every` large one (`Templates.forget`)."""
        self._templates.forget(every=every)

    def remember(self) -> None:
        """Make again what most frames need of what was let go."""
        self._templates.remember(self._template)

    def few(self, b: int) -> bool:
        """Return whether the reference holds few electrons, by level `b` first."""
        return self._few.get(b, lambda: are_few(self.image, b))

    def band(self, b: int) -> Band:
        """Return the structure of the size of the pixels of level `b`, and the noise there."""
        noise = self.noise_of_pixels / b**self.image.mask.ndim
        return self._bands.get(b, lambda: band_of(self.image.level(b), noise))

    def block(self, b: int, gaussian: float | None) -> Block | None:
        """Return where the residual of a template shows what noise neighbours share."""
        return self._blocks.get((b, gaussian), lambda: find_block(self.template(b, gaussian)))

    def periods(self, b: int, gaussian: float | None) -> NDArray[np.float64]:
        """Return the shortest periods that a template shows, both ways, (periods, ndim), level pixels."""
        return self._periods.get((b, gaussian), lambda: self._found_periods(b, gaussian))

    def _found_periods(self, b: int, gaussian: float | None) -> NDArray[np.float64]:
        template, block = self.template(b, gaussian), self.block(b, gaussian)
        return np.empty((0, self.image.mask.ndim)) if block is None else find_periods(template, block)

    def rings(self, b: int) -> Rings | None:
        """Return the rings that level `b` shows, or None if the pattern has no centre."""
        return self._rings.get(b, lambda: find_rings(self.template(b)))

    def visible(self, plan: Plan, b: int) -> float:
        """Return which part of the reference's structure the search of level `b` sees."""
        return visible_part({a: self.band(a) for a in plan.bins if a <= seen_bands(b)}, b)

    def shows_alike(self, plan: Plan, b: int) -> bool:
        """Return whether level `b` shows most of the structure, as it must to tell places that are alike."""
        return self.visible(plan, b) >= MOSTLY_VISIBLE

    def shows_nearly_all(self, plan: Plan, b: int) -> bool:
        """Return whether the pixels of level `b` are not too large for the structure."""
        return self.visible(plan, b) >= NEARLY_ALL

    def shows_most(self, plan: Plan, b: int) -> bool:
        """Return whether level `b` shows most of the structure, and the score would tell if it did not."""
        hidden, noise = self._hidden(plan, b), self.noise_of_pixels
        return self.shows_alike(plan, b) and UNEXPLAINED * hidden > NOISE_KNOWN * noise

    def least_score(self, plan: Plan, b: int) -> float:
        """Return the score of a frame in which what level `b` does not see is only partly explained."""
        return 1 - (self.noise_of_pixels + UNEXPLAINED * self._hidden(plan, b)) / self.variance

    def _hidden(self, plan: Plan, b: int) -> float:
        """Return the variance of the structure that level `b` does not see."""
        return sum(self.band(a).structure for a in plan.bins if a < b)

    @cached_property
    def variance(self) -> float:
        """That of single pixels, noise included, stabilised units."""
        packed = self.image.packed
        if packed is None:
            return float(self.image.pixels[self.image.mask].var(dtype=np.float64))
        n, total, squares = packed[2]
        return float(squares / n - (total / n) ** 2)

    def fallback(self, plan: Plan) -> tuple[int, ...]:
        """Return the finer levels that are searched where a doubt is left; not those that show no more."""
        with self._lock:
            if self._fallback is None:
                levels, noise = list(plan.fallback), self._counting_noise
                while levels and not worth_searching(self.image, noise, levels[-1]):
                    levels.pop()
                self._fallback = tuple(levels)
            return self._fallback

    @cached_property
    def _counting_noise(self) -> float | None:
        """The mean variance that counting makes of single pixels; None if they are no counts, or less noisy.

        If they are less noisy, as means of frames are, it is not known what of their noise is structure.
        """
        counting = counting_curve(self.image)
        noise = 0.0 if counting is None else counting.mean(sample(self.image))
        return noise if self.noise_of_pixels >= (1 - FAINT - NOISE_KNOWN) * noise > 0 else None


def is_clear(found: Forecast, ndim: int) -> bool:
    """Return whether an image shows clearly above its noise what tells the shift."""
    shown = promised(found.low_pass, found.signal, ndim).jacobian
    return shown >= CLEAR * noise_gains(found.low_pass, ndim).slope
