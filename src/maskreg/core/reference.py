"""The reference's side of a registration: everything that does not depend on the moving image.

`ReferenceSide` depends on the reference only, `MaskedSide` on the masks as well; both make each
part when it is first needed and keep it, once for all threads.
"""

from __future__ import annotations

from functools import cached_property
from threading import RLock

import numpy as np
from numpy.typing import NDArray

from maskreg.core.plan import Plan, make_plan
from maskreg.core.prepared import Prepared
from maskreg.core.pyramid import binned
from maskreg.core.search import LevelSearch
from maskreg.core.settle import RADIUS, eroded
from maskreg.core.template import Template, make_template
from maskreg.options import Options

TAPS_REACH = 3
"""Pixels that six-tap interpolation reaches to either side."""


class ReferenceSide:
    """What depends on the reference only, and the `MaskedSide` of the last mask of moving."""

    def __init__(self, image: Prepared, options: Options) -> None:
        self.image = image
        self.options = options
        self._lock = RLock()
        self._masked: MaskedSide | None = None
        self._template: Template | None = None

    @property
    def template(self) -> Template:
        """The reference prepared for refinement."""
        with self._lock:
            if self._template is None:
                image = self.image
                noise = image.detector.noise_variance(image.raw, image.mask)
                self._template = make_template(image.pixels, image.mask, noise, self.options.smoothing)
            return self._template

    def for_mask(self, mask: NDArray[np.bool_]) -> MaskedSide:
        """Return what depends on the masks of both images; that of a static mask is kept."""
        with self._lock:
            kept = self._masked
            if kept is None or kept.mask.shape != mask.shape or not np.array_equal(kept.mask, mask):
                self._masked = kept = MaskedSide(self, mask)
            return kept


class MaskedSide:
    """What depends on the reference and the mask of moving."""

    def __init__(self, side: ReferenceSide, mask: NDArray[np.bool_]) -> None:
        self.side = side
        self.mask = mask
        self.plan: Plan = make_plan(side.image.mask.shape, mask.shape, exact=side.options.exact)
        self._lock = RLock()
        self._masks: dict[int, NDArray[np.bool_]] = {}
        self._searches: dict[int, LevelSearch] = {}
        self._safe: dict[int, NDArray[np.bool_]] = {}

    def level_mask(self, b: int) -> NDArray[np.bool_]:
        """Return the mask of moving at level `b`."""
        with self._lock:
            if b not in self._masks:
                self._masks[b] = binned(np.zeros(self.mask.shape, np.float32), self.mask, b)[1]
            return self._masks[b]

    def search(self, b: int) -> LevelSearch:
        """Return the search at level `b`."""
        with self._lock:
            if b not in self._searches:
                image, options = self.side.image, self.side.options
                step = image.detector.least_step(image.raw, image.mask) / image.scale
                limits = options.limits(image.mask.ndim)
                self._searches[b] = LevelSearch(
                    image.level(b), self.level_mask(b), self.plan, b, limits, options.min_overlap, step
                )
            return self._searches[b]

    def safe(self, b: int) -> NDArray[np.bool_]:
        """Return where a whole settling window of moving is valid at level `b`."""
        with self._lock:
            if b not in self._safe:
                self._safe[b] = eroded(self.level_mask(b), RADIUS)
            return self._safe[b]

    @cached_property
    def whole(self) -> NDArray[np.bool_]:
        """Where a whole six-tap neighbourhood of moving is valid."""
        return eroded(self.mask, TAPS_REACH)
