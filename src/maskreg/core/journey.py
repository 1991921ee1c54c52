"""One moving image's way to its registration: search, choose, settle, refine, judge."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from maskreg.core.likelihood import FEWEST_PIXELS
from maskreg.core.peak import Choice, choose
from maskreg.core.prepared import Prepared
from maskreg.core.reference import MaskedSide, ReferenceSide
from maskreg.core.refine import refine
from maskreg.core.search import LevelMap
from maskreg.core.settle import Place, settle
from maskreg.core.windows import window_sums
from maskreg.registration import Registration, Rival, Status

AMBIGUOUS = float(np.log(20.0))
"""A rival less than this below the winner in log-likelihood (odds 20 to 1) makes it ambiguous."""

SURE = 3.0
"""A place this many spreads above the line needs no finer search."""

NARROW = 1.5
"""Settling goes down to the level whose pixel is at most this many widths of the low-pass."""

VERTEX_DOUBT = 0.3
"""1 sigma of a parabola's vertex where refinement has no answer, level pixels."""


def registration_of(side: ReferenceSide, moving: Prepared) -> Registration:
    """Return the registration of a moving image; both images have valid pixels of some variance."""
    ndim = moving.mask.ndim
    masked = side.for_mask(moving.mask)
    level = search(masked, moving)
    if level is None:
        return Registration.failed(Status.NO_OVERLAP, ndim, _why_forbidden(masked))
    choice = choose(level)
    shift, covariance = place(masked, moving, level, choice.lag)
    significance = _significance_near(level, shift)
    rival = _rival(level, choice)
    status, detail = judge(masked, level, choice, shift, significance)
    if not status.keeps_shift:
        nan = np.full(ndim, np.nan)
        return Registration(nan, np.diag(nan), np.nan, significance, np.nan, rival, status, detail)
    score, overlap = _score(masked, moving, level, shift)
    if not side.options.subpixel:
        shift, covariance = np.rint(shift), covariance + np.eye(ndim) / 12
    # + 0.0 turns -0.0 into 0.0
    return Registration(shift + 0.0, covariance, score, significance, overlap, rival, status, detail)


def search(masked: MaskedSide, moving: Prepared) -> LevelMap | None:
    """Return the level whose best place is the most significant; None if all lags are forbidden.

    The cheap levels first; finer ones only where those leave a doubt.
    """

    def levels(bins: tuple[int, ...]) -> Iterator[LevelMap]:
        for b in bins:
            yield masked.search(b)(moving.level(b).pixels)

    found = [level for level in levels(masked.plan.coarse_first) if level.best is not None]
    best = max(found, key=lambda level: level.margin, default=None)
    for level in levels(masked.plan.fallback):
        if best is not None and best.margin >= SURE:
            break
        if level.best is not None and (best is None or level.margin > best.margin):
            best = level
    return best


def place(
    masked: MaskedSide, moving: Prepared, level: LevelMap, lag: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return shift and covariance from a lag of one level: settle down the pyramid, then refine."""
    template = masked.side.template
    b = level.bin
    settled = _settled(masked, moving, b, lag)
    while b > 1 and b > NARROW * template.width:
        # the middle of a binned pixel: two pixels of the next level
        start = tuple(int(round(2 * (s + v))) for s, v in zip(settled.lag, settled.vertex, strict=True))
        b //= 2
        settled = _settled(masked, moving, b, start)
    start = b * (np.array(settled.lag) + settled.vertex)
    refined = refine(template, moving.pixels, moving.mask, masked.whole, start)
    if refined is None or not refined.converged or np.abs(refined.shift - start).max() > max(2 * b, 2):
        return start, np.eye(len(start)) * (VERTEX_DOUBT * b) ** 2
    return refined.shift, refined.covariance


def _settled(masked: MaskedSide, moving: Prepared, b: int, lag: tuple[int, ...]) -> Place:
    return settle(masked.side.image.level(b), moving.level(b), lag, masked.safe(b))


def judge(
    masked: MaskedSide, level: LevelMap, choice: Choice, shift: NDArray[np.float64], significance: float
) -> tuple[Status, str]:
    """Return the status of a place and what is particular to it."""
    if not significance >= level.line:
        return Status.WEAK, f"significance {significance:.1f}, chance reaches {level.line:.1f}"
    limits = masked.side.options.limits(len(shift))
    if limits is not None and (np.abs(shift) > np.array(limits) + 0.5).any():
        return Status.AT_LIMIT, f"max_shift {', '.join(f'{m:g}' for m in limits)} px"
    if choice.rival is not None and choice.gap < AMBIGUOUS:
        where = ", ".join(f"{level.bin * s:+d}" for s in choice.rival)
        return Status.AMBIGUOUS, f"the other is ({where}) px, odds {np.exp(choice.gap):.1f} to 1"
    return Status.OK, ""


def _significance_near(level: LevelMap, shift: NDArray[np.float64]) -> float:
    """Return the greatest significance at the lags around a shift."""
    index = level.index(tuple(int(s) for s in np.rint(shift / level.bin)))
    near = tuple(slice(max(0, i - 1), i + 2) for i in index)
    values = level.score[near]
    return float(np.nanmax(values)) if np.isfinite(values).any() else float("nan")


def _rival(level: LevelMap, choice: Choice) -> Rival | None:
    if choice.rival is None:
        return None
    return Rival(tuple(level.bin * s for s in choice.rival), choice.gap)


def _score(
    masked: MaskedSide, moving: Prepared, level: LevelMap, shift: NDArray[np.float64]
) -> tuple[float, float]:
    """Return masked NCC of the unsmoothed images at the nearest whole-pixel lag, and the overlap there."""
    image = masked.side.image
    lag = tuple(int(s) for s in np.rint(shift))
    sums = window_sums(image.pixels, image.mask, moving.pixels, moving.mask, lag, 0)
    greatest = float(level.overlap.max()) * level.bin ** len(lag)
    return float(sums.ncc.flat[0]), min(1.0, float(sums.n.flat[0]) / greatest)


def _why_forbidden(masked: MaskedSide) -> str:
    greatest = max(float(masked.search(b).terms.overlap.max()) for b in masked.plan.bins[:1])
    return f"at most {greatest:.0f} pixels are valid in both at any shift, more than {FEWEST_PIXELS} are needed"
