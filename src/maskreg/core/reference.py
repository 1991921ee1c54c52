"""The reference's side of a registration: everything that does not depend on the moving image.

`ReferenceSide` depends on the reference only, `MaskedSide` on the masks as well; both make each
part when it is first needed and keep it, once for all threads.
"""

from __future__ import annotations

from dataclasses import replace
from threading import RLock

import numpy as np
from numpy.typing import NDArray

from maskreg.core.noise import noise_map
from maskreg.core.plan import Plan, make_plan
from maskreg.core.prepared import Prepared
from maskreg.core.pyramid import binned
from maskreg.core.search import LevelSearch
from maskreg.core.settle import eroded
from maskreg.core.template import Forecast, Template, forecast, make_template
from maskreg.options import Options


class ReferenceSide:
    """What depends on the reference only, and the `MaskedSide` of the last mask of moving."""

    def __init__(self, image: Prepared, options: Options) -> None:
        self.image = image
        self.options = options
        self._lock = RLock()
        self._masked: MaskedSide | None = None
        self._noise: NDArray[np.float32] | None = None
        self._forecasts: dict[int, Forecast] = {}
        self._templates: dict[tuple[int, float], Template] = {}

    def noise(self, b: int) -> NDArray[np.float32]:
        """Return the variance of each pixel's noise at level `b`, stabilised units."""
        with self._lock:
            if self._noise is None:
                self._noise = noise_map(self.image)
            return binned(self._noise, self.image.mask, b)[0] / np.float32(b**self.image.mask.ndim)

    def forecast(self, b: int) -> Forecast:
        """Return which low-pass refines best at level `b`, and how well, in level pixels."""
        with self._lock:
            if b not in self._forecasts:
                level = self.image.level(b)
                found = forecast(level.pixels, level.mask, self.noise(b))
                smoothing = self.options.smoothing
                self._forecasts[b] = (
                    found if isinstance(smoothing, str) else replace(found, width=smoothing / b)
                )
            return self._forecasts[b]

    def template(self, b: int, width: float) -> Template:
        """Return the reference prepared for refinement at level `b`, low-passed by `width` level pixels."""
        with self._lock:
            if (b, width) not in self._templates:
                level = self.image.level(b)
                self._templates[b, width] = make_template(level.pixels, level.mask, self.noise(b), width)
            return self._templates[b, width]

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
        self._safe: dict[tuple[int, int], NDArray[np.bool_]] = {}

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
                self._searches[b] = LevelSearch(
                    self.side.image, self.level_mask(b), self.plan, b, self.side.options
                )
            return self._searches[b]

    def safe(self, b: int, radius: int) -> NDArray[np.bool_]:
        """Return where all pixels of moving within `radius` are valid at level `b`."""
        with self._lock:
            if (b, radius) not in self._safe:
                self._safe[b, radius] = eroded(self.level_mask(b), radius)
            return self._safe[b, radius]
