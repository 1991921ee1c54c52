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
from maskreg.registration import Registration
from maskreg.series.frames import opened
from maskreg.stream import available_cores, ordered_map

log = logging.getLogger(__name__)

SAMPLE = 48
"""Frames that are read, spread evenly over the series."""
MEMORY = 400_000_000
"""Most bytes of frames (as float32) that are held; large frames make the sample smaller."""

_LEAST_FRAMES = 6
_LEAST_DRIFT = 0.7
"""Below so much drift, px, nothing can be told from what stands still."""
_ROUNDS = 3
_SETTLED = 1e-3
"""Part of the frame below which a round changes too little for another one."""
_LARGEST = 700
"""Frames of more rows or columns are binned while static regions are found, px."""
_COARSE = 350
"""And these in the rounds before the last one, in which the mask serves the registration alone."""
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
class _Found:
    """What stands still in a sample of frames, and how well these could be registered."""

    static: NDArray[np.bool_]
    defective: NDArray[np.bool_]
    ok: list[bool]
    drift: float
    trouble: str = ""
    """Why no more than defects were looked for."""


def _found(sample: NDArray[np.float32], workers: int | None, rounds: int = _ROUNDS) -> _Found:
    even = evened(sample)
    over_time = temporal(even)
    static = defective = over_time.defective
    answers = _first_registrations(sample, even, over_time, workers)
    if not answers:
        nobody = [False] * len(sample)
        return _Found(
            defective, defective, nobody, 0.0, "too few frames can be registered on what changes in them"
        )
    for _ in range(rounds):
        ok, shifts, drift = _placed(answers)
        if drift < _LEAST_DRIFT:
            trouble = f"what could be registered moves by only {drift:.2f} px (little drift, or few frames)"
            return _Found(defective, defective, ok, drift, trouble)
        static, last = _static(even[ok], shifts, defective, _COARSE), static
        again = _registered(sample, ~_widened(static), workers)
        if sum(answer.ok for answer in again) < _LEAST_FRAMES:
            break
        answers = again
        if (static != last).mean() < _SETTLED:
            break
    ok, shifts, drift = _placed(answers)
    static = _static(even[ok], shifts, defective, _LARGEST)
    return _Found(static, defective, ok, drift)


def _placed(answers: list[Registration]) -> tuple[list[bool], NDArray[np.float64], float]:
    """Return which frames are ok, the shifts of these, and how far they lie apart, px."""
    ok = [answer.ok for answer in answers]
    shifts = np.array([answer.shift for answer in answers if answer.ok])
    return ok, shifts, float(np.hypot(*np.ptp(shifts, axis=0)))


def _sample(source: FrameSource) -> tuple[NDArray[np.float32], list[int]]:
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
        images.append(np.where(np.isfinite(pixels) & ~np.ma.getmaskarray(image), pixels, np.float32(0)))
        indices.append(int(index))
    if len(images) < _LEAST_FRAMES:
        raise InputError(
            f"frames has {len(images)} that can be read; a mask is found from {_LEAST_FRAMES} or more"
        )
    return np.stack(images), indices


def _first_registrations(
    sample: NDArray[np.float32], even: NDArray[np.float32], over_time: Temporal, workers: int | None
) -> list[Registration]:
    """Return the registrations on what changes whose shifts explain most of the changes."""
    defective = over_time.defective
    changed = over_time.changed(_LINES[0])
    best: list[Registration] = []
    best_part = -np.inf
    for mask in _first_masks(over_time, defective):
        if best_part > _EXPLAINED:
            break
        answers = _registered(sample, mask, workers)
        ok = np.array([answer.ok for answer in answers])
        if ok.sum() < max(_LEAST_FRAMES, 0.5 * len(ok)):
            continue
        shifts = np.array([answer.shift for answer in answers])[ok]
        part = explained(predict(even[ok], shifts, ~defective), over_time.variance, changed)
        log.debug("first mask, %.1f %% valid: explains %.2f", 100 * mask.mean(), part)
        if part > best_part:
            best, best_part = answers, part
    return best


def _first_masks(over_time: Temporal, defective: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    """Yield masks of the pixels that change, and what is around them: a registration needs the slopes.

    Without the edges that do not move, which would be the steepest slopes of all, and with them.
    """
    still = _widened(over_time.still_edges(), 3)
    for line in _LINES:
        changed = _widened(over_time.changed(line), 3) & ~defective
        yield changed & ~still
        yield changed


def _registered(
    sample: NDArray[np.float32], mask: NDArray[np.bool_], workers: int | None
) -> list[Registration]:
    """Return the registrations to the first frame."""
    from maskreg.core.registrar import Registrar

    # the sample is float32; frames of counts stay counts
    counts = bool((sample == np.rint(sample)).all() and sample.min() >= 0)
    registrar = Registrar(sample[0], mask, mask, gain=1.0 if counts else None)
    return list(ordered_map(registrar, sample, workers=workers or available_cores()))


def _static(
    sample: NDArray[np.float32], shifts: NDArray[np.float64], defective: NDArray[np.bool_], largest: int
) -> NDArray[np.bool_]:
    """Return the static pixels, regions of frames of more than `largest` px by way of binned ones."""
    drift = float(np.hypot(*np.ptp(shifts, axis=0)))
    b = _bin(sample, largest, drift)
    if b == 1:
        return static_pixels(sample, shifts) | defective
    small = _all_binned(sample, defective, b)
    regions = static_pixels(small, shifts / b).repeat(b, axis=0).repeat(b, axis=1)
    margins = [(0, n - m) for n, m in zip(defective.shape, regions.shape, strict=True)]
    return np.asarray(np.pad(regions, margins, mode="edge") | defective)


def _bin(sample: NDArray[np.float32], largest: int, drift: float) -> int:
    """Return by how much to bin: to at most `largest` px, but so that the drift is a pixel at least."""
    longest: int = max(sample.shape[1:])
    return max(1, min(-(-longest // largest), int(drift)))


def _all_binned(sample: NDArray[np.float32], defective: NDArray[np.bool_], b: int) -> NDArray[np.float32]:
    """Return the frames binned by `b`, made up for what is defective in a bin."""
    rows, cols = (n // b * b for n in defective.shape)
    small = np.stack([_binned(np.where(defective, 0, frame)[:rows, :cols], b) for frame in sample])
    weight = _binned((~defective[:rows, :cols]).astype(np.float32), b)
    return np.asarray(small * np.where(weight > 0, b * b / np.maximum(weight, 1), 0).astype(np.float32))


def _binned(image: NDArray[Any], b: int) -> NDArray[np.float32]:
    rows, cols = image.shape
    return np.asarray(image.reshape(rows // b, b, cols // b, b).sum(axis=(1, 3)), dtype=np.float32)


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


def _about_motion(sample: NDArray[np.float32], found: _Found, workers: int | None) -> list[str]:
    """Return a warning when the halves of the series, each by itself, disagree about what stands still."""
    middle = len(sample) // 2
    if middle < _LEAST_FRAMES:
        return []
    common = 0.0
    # what the coarse look says is looked at again before anybody is alarmed; a half drifts by less than all
    for b in dict.fromkeys((_bin(sample, _HALVES, found.drift / 4), 1)):
        small = sample if b == 1 else np.rint(_all_binned(sample, found.defective, b))  # counts stay counts
        halves = [_found(half, workers, rounds=2) for half in (small[:middle], small[middle:])]
        if any(half.trouble or half.drift < 1 for half in halves):
            return []
        first, second = (_regions(half.static) for half in halves)
        if min(first.mean(), second.mean()) < _UNCOVERED:
            return []
        common = float((first & second).sum() / (first | second).sum())
        if common >= _AGREE:
            return []
    return [
        "the beam-block itself seems to move: what stands still differs between the halves of the series "
        f"({100 * common:.0f} % in common); find a mask for each part"
    ]


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
