"""What a registration needs that depends on the reference and on the mask of moving.

As of `maskreg.core.reference`, each part is made when it is first needed and kept, once for all threads.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskreg.core.detector.lines import Line, less_lines
from maskreg.core.detector.stripes import Stripes
from maskreg.core.image.holes import Holes, find_holes
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import MaskPyramid, eroded
from maskreg.core.image.runs import Region
from maskreg.core.image.surround import Surround, where_interpolable
from maskreg.core.lags.common_pixels import CommonPixels, have_pattern
from maskreg.core.lags.spectra import cross, transform
from maskreg.core.machine.made import Made
from maskreg.core.machine.room import Room
from maskreg.core.plan import CHEAP_PIXELS, Plan, make_plan
from maskreg.core.reference import ReferenceSide
from maskreg.core.search.search import LevelSearch
from maskreg.core.subpixel.coarse_lag import MOST_KEPT, coarse_lag
from maskreg.core.subpixel.expansion import Lever, find_lever
from maskreg.core.subpixel.normal_matrices import NormalMatrices, normal_matrices
from maskreg.core.uncertainty.few_electrons import Electrons

NARROWING = 2.5
"""From stage to stage of the refinement at one level the low-pass narrows by this factor."""

SHADED_PX = 48
"""The shortest side of a level at which shading is seen has so many pixels at least; less show none."""

STRICT_PART = 0.25
"""Where whole neighbourhoods keep less than this part of the valid pixels the mask is scattered."""

VISIBLE = 0.03
"""A first look shows at least this part of the reference's structure, or it is not believed alone."""


class MaskedSide:
    """What depends on the reference and the mask of moving.

    Parameters
    ----------
    side : ReferenceSide
    masks : MaskPyramid
        Of the mask of moving.
    """

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
        self._levers: Made[tuple[int, tuple[int, ...]], Lever | None] = Made(MOST_KEPT)
        self._stages: Made[tuple[int, bool], list[tuple[int, float | None]]] = Made()
        self._electrons: Made[int, Electrons] = Made()
        self._others: Made[frozenset[Line] | Stripes | Literal["shading"], MaskedSide] = Made(1)

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
        return self._others.get(known, lambda: self._of(self.side.without_stripes(known)))

    @cached_property
    def shows_shading(self) -> bool:
        """Whether shading may be told from the scene, and taken off: behind scattered pixels it hides."""
        shortest = min(*self.side.image.mask.shape, *self.masks.mask.shape)
        return shortest >= SHADED_PX and not self.masks.scattered

    def without_shading(self) -> MaskedSide:
        """Return this with a reference without its shading."""
        return self._others.get("shading", lambda: self._of(self.side.without_shading()))

    def _of(self, side: ReferenceSide) -> MaskedSide:
        """Return this with another reference of the same mask; what depends on the masks alone is shared."""
        other = MaskedSide(side, self.masks)
        other._common, other._safe, other._scattered = self._common, self._safe, self._scattered
        other._usable, other._surrounds = self._usable, self._surrounds
        return other

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
        near = coarse_lag(lag, self.masks.level(b).shape)
        return self._normal.get(
            (b, gaussian, near),
            lambda: normal_matrices(self.side.template(b, gaussian), self.usable(b).mask, near),
        )

    def lever(self, b: int, lag: tuple[int, ...]) -> Lever | None:
        """Return what an expansion of the rings that level `b` shows does at a lag."""
        near = coarse_lag(lag, self.masks.level(b).shape)
        return self._levers.get((b, near), lambda: self._found_lever(b, lag, near))

    def _found_lever(self, b: int, lag: tuple[int, ...], near: tuple[int, ...]) -> Lever | None:
        rings, normal = self.side.rings(b), self.normal(b, None, lag)
        if rings is None or normal is None:
            return None
        return find_lever(rings, self.side.template(b).gradient, normal, self.usable(b).mask, near)


def _hardly_interpolable(valid: NDArray[np.bool_]) -> bool:
    return bool(np.count_nonzero(where_interpolable(valid)) < STRICT_PART * np.count_nonzero(valid))
