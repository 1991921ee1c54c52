"""Search every lag for the most likely place, on images binned so that the search is cheap.

At each level the background is taken off (`detail`), the masked NCC of all lags is computed, and
the chance level is read off the map itself: z(s) = atanh(r) sqrt(n - 3) has, over all lags, a
median and a spread that calibrate themselves to how correlated the pixels are. The significance
of a place is S = (z - median) / (1.4826 MAD). Among N lags of unrelated images the greatest S
exceeds `significance_line(N)` as often as is its share of one frame in a thousand, which all maps that
may be made of a frame divide among them; the most significant level is believed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from threading import RLock
from typing import Any

import numpy as np
import scipy.special
from numpy.typing import NDArray

from maskreg.core.detector.read_noise import Restoration
from maskreg.core.image.detail import BinnedPlane, Detail, LocalPlane, detail
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import LevelImage
from maskreg.core.lags.common_pixels import CommonPixels
from maskreg.core.lags.correlate import ReferenceTerms, limited_lags, reference_terms
from maskreg.core.lags.fine import FineLags
from maskreg.core.lags.lean_maps import HalfMap, NccOfScores, Searched
from maskreg.core.lags.maxima import likeliest_maxima
from maskreg.core.lags.scores import LEAST_SPREAD, Judged, chance_level, level_scores
from maskreg.core.lags.spectra import sum_of_squares
from maskreg.core.likelihood import FEWEST_PIXELS, LEAST_UNEXPLAINED
from maskreg.core.plan import BACKGROUND_PX, Plan
from maskreg.core.search.matched import Matched
from maskreg.core.search.peak_kernels import greatest_near_2d
from maskreg.options import Options

CHANCE = 1e-3
"""How often the best of all lags of two unrelated images may pass for significant, at whatever level."""

SECOND_CHANCE = 0.05
"""A second place of a matched filter that chance reaches less often than this is the structure met again."""

STATISTICS_OVERLAP = 0.05
"""Lags below this fraction of the greatest overlap do not enter the chance level."""

SMOOTH = 1e-7
"""Detail of less than this part of an image's energy is what fitting planes leaves of a smooth ramp."""

FAINT_BACKGROUND_PX = 20.0
"""Sigma of the local plane that a faint search takes off, level pixels."""

SEARCHED_OVERLAP = 0.05
"""Lags below this fraction of the greatest overlap are not searched: sparse counts coincide there."""


@dataclass(frozen=True)
class LevelMap:
    """What one level says of every lag.

    Attributes
    ----------
    bin : int
        One lag of this level is so many px.
    reference, moving : LevelImage
        The images at this level, background off.
    lags : tuple of 1-D ndarray
        In level pixels.
    ncc, overlap : ndarray
        Per lag; or, as the next two, what is indexed like it (`lags.lean_maps`).
    score : ndarray
        Significance S of every lag, whether searched or not; NaN = forbidden.
    searched : ndarray of bool
        Lags inside the limits with enough overlap.
    floor : float
        eps of the likelihood.
    line : float
        The significance that a chance place reaches as often as is the level's share of `CHANCE`.
    reach : int
        Lags to each side over which a place spreads.
    resolved : float
        How many independent values a pixel of the filtered images is worth.
    matched, restored : bool
        Whether the images are filtered to match, and whether read noise was taken out of their values.
    slope : float
        Of filtered images: standard deviation of the derivative of `score`, per lag, that noise makes.
    again : float
        The significance from which on a second place is the structure met again, and no chance; of
        images that are not filtered `line`.
    peaks : list of index, optional
        The `maxima`, where they are known already.
    """

    bin: int
    reference: LevelImage
    moving: LevelImage
    lags: tuple[NDArray[np.intp], ...]
    ncc: Any
    overlap: Any
    score: Any
    searched: Any
    floor: float
    line: float
    reach: int = 1
    resolved: float = 1.0
    matched: bool = False
    restored: bool = False
    slope: float = 0.0
    again: float = 0.0
    peaks: list[tuple[int, ...]] | None = None

    @cached_property
    def maxima(self) -> list[tuple[int, ...]]:
        """Indices of the likeliest local maxima, best first; of equal ones the smallest shift first."""
        if self.peaks is not None:
            return self.peaks
        return likeliest_maxima(self.ncc, self.overlap, self.searched, self.floor, self.lags)

    @cached_property
    def origin(self) -> tuple[int, ...]:
        """The first lag of each axis, level pixels."""
        return tuple(int(axis[0]) for axis in self.lags)

    @property
    def best(self) -> tuple[int, ...] | None:
        """Index of the greatest likelihood; of equal ones the smallest shift. None if all are forbidden."""
        return self.maxima[0] if self.maxima else None

    @property
    def margin(self) -> float:
        """By how much the significance of the best lag exceeds the line; -inf if there is none."""
        return -np.inf if self.best is None else float(self.score[self.best]) - self.line

    def near(self, shift: NDArray[np.float64], lags: int = 0) -> float:
        """Return the greatest significance around a shift in px; -inf if all lags there are forbidden.

        To so many `lags` to each side; over which a place spreads in any case.
        """
        reach, index = max(lags, self.reach), self.index_of(shift)
        if isinstance(self.score, np.ndarray) and self.score.ndim == 2:
            return float(greatest_near_2d(self.score, *index, reach))
        window = tuple(slice(max(0, i - reach), i + reach + 1) for i in index)
        greatest = float(np.fmax.reduce(self.score[window], axis=None))
        return greatest if greatest == greatest else -np.inf

    def height(self, shift: NDArray[np.float64]) -> float:
        """Return Fisher's z, of unit noise, at the top of the peak near a shift in px."""
        return self.z_of(*self.top(shift))

    def z_of(self, ncc: float, number: float) -> float:
        """Return Fisher's z of the NCC of so many independent values."""
        return float(np.arctanh(np.clip(ncc, -1, np.sqrt(1 - self.floor))) * np.sqrt(max(number - 3, 0)))

    def top(self, shift: NDArray[np.float64]) -> tuple[float, float]:
        """Return NCC at the top of the peak near a shift in px, and of how many independent values it is."""
        index = self.index_of(shift)
        window = tuple(slice(max(0, i - self.reach), i + self.reach + 1) for i in index)
        near = np.where(np.isnan(self.ncc[window]), -1.0, self.ncc[window])
        at = tuple(
            int(w.start + i) for w, i in zip(window, np.unravel_index(near.argmax(), near.shape), strict=True)
        )
        top = float(near.max())
        for axis, i in enumerate(at):
            if 0 < i < self.ncc.shape[axis] - 1:
                left, right = (float(self.ncc[(*at[:axis], k, *at[axis + 1 :])]) for k in (i - 1, i + 1))
                curvature = 2 * float(near.max()) - left - right
                if curvature > 0:
                    top += (right - left) ** 2 / (8 * curvature)
        return top, float(self.overlap[at]) * self.resolved

    def lag(self, index: tuple[int, ...]) -> tuple[int, ...]:
        """Return the lag at an index, level pixels."""
        return tuple(int(axis[i]) for axis, i in zip(self.lags, index, strict=True))

    def index_of(self, shift: NDArray[np.float64]) -> tuple[int, ...]:
        """Return the index of the lag nearest to a shift in px, clipped to the map."""
        # round to even, as np.rint does
        return tuple(
            min(max(round(s / self.bin) - first, 0), len(axis) - 1)
            for s, first, axis in zip(shift.tolist(), self.origin, self.lags, strict=True)
        )


@dataclass(frozen=True)
class _Maps:
    """What is known of every lag, as in `LevelMap`."""

    ncc: Any
    overlap: Any
    score: Any
    searched: Any
    peaks: list[tuple[int, ...]] | None = None


@lru_cache(maxsize=64)
def significance_line(lags: int, independent: float, chance: float) -> float:
    """Return the S that the best of `lags` chance values exceeds with probability `chance`.

    Student's t, because the spread itself is known from `independent` values only: for the large
    maps of images this is the Gaussian, for a short 1-D signal it is much higher.
    """
    return float(-scipy.special.stdtrit(max(2.0, independent), chance / max(1, lags)))


class LevelSearch:
    """The search at one level: what depends on the reference and the static mask, computed once.

    Parameters
    ----------
    image : Prepared
        The reference.
    moving_mask : ndarray of bool
        Mask of moving at this level.
    plan : Plan
    b : int
        Bin of the level.
    options : Options
        For `max_shift` and `min_overlap`.
    faint : bool
        Filter the detail (`search.matched`), and keep more of the background in it: where noise
        drowns single pixels.
    restoration : Restoration, optional
        Of values that read noise has changed.
    common : CommonPixels, optional
        Of the masks at this level, if it has many pixels and they are known already.
    """

    def __init__(
        self,
        image: Prepared,
        moving_mask: NDArray[np.bool_],
        plan: Plan,
        b: int,
        options: Options,
        *,
        faint: bool = False,
        restoration: Restoration | None = None,
        common: CommonPixels | None = None,
    ) -> None:
        self.bin = b
        self._options = options
        self._restoration = restoration
        self._lock = RLock()
        self._terms: dict[type, ReferenceTerms] = {}
        self._window = plan.window(b)
        # half for the filter, which decides on faint frames; the levels, of which many may be searched, share
        self._chance = CHANCE / 2 if faint else CHANCE / (2 * len(plan.bins))
        image, fine = self._restored(image), b in plan.fine
        mask = image.level(b).mask
        # the chance level comes from all lags, whatever the limits: same map, same significance
        self.lags = limited_lags(mask.shape, moving_mask.shape, None)
        sigma, plane_of = FAINT_BACKGROUND_PX if faint else BACKGROUND_PX, BinnedPlane if fine else LocalPlane
        plane = plane_of(mask, sigma)
        self._moving_plane = plane if np.array_equal(moving_mask, mask) else plane_of(moving_mask, sigma)
        self._matched: Matched | None = None
        self._take_reference(image, plane, faint=faint)
        self._fine = None
        if fine:
            common = common or CommonPixels(mask, moving_mask, self._window)
            self._fine = FineLags(self._reference.pixels, common)
        self._take_overlap()

    def _take_reference(self, image: Prepared, plane: LocalPlane | BinnedPlane, *, faint: bool) -> None:
        """Take the reference's detail, filtered to match if it is faint, and how far it is known."""
        level = image.level(self.bin)
        own = detail(level.pixels, plane, image.detector, image.mean)
        pixels, energy, whole = own.pixels.copy(), own.energy, own.whole
        del own  # and with it a twin of squares
        # a step of one count in a block of pixels
        step = image.detector.least_step(image.raw.dtype, image.typical) / image.scale
        kept = 1.0
        if faint:
            self._matched = Matched(pixels)
            kept, pixels = self._matched.kept, self._matched.filtered(pixels, level.mask)
            energy = sum_of_squares(pixels)
        self._quantised = (step * kept / self.bin**level.mask.ndim) ** 2 / 12
        self._reference = LevelImage(pixels, level.mask)
        self._variance = _variance(energy, whole, level.mask)

    def _take_overlap(self) -> None:
        """Take which lags are searched, and which the chance level is read off: of a fine level some."""
        lags = self.lags
        if self._fine is None:
            overlap = self.terms(np.float32).overlap
            greatest = float(overlap.max(initial=0))
        else:
            common = self._fine.common
            lags = tuple(axis[some] for axis, some in zip(lags, common.sampled, strict=True))
            overlap, greatest = common.sampled_overlap, common.greatest_overlap
        self._least, counted = self._least_overlaps(greatest)
        searched = _within(lags, self._limits()) & (overlap >= self._least)
        # of a fine level how many of the sampled lags are: a map would take more than all else
        self._searched: Any = searched if self._fine is None else np.count_nonzero(searched)
        self._counted = overlap >= counted

    def _restored(self, image: Prepared) -> Prepared:
        return image if self._restoration is None else self._restoration(image)

    def _least_overlaps(self, greatest: float) -> tuple[float, float]:
        """Return the least overlaps of lags that are searched, and of those the chance level is read off."""
        least = FEWEST_PIXELS + 1.0
        searched = (self._options.min_overlap or SEARCHED_OVERLAP) * greatest
        return max(least, searched), max(least, STATISTICS_OVERLAP * greatest)

    def _limits(self) -> tuple[float, ...] | None:
        """Return the greatest lags that are searched, rounded up: refinement decides at the border."""
        limits = self._options.limits(len(self.lags))
        return None if limits is None else tuple(float(np.ceil(m / self.bin)) for m in limits)

    def __call__(self, moving: Prepared) -> LevelMap:
        """Return the likelihood of every lag for a moving image."""
        if self._fine is not None:
            return self._fine_map(self._fine, *self._fine_detail(moving))
        moving = self._restored(moving)
        image = moving.level(self.bin).pixels
        found = detail(image, self._moving_plane, moving.detector, moving.mean, self._window)
        if self._matched is not None:
            found = self._matched(found, self._moving_plane.mask)
        level, doubted = self._level_map(found, np.float32)
        # as where one pixel outshines all others and the overlap leaves it out
        if doubted:
            level, _ = self._level_map(found, np.float64)
        return level

    def _fine_detail(self, moving: Prepared) -> tuple[NDArray[np.float32], float]:
        """Return the detail of an image of many pixels, without its twin of squares, and its variance."""
        restored = self._restored(moving)
        image = restored.level(self.bin).pixels
        found = detail(image, self._moving_plane, restored.detector, restored.mean)
        pixels, energy, whole, mask = found.pixels.copy(), found.energy, found.whole, self._moving_plane.mask
        moving.forget()  # these lags take more memory than anything else
        del found, image, restored
        if self._matched is not None:
            pixels = self._matched.filtered(pixels, mask)
            energy = sum_of_squares(pixels)
        return pixels, _variance(energy, whole, mask)

    def _fine_map(self, lags: FineLags, pixels: NDArray[np.float32], variance: float) -> LevelMap:
        """Return the map of images of many pixels."""
        mask, floor = self._moving_plane.mask, self._floor(variance)
        overlap = lags.common.overlap
        scored = lags(pixels, floor, self._limits() or (np.inf,) * mask.ndim, self._least)
        median, spread, count = chance_level(scored.sample, self._counted)
        spread = max(spread, LEAST_SPREAD)
        every = float(np.prod(overlap.shape)) / scored.sample.size
        searched = max(float(len(scored.best)), every * self._searched)
        score = HalfMap(scored.z, scored.best, median, spread)
        maps = _Maps(
            NccOfScores(score, overlap), overlap, score,
            Searched(score, overlap, self._limits(), self._least, searched > 0), list(scored.best),
        )  # fmt: skip
        return self._map(LevelImage(pixels, mask), floor, searched, every * count, maps)

    def _level_map(self, found: Detail, dtype: type) -> tuple[LevelMap, bool]:
        """Return the map in a precision, and whether lags that this cannot tell might be the likeliest."""
        terms, mask = self.terms(dtype), self._moving_plane.mask
        floor = self._floor(_variance(found.energy, found.whole, mask))
        padded: NDArray[Any] = found.padded.astype(dtype, copy=False)
        if dtype is np.float64:
            padded[1] = padded[0] ** 2
        judged = Judged(self._least, floor, self._searched, self._counted, self.lags)
        scored = level_scores(terms, padded, found.energy, judged)
        maps = _Maps(scored.ncc, terms.overlap, scored.score, scored.searched, scored.peaks)
        level = self._map(LevelImage(found.pixels, mask), floor, scored.number, scored.counted, maps)
        return level, scored.possible > scored.greatest

    def _map(
        self, moving: LevelImage, floor: float, searched: float, counted: float, maps: _Maps
    ) -> LevelMap:
        """Return what is told of every lag; so many are searched, and counted for the chance level."""
        matched, ndim = self._matched, moving.mask.ndim
        lags = searched * (1.0 if matched is None else matched.independent)
        tried = int(np.ceil(lags)), counted / 2**ndim / 4
        line = significance_line(*tried, self._chance)
        level = LevelMap(
            self.bin, self._reference, moving, self.lags, maps.ncc, maps.overlap, maps.score, maps.searched,
            floor, line, again=line, peaks=maps.peaks,
        )  # fmt: skip
        if matched is None:
            return level
        return replace(
            level,
            reach=int(np.ceil(matched.width)),
            resolved=matched.resolved,
            matched=True,
            restored=self._restoration is not None,
            slope=matched.slope,
            again=significance_line(*tried, SECOND_CHANCE),
        )

    def terms(self, dtype: type) -> ReferenceTerms:
        """Return what depends on the reference and the masks only, in a precision."""
        with self._lock:
            if dtype not in self._terms:
                reference, moving_mask = self._reference, self._moving_plane.mask
                self._terms[dtype] = reference_terms(
                    reference.pixels.astype(dtype), reference.mask, moving_mask, self._window, self.lags
                )
            return self._terms[dtype]

    def _floor(self, variance: float) -> float:
        if min(self._variance, variance) <= 0:
            return 1.0
        quantised = self._quantised * (1 / self._variance + 1 / variance)
        return float(min(1.0, max(LEAST_UNEXPLAINED, quantised)))


def _variance(energy: float, whole: float, mask: NDArray[np.bool_]) -> float:
    """Return the variance of an image's detail; 0 where it is no more than the fit's own error."""
    return energy / max(1, int(np.count_nonzero(mask))) if energy > SMOOTH * whole else 0.0


def _within(lags: tuple[NDArray[np.intp], ...], limits: tuple[float, ...] | None) -> NDArray[np.bool_]:
    """Return which lags are inside the limits."""
    inside = np.ones([len(axis) for axis in lags], bool)
    if limits is not None:
        for i, (axis, limit) in enumerate(zip(lags, limits, strict=True)):
            shape = [-1 if k == i else 1 for k in range(len(lags))]
            inside &= (np.abs(axis) <= limit).reshape(shape)
    return inside
