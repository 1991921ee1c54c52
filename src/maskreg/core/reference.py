"""The reference's side of a registration: everything that does not depend on the moving image.

`ReferenceSide` depends on the reference only, `MaskedSide` on the masks as well; both make each
part when it is first needed and keep it, once for all threads, which wait for that part only.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.core.bands import NOISE_KNOWN, Band, band_of, seen_bands, visible_part
from maskreg.core.bright import Ceiling, ceiling, clipped
from maskreg.core.expansion import Lever, Rings, find_lever, find_rings
from maskreg.core.few_electrons import Electrons, are_few
from maskreg.core.fine import CommonPixels, have_pattern
from maskreg.core.gains import noise_gains, promised
from maskreg.core.held import Middle
from maskreg.core.holes import Holes, find_holes
from maskreg.core.kriging import kriged
from maskreg.core.lines import Line, less_lines, lines
from maskreg.core.lone import least_of_lone, less, pointed, stand_out
from maskreg.core.made import Made
from maskreg.core.memory import give_back_free_memory
from maskreg.core.noise import NoiseCurve, counting_curve, noise_curve, sample
from maskreg.core.normal_matrices import NormalMatrices, normal_matrices
from maskreg.core.periods import find_periods
from maskreg.core.plan import CHEAP_PIXELS, Plan, make_plan
from maskreg.core.prepared import Prepared
from maskreg.core.pyramid import MaskPyramid, eroded
from maskreg.core.read_noise import Restoration, restoration_of
from maskreg.core.room import Room, Rooms
from maskreg.core.runs import Region
from maskreg.core.search import LevelSearch
from maskreg.core.shared_noise import Block, find_block
from maskreg.core.spectra import cross, transform
from maskreg.core.spectrum import FAINT, Forecast, forecast
from maskreg.core.stripes import Stripes, lines_off, striped_axes, without_stripes
from maskreg.core.surround import Surround, where_interpolable
from maskreg.core.template import Template, make_template
from maskreg.core.whole import Whole
from maskreg.core.worth_searching import worth_searching
from maskreg.options import Options

NARROWING = 2.5
"""From stage to stage of the refinement at one level the low-pass narrows by this factor."""

STRICT_PART = 0.25
"""Where whole neighbourhoods keep less than this part of the valid pixels the mask is scattered."""

LAG_STEPS = 256
"""The normal matrices change slowly with the lag: steps of this part of the shorter side will do."""

VISIBLE = 0.03
"""A first look shows at least this part of the reference's structure, or it is not believed alone."""

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
"""So many normal matrices and blocks are kept,"""

OTHERS_PIXELS = 2**23
"""and other sides of the reference, without hot or bright pixels, of so many pixels; one in any case."""

Change = bytes | Ceiling | frozenset[Line] | Stripes
"""Places of pixels that are left out, a value that none exceeds, lines that are left out, or stripes."""


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
    """

    def __init__(
        self,
        image: Prepared,
        options: Options,
        original: ReferenceSide | None = None,
        changes: tuple[Change, ...] = (),
    ) -> None:
        self.image = image
        self.options = options
        self._lock = RLock()
        self._blocks_noise: Made[int, float] = Made()
        self._noise: Made[int, NDArray[np.float32]] = Made()
        self._holes: Made[int, Holes | None] = Made()
        self._wholes: Made[int, Whole] = Made()
        self._forecasts: Made[int, Forecast] = Made()
        self._templates: Made[tuple[int, float | None], Template] = Made()
        self._passing: tuple[int, float | None] | None = None
        self._forgotten: set[tuple[int, float | None]] = set()
        self._bands: Made[int, Band] = Made()
        self._blocks: Made[tuple[int, float | None], Block | None] = Made()
        self._rings: Made[int, Rings | None] = Made()
        self._periods: Made[tuple[int, float | None], NDArray[np.float64]] = Made()
        self._looks = [0, 0]
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

    def know_noise(self) -> None:
        """Read off how noisy the pixels are, if that is not known yet."""
        _ = self._noise_of_pixels

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
        if gaussian is None or self.image.level(b).pixels.size <= CHEAP_PIXELS:
            return self._templates.get((b, gaussian), lambda: self._template(b, gaussian))
        known = self._templates.known((b, gaussian))
        if known is not None:
            return known
        with self._lock:  # such frames are rare: one template of many pixels is kept beside the best one
            if (b, gaussian) not in self._templates:
                if self._passing is not None:
                    self._templates.drop(self._passing)
                self._passing = b, gaussian
                for _, other in self._templates.items():
                    other.forget()
            return self._templates.get((b, gaussian), lambda: self._template(b, gaussian))

    def _template(self, b: int, gaussian: float | None) -> Template:
        found, level = self.forecast(b), self.image.level(b)
        low_pass = found.low_pass if gaussian is None else replace(found.low_pass, gaussian=gaussian)
        many = level.pixels.size > CHEAP_PIXELS
        if many and (gaussian is not None or (b, gaussian) in self._forgotten):
            give_back_free_memory()  # not at first: a pair takes new pages for it, and little is free
        noise = self.noise(b) * np.float32(found.noise_scale)
        made = make_template(level.pixels, level.mask, noise, low_pass, found.signal, self.whole(b))
        if many:  # made again for the few other templates there are
            self._noise.drop(b)
        return made

    def forget(self, *, every: bool) -> None:
        """Let go of the template of many pixels that few frames need, or of `every` one of many pixels.

        They are made again when they are needed, or `remember` is called.
        """
        with self._lock:
            for (b, gaussian), _ in self._templates.items():
                many = self.image.level(b).pixels.size > CHEAP_PIXELS
                if (every and many) or (b, gaussian) == self._passing:
                    self._templates.drop((b, gaussian))
                    if (b, gaussian) != self._passing:
                        self._forgotten.add((b, gaussian))
            self._passing = None

    def remember(self) -> None:
        """Make again what most frames need of what was let go."""
        with self._lock:
            for b, gaussian in self._forgotten:
                self.template(b, gaussian)
            self._forgotten.clear()

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

    def count_look(self, *, enough: bool) -> None:
        """Count a frame whose first look was enough, or was not."""
        with self._lock:
            self._looks[not enough] += 1

    @property
    def looks(self) -> tuple[int, int]:
        """For how many frames the first look was enough, and for how many it was not."""
        with self._lock:
            return self._looks[0], self._looks[1]


def is_clear(found: Forecast, ndim: int) -> bool:
    """Return whether an image shows clearly above its noise what tells the shift."""
    shown = promised(found.low_pass, found.signal, ndim).jacobian
    return shown >= CLEAR * noise_gains(found.low_pass, ndim).slope


def _hardly_interpolable(valid: NDArray[np.bool_]) -> bool:
    return bool(np.count_nonzero(where_interpolable(valid)) < STRICT_PART * np.count_nonzero(valid))


class MaskedSide:
    """What depends on the reference and the mask of moving."""

    def __init__(self, side: ReferenceSide, masks: MaskPyramid) -> None:
        self.side = side
        self.masks = masks
        self.plan: Plan = make_plan(side.image.mask.shape, masks.mask.shape, exact=side.options.exact)
        self._searches: Made[tuple[int, bool], LevelSearch] = Made()
        self._common: Made[int, CommonPixels] = Made()
        self._safe: Made[tuple[int, int], NDArray[np.bool_]] = Made()
        self._scattered: Made[int, bool] = Made()
        self._holes: Made[int, Holes | None] = Made()
        self._usable: Made[int, Region] = Made()
        self._surrounds: Made[int, Surround] = Made()
        self._normal: Made[tuple[int, float | None, tuple[int, ...]], NormalMatrices | None] = Made(MOST_KEPT)
        self._steps: dict[int, int] = {}
        self._levers: Made[tuple[int, tuple[int, ...]], Lever | None] = Made(MOST_KEPT)
        self._stages: Made[tuple[int, bool], list[tuple[int, float | None]]] = Made()
        self._electrons: Made[int, Electrons] = Made()
        self._others: Made[frozenset[Line] | Stripes, MaskedSide] = Made(1)

    def prepared(self, pixels: NDArray[Any]) -> Prepared:
        """Return a moving image, of checked pixels behind this mask, ready to be registered."""
        image = self.side.image
        return Prepared(pixels, self.masks, image.detector, image.mean, refined=self.refines_pixels)

    def without_lines(self, known: frozenset[Line]) -> MaskedSide:
        """Return this without some lines of both images."""
        return self._others.get(known, lambda: self._without_lines(known))

    def _without_lines(self, known: frozenset[Line]) -> MaskedSide:
        masks = MaskPyramid(less_lines(self.masks.mask, known))
        return MaskedSide(self.side.without_lines(known), masks)

    def without_stripes(self, known: Stripes) -> MaskedSide:
        """Return this with a reference without stripes."""
        return self._others.get(known, lambda: MaskedSide(self.side.without_stripes(known), self.masks))

    @cached_property
    def looks(self) -> tuple[int, ...]:
        """The levels that may be believed alone, coarsest first: those in which the reference shows well.

        Where none shows enough to tell places that are alike and the start level does, that one too: such a
        place found there needs no other level, and costs a fifth of the whole search.
        """
        side, plan = self.side, self.plan
        coarser, last = plan.looks[:-1], plan.looks[-1:]
        shown = [b for b in coarser if side.shows_most(plan, b)]
        seen = (*shown, *(b for b in last if side.visible(plan, b) >= VISIBLE))
        tells = bool(plan.looks) and side.shows_alike(plan, plan.start)
        return (*seen, plan.start) if tells and not side.shows_alike(plan, plan.looks[-1]) else seen

    def search(self, b: int, *, faint: bool = False) -> LevelSearch:
        """Return the search at level `b`, by a matched filter if it is for faint images."""
        return self._searches.get((b, faint), lambda: self._search(b, faint))

    def _search(self, b: int, faint: bool) -> LevelSearch:
        mask, side = self.masks.level(b), self.side
        return LevelSearch(
            side.image,
            mask,
            self.plan,
            b,
            side.options,
            faint=faint,
            restoration=side.restoration if faint else None,
            common=self._common_pixels(b) if b in self.plan.fine else None,
        )

    def _common_pixels(self, b: int) -> CommonPixels:
        """Return how many pixels of level `b`, of many pixels, are common at each lag."""
        masks = self.side.image.masks.level(b), self.masks.level(b)
        return self._common.get(b, lambda: CommonPixels(*masks, self.plan.window(b)))

    def electrons(self) -> Electrons:
        """Return what judges the match of few electrons, at the finest level whose lags are cheap."""
        shape, bins = self.masks.mask.shape, self.plan.bins
        cheap = [b for b in bins if math.prod(shape) <= CHEAP_PIXELS * b ** len(shape)]
        b = min(cheap, default=bins[-1])
        return self._electrons.get(b, lambda: self._made_electrons(b))

    def _made_electrons(self, b: int) -> Electrons:
        return Electrons(self.side.image, self.masks.level(b), b, self.side.forecast(b).low_pass.width)

    def stages(self, b: int, *, look: bool = False) -> list[tuple[int, float | None]]:
        """Return in which stages a place is refined, coarse to fine, that level `b` or a `look` at it found.

        Each a level, and a Gaussian on top of its low-pass or None.
        """
        return self._stages.get((b, look), lambda: self._found_stages(b, look))

    def _found_stages(self, b: int, look: bool) -> list[tuple[int, float | None]]:
        side, level = self.side, self.plan.refined_from(b, look=look)
        found: list[tuple[int, float | None]] = []
        width = b / level
        while width > NARROWING * side.forecast(level).low_pass.width:
            found.append((level, width))
            width /= NARROWING
        found.append((level, None))
        while level > 1 and side.finer_helps(level):
            level //= 2
            found.append((level, None))
        return found

    def room(self) -> Room:
        """Return the place of one frame among the few that are searched at many pixels at once.

        Where ignored pixels are scattered, every frame is filled at full resolution: memory is scarce.
        """
        return Room(self.side.rooms, scarce=bool(self.plan.fine) and self.masks.scattered)

    def take(self, room: Room | None) -> None:
        """Wait until a frame has its place among the few that are searched at many pixels at once.

        Alone behind masks with a pattern, which take more; what other frames need is made again then.
        """
        if room is not None and room.take(self.plan, alone=self._have_pattern):
            self.side.forget(every=self._have_pattern)
            room.give_back()

    @cached_property
    def _have_pattern(self) -> bool:
        return bool(self.plan.fine) and have_pattern(self.side.image.mask, self.masks.mask)

    @cached_property
    def refines_pixels(self) -> bool:
        """Whether a place that a first look finds is refined at full resolution."""
        return bool(self.looks) and self.stages(self.looks[-1], look=True)[-1][0] == 1

    @cached_property
    def greatest_overlap(self) -> float:
        """How many pixels are valid in both images at the lag where most are, as the start level knows."""
        b = self.plan.start
        masks = self.side.image.masks.level(b), self.masks.level(b)
        if np.array_equal(*masks):  # at no other lag do as many of equal masks meet as at zero
            most = float(np.count_nonzero(masks[0]))
        else:
            window = self.plan.window(b)
            reference, moving = (transform(mask.astype(np.float32), window) for mask in masks)
            most = float(np.rint(cross(reference, moving, window).max()))
        return most * float(b**self.masks.mask.ndim)

    def safe(self, b: int, radius: int) -> NDArray[np.bool_]:
        """Return where all pixels of moving within `radius` are valid at level `b`."""
        return self._safe.get((b, radius), lambda: eroded(self.masks.level(b), radius))

    def scattered(self, b: int) -> bool:
        """Return whether hardly any pixel of moving has valid neighbours at level `b`."""
        return self._scattered.get(b, lambda: _hardly_interpolable(self.masks.level(b)))

    def holes(self, b: int) -> Holes | None:
        """Return what fills the ignored pixels of level `b` of moving; None where they are few, or areas."""
        return self._holes.get(b, lambda: self._found_holes(b))

    def _found_holes(self, b: int) -> Holes | None:
        mask = self.masks.level(b)
        same = np.array_equal(mask, self.side.image.level(b).mask)
        found = self.side.holes(b) if same else find_holes(mask)
        return Holes(mask) if found is None and self.scattered(b) else found

    def usable(self, b: int) -> Region:
        """Return at which pixels of level `b` moving may be interpolated."""
        return self._usable.get(b, lambda: self._found_usable(b))

    def _found_usable(self, b: int) -> Region:
        holes = self.holes(b)
        return Region(where_interpolable(self.masks.level(b)) if holes is None else holes.usable)

    def interpolable(self, moving: Prepared, b: int) -> NDArray[np.float32]:
        """Return the pixels of moving at level `b` that are interpolated where `usable`.

        Nothing else may read that level of moving until it is `as_it_was`.
        """
        holes = self.holes(b)
        if holes is None:
            return moving.continued(b, self._surround(b))
        return moving.refilled[b] if b in moving.refilled else self.filled(moving, b, holes)

    def filled(self, moving: Prepared, b: int, holes: Holes) -> NDArray[np.float32]:
        """Return the pixels of moving at level `b` with its scattered ignored ones filled from its own."""
        if b not in moving.filled:
            moving.as_it_was()
            moving.filled[b] = holes(moving.level(b).pixels)
        return moving.filled[b]

    def surrounded(self, b: int) -> None:
        """Make known what level `b` of moving is interpolated with beside its ignored pixels."""
        self.usable(b)
        if self.holes(b) is None:
            self._surround(b)

    def _surround(self, b: int) -> Surround:
        return self._surrounds.get(b, lambda: Surround(self.masks.level(b)))

    def above(self, b: int) -> int:
        """Return the level at which it is seen whether rings expand that level `b` has placed."""
        return min(2 * b, max(self.plan.start, b))

    def normal(self, b: int, gaussian: float | None, lag: tuple[int, ...]) -> NormalMatrices | None:
        """Return the normal matrices of a template at the nearest lag of a coarse grid."""
        near = self._near(b, lag)
        return self._normal.get(
            (b, gaussian, near),
            lambda: normal_matrices(self.side.template(b, gaussian), self.usable(b).mask, near),
        )

    def lever(self, b: int, lag: tuple[int, ...]) -> Lever | None:
        """Return what an expansion of the rings that level `b` shows does at a lag."""
        near = self._near(b, lag)
        return self._levers.get((b, near), lambda: self._found_lever(b, lag, near))

    def _found_lever(self, b: int, lag: tuple[int, ...], near: tuple[int, ...]) -> Lever | None:
        rings, normal = self.side.rings(b), self.normal(b, None, lag)
        if rings is None or normal is None:
            return None
        return find_lever(rings, self.side.template(b).gradient, normal, self.usable(b).mask, near)

    def _near(self, b: int, lag: tuple[int, ...]) -> tuple[int, ...]:
        """Return the nearest lag of a coarse grid."""
        step = self._steps.get(b)
        if step is None:
            step = self._steps[b] = max(1, min(self.masks.level(b).shape) // LAG_STEPS)
        return tuple(step * round(s / step) for s in lag)
