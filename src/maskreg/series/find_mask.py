"""Find the mask of a series from the series itself: what stays still while the pattern moves.

First the frames are registered on the pixels that change most, which a beam-block is not among;
with these shifts the static pixels are found (`maskreg.masks.static`), with the mask that this
gives the frames are registered again, and so on. A sample of the frames is all that is read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.errors import FrameError, InputError
from maskreg.frames import FrameSource
from maskreg.masks import describe_mask
from maskreg.masks.moving_model import explained, predict
from maskreg.masks.static import static_pixels
from maskreg.masks.temporal import Temporal, evened, temporal
from maskreg.series.frames import opened
from maskreg.stream import ordered_map

log = logging.getLogger(__name__)

SAMPLE = 48
"""Frames that are read, spread evenly over the series."""
MEMORY = 400_000_000
"""Most bytes of frames (as float32) that are held; large frames make the sample smaller."""

_LEAST_FRAMES = 6
_LEAST_DRIFT = 0.7
"""Below so much drift, px, nothing can be told from what stands still."""
_LEAST_AT_FIRST = 0.3
"""And before the first round, px: a block that takes part makes the drift seem smaller."""
_ROUNDS = 3
_SETTLED = 1e-3
"""Part of the frame below which a round changes too little for another one."""
_LARGEST = 700
"""Frames of more rows or columns are binned while static regions are found, px."""
_COARSE = 350
"""And these in the rounds before the last one, in which the mask serves the registration alone."""
_BINS = 4.0
"""Drift, in pixels of binned frames, from which on these are enough for the first registration."""
_HALVES = 256
"""And these where the two halves of the series are compared."""
_LINES = (6.0, 3.0)
"""Sigma of change beyond which a pixel takes part in the first registration."""
_EXPLAINED = 0.4
"""Part of the changes that the shifts explain, beyond which no further masks are tried."""
_UNCOVERED = 0.005
"""Part of the frame that a given mask may leave uncovered without a warning."""
_AGREE = 0.35
"""Intersection over union of the halves' static regions below which the block itself moved."""
_CREDIBLE = 0.3
"""Part of the frame beyond which what seems to stand still says that the shifts may be wrong."""


@dataclass(frozen=True, eq=False)
class FoundMask:
    """A mask that was found.

    Attributes
    ----------
    mask : (rows, cols) bool
        True = valid.
    frames : tuple of int
        The frames that were looked at and could be registered.
    drift : float
        How far these lie apart at most, px.
    warnings : tuple of str
        What the user should look at.
    """

    mask: NDArray[np.bool_] = field(repr=False)
    frames: tuple[int, ...]
    drift: float
    warnings: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return one line for people."""
        return (
            f"{describe_mask(self.mask)}; found from {len(self.frames)} frames that drift "
            f"by up to {self.drift:.1f} px"
        )


def find_mask(frames: Any, *, given: ArrayLike | None = None, workers: int | None = None) -> FoundMask:
    """Find what stays still while the pattern moves: beam-block, gaps, dead, hot and saturated pixels.

    Parameters
    ----------
    frames : as in `maskreg.align`
        A series whose pattern drifts by about a pixel or more. A sample of it is read.
    given : (rows, cols) array of bool, optional
        A mask to compare with what is found, True = valid; it changes nothing but the warnings.
    workers : int, optional
        Frames registered at once; all cores unless told. Never changes the mask.

    Returns
    -------
    FoundMask

    Raises
    ------
    InputError
        When there are too few frames, or they cannot be registered at all.

    Examples
    --------
    >>> found = find_mask("scan/frames")  # doctest: +SKIP
    >>> found.mask, found.warnings  # doctest: +SKIP
    """
    with opened(frames) as source:
        sample, indices = _sample(source)
    found = _found(sample, workers)
    if found.trouble:
        warning = (
            f"{found.trouble}: only dead, hot and saturated pixels are found, no region that stands still"
        )
        return FoundMask(~found.static, tuple(indices), 0.0, (warning,))
    used = tuple(index for index, use in zip(indices, found.ok, strict=True) if use)
    warnings = _about_motion(sample, found, workers) or _about_size(found.static)
    warnings += _about_given(found.static, given)
    return FoundMask(~found.static, used, found.drift, tuple(warnings))


@dataclass(frozen=True, eq=False)
class _Sample:
    """Frames to look at."""

    frames: NDArray[np.float32]
    """(n, rows, cols)."""
    counts: bool
    """These are counts, or sums of such."""

    def binned(self, defective: NDArray[np.bool_], b: int) -> _Sample:
        """Return the frames binned by `b`, made up for what is defective."""
        return self if b == 1 else _Sample(_all_binned(self.frames, defective, b), self.counts)

    def part(self, which: slice) -> _Sample:
        """Return some of the frames."""
        return _Sample(self.frames[which], self.counts)


@dataclass(frozen=True, eq=False)
class _Found:
    """What stands still in a sample of frames, and how well these could be registered."""

    static: NDArray[np.bool_]
    defective: NDArray[np.bool_]
    ok: list[bool]
    shifts: NDArray[np.float64]
    """Of those that are ok, px."""
    drift: float
    trouble: str = ""
    """Why no more than defects were looked for."""


def _found(sample: _Sample, workers: int | None, rounds: int = _ROUNDS) -> _Found:
    even = evened(sample.frames)
    static = defective = temporal(even).defective
    placed = _first_placed(sample, defective, workers)
    if placed is None:
        trouble = "too few frames can be registered on what changes in them"
        return _Found(defective, defective, [False] * len(even), np.zeros((0, 2)), 0.0, trouble)
    least = _LEAST_AT_FIRST
    for _ in range(rounds):
        if placed.drift < least:
            break
        static, last = _static(even[placed.ok], placed.shifts, defective, _COARSE, workers), static
        again = _registered(sample, ~_widened(static), workers)
        if sum(again.ok) < _LEAST_FRAMES:
            break
        placed, least = again, _LEAST_DRIFT
        if (static != last).mean() < _SETTLED:
            break
    if placed.drift < _LEAST_DRIFT:
        trouble = (
            f"what could be registered moves by only {placed.drift:.2f} px (little drift, or few frames)"
        )
        return _Found(defective, defective, placed.ok, placed.shifts, placed.drift, trouble)
    static = _static(even[placed.ok], placed.shifts, defective, _LARGEST, workers)
    return _Found(static, defective, placed.ok, placed.shifts, placed.drift)


@dataclass(frozen=True, eq=False)
class _Placed:
    """Which frames could be registered, and where these are."""

    ok: list[bool]
    shifts: NDArray[np.float64]
    """Of those that are ok, px."""

    @property
    def drift(self) -> float:
        """How far these lie apart at most, px."""
        return float(np.hypot(*np.ptp(self.shifts, axis=0)))


def _sample(source: FrameSource) -> tuple[_Sample, list[int]]:
    """Return frames spread evenly over the series, as many as may be held, and their indices."""
    rows, cols = source.shape
    most = max(_LEAST_FRAMES, min(SAMPLE, MEMORY // (4 * rows * cols)))
    images, indices = [], []
    for index in np.unique(np.linspace(0, len(source) - 1, min(most, len(source))).round().astype(int)):
        try:
            image = source.read(int(index))
        except FrameError as error:
            log.debug("not looked at: %s", error)
            continue
        pixels = np.ma.getdata(image).astype(np.float32)
        filled = np.where(np.isfinite(pixels) & ~np.ma.getmaskarray(image), pixels, np.float32(0))
        if filled.min() == filled.max():
            log.debug("not looked at: %s holds one value, or none", source.name(int(index)))
            continue
        images.append(filled)
        indices.append(int(index))
    if len(images) < _LEAST_FRAMES:
        raise InputError(
            f"a mask is found from {_LEAST_FRAMES} frames or more, of which the pattern drifts; "
            f"here can be read, and are not of one value: {len(images)}"
        )
    frames = np.stack(images)
    counts = all(bool(frame.min() >= 0 and (frame == np.rint(frame)).all()) for frame in frames)
    return _Sample(frames, counts), indices


def _first_placed(sample: _Sample, defective: NDArray[np.bool_], workers: int | None) -> _Placed | None:
    """Return where the frames are by what changes in them; None if too few can be registered so.

    Large frames are binned: a bin shows a change where its noisy pixels do not. Where that tells of a
    drift by few bins, or of nothing, they are looked at as they are.
    """
    b = _bin(defective.shape, _COARSE)
    placed = _best_placed(sample.binned(defective, b), workers)
    if b == 1 or (placed is not None and placed.drift >= _BINS):
        return None if placed is None else _Placed(placed.ok, b * placed.shifts)
    return _best_placed(sample, workers)


def _best_placed(sample: _Sample, workers: int | None) -> _Placed | None:
    """Return the registrations on what changes whose shifts explain most of the changes."""
    even = evened(sample.frames)
    over_time = temporal(even)
    changed = over_time.changed(_LINES[0])
    best: _Placed | None = None
    best_part = -np.inf
    for mask in _first_masks(over_time):
        if best_part > _EXPLAINED:
            break
        placed = _registered(sample, mask, workers)
        if sum(placed.ok) < max(_LEAST_FRAMES, 0.5 * len(even)):
            continue
        prediction = predict(even[placed.ok], placed.shifts, ~over_time.defective, workers=workers)
        part = explained(prediction, over_time.variance, changed)
        log.debug("first mask, %.1f %% valid: explains %.2f", 100 * mask.mean(), part)
        if part > best_part:
            best, best_part = placed, part
    return best


def _first_masks(over_time: Temporal) -> Iterator[NDArray[np.bool_]]:
    """Yield masks of the pixels that change, and what is around them: a registration needs the slopes.

    Without the edges that do not move, which would be the steepest slopes of all, and with them.
    """
    still = _widened(over_time.still_edges(), 3)
    for line in _LINES:
        changed = _widened(over_time.changed(line), 3) & ~over_time.defective
        yield changed & ~still
        yield changed


def _registered(sample: _Sample, mask: NDArray[np.bool_], workers: int | None) -> _Placed:
    """Return where the frames are relative to the first one."""
    from maskreg.core.registrar import Registrar

    # the frames are float32; those of counts stay counts, also binned
    registrar = Registrar(sample.frames[0], mask, mask, gain=1.0 if sample.counts else None)
    answers = list(ordered_map(registrar, sample.frames, workers=workers))
    shifts = [answer.shift for answer in answers if answer.ok]
    return _Placed([answer.ok for answer in answers], np.array(shifts).reshape(-1, 2))


def _static(
    even: NDArray[np.float32],
    shifts: NDArray[np.float64],
    defective: NDArray[np.bool_],
    largest: int,
    workers: int | None,
) -> NDArray[np.bool_]:
    """Return the static pixels, regions of frames of more than `largest` px by way of binned ones."""
    drift = float(np.hypot(*np.ptp(shifts, axis=0)))
    b = _bin(defective.shape, largest, drift)
    if b == 1:
        return static_pixels(even, shifts, workers=workers) | defective
    small = _all_binned(even, defective, b)
    regions = static_pixels(small, shifts / b, workers=workers).repeat(b, axis=0).repeat(b, axis=1)
    margins = [(0, n - m) for n, m in zip(defective.shape, regions.shape, strict=True)]
    return np.asarray(np.pad(regions, margins, mode="edge") | defective)


def _bin(shape: tuple[int, ...], largest: int, drift: float = np.inf) -> int:
    """Return by how much to bin: to at most `largest` px, but so that the drift is a pixel at least."""
    b = -(-max(shape) // largest)
    return max(1, int(min(b, drift)))


def _all_binned(sample: NDArray[np.float32], defective: NDArray[np.bool_], b: int) -> NDArray[np.float32]:
    """Return the frames binned by `b`, made up for what is defective in a bin."""
    rows, cols = (n // b * b for n in defective.shape)
    small = np.stack([_binned(np.where(defective, 0, frame)[:rows, :cols], b) for frame in sample])
    weight = _binned((~defective[:rows, :cols]).astype(np.float32), b)
    return np.asarray(small * np.where(weight > 0, b * b / np.maximum(weight, 1), 0).astype(np.float32))


def _binned(image: NDArray[Any], b: int) -> NDArray[np.float32]:
    rows, cols = image.shape
    summed = image.reshape(rows // b, b, cols).sum(axis=1, dtype=np.float32)
    # much sooner than a sum over an axis of few pixels
    return np.asarray(sum((summed[:, k::b] for k in range(1, b)), summed[:, ::b]))


def _widened(area: NDArray[np.bool_], pixels: int = 1) -> NDArray[np.bool_]:
    from scipy import ndimage

    return np.asarray(ndimage.binary_dilation(area, iterations=pixels))


def _about_size(static: NDArray[np.bool_]) -> list[str]:
    if static.mean() <= 0.5:
        return []
    return [
        f"{100 * static.mean():.0f} % of the pixels seem to stand still: the registration may have followed "
        "the beam-block, or the block itself moves; draw a rough mask by hand (--ignore-rect, --ignore-disk)"
    ]


def _about_motion(sample: _Sample, found: _Found, workers: int | None) -> list[str]:
    """Return a warning when the halves of the series disagree about what stands still."""
    middle = len(found.ok) // 2
    if middle < _LEAST_FRAMES or _halves_agree(sample, found, workers):
        return []
    common = 0.0
    # what the coarse look says is looked at again before anybody is alarmed; a half drifts by less than all
    for b in dict.fromkeys((_bin(found.static.shape, _HALVES, found.drift / 4), 1)):
        small = sample.binned(found.defective, b)
        halves = [_found(small.part(half), workers, rounds=2) for half in _halves(middle)]
        if any(half.trouble or half.drift < 1 for half in halves):
            return []
        first, second = (_regions(half.static) for half in halves)
        if min(first.mean(), second.mean()) < _UNCOVERED:
            return []
        common = _in_common(first, second)
        if common >= _AGREE:
            return []
    return [
        "the beam-block itself seems to move: what stands still differs between the halves of the series "
        f"({100 * common:.0f} % in common); find a mask for each part"
    ]


def _halves_agree(sample: _Sample, found: _Found, workers: int | None) -> bool:
    """Return whether either half of the series, asked about what stands still in all of it, agrees.

    That is quick: with the shifts of the whole series. It may fail because of these (a block that moved
    is what they followed), so that only a yes counts.
    """
    if found.static.mean() > _CREDIBLE:
        return False
    b = _bin(found.static.shape, _HALVES, found.drift / 4)
    even = evened(sample.binned(found.defective, b).frames[found.ok])
    rows, cols = (n * b for n in even.shape[1:])
    both = _binned(_regions(found.static)[:rows, :cols], b) > 0.5 * b**2
    regions = []
    for half in _halves(len(even) // 2):
        frames, shifts = even[half], found.shifts[half] / b
        if len(frames) < _LEAST_FRAMES or np.hypot(*np.ptp(shifts, axis=0)) < 1:
            return False
        regions.append(_regions(static_pixels(frames, shifts, first=both, workers=workers)))
    first, second = regions
    return min(first.mean(), second.mean()) >= _UNCOVERED and _in_common(first, second) >= _AGREE


def _halves(middle: int) -> tuple[slice, slice]:
    return slice(None, middle), slice(middle, None)


def _in_common(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the intersection of two areas over their union."""
    return float((first & second).sum() / (first | second).sum())


def _about_given(static: NDArray[np.bool_], given: ArrayLike | None) -> list[str]:
    """Return what is wrong with a given mask (True = valid), as far as what was found tells."""
    if given is None:
        return []
    mask = np.asarray(given, dtype=bool)
    if mask.shape != static.shape:
        raise InputError(f"given has shape {mask.shape}, the frames have {static.shape}")
    regions = _regions(static)
    if regions.any() and mask[regions].mean() > 0.5 and mask[~regions].mean() < 0.5:
        return [
            "the given mask looks upside down: it ignores what moves and keeps what stands still; "
            "use --ignore instead of --valid, or the reverse"
        ]
    uncovered = float((regions & mask).mean())
    if uncovered <= _UNCOVERED:
        return []
    return [
        f"the given mask leaves {100 * uncovered:.1f} % of the frame uncovered that stands still; "
        "look at it (maskreg mask show), or take the mask that was found"
    ]


def _regions(static: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `static` without lone pixels and the finest lines."""
    from scipy import ndimage

    return np.asarray(ndimage.binary_opening(static, np.ones((3, 3))))
