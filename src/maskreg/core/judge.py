"""The status of a place, and what is particular to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskreg.core.doubt.compare import AMBIGUOUS
from maskreg.core.likelihood import FEWEST_PIXELS
from maskreg.core.reference import ReferenceSide
from maskreg.core.search.search import LevelMap
from maskreg.core.stage import Place
from maskreg.registration import Registration, Rival, Status

WIDE = 1.0
"""A place whose sigma is longer than this in any direction, px, is not ok: 2 px off would be no surprise."""

DIGITS = range(1, 7)
"""So many decimal places of a significance and its line are told, the fewest by which they differ."""

FIXED_PATTERN = "single pixels match at no shift, as the fixed pattern of a detector does"


def hides(winner: Place, significance: float, line: float) -> bool:
    """Return whether something hides the place of a match that is none of chance."""
    unknown = not winner.refined or winner.doubted or undecided(winner.covariance) is not None
    return significance >= line and unknown and not winner.blind.size


def judge(
    side: ReferenceSide, winner: Place, rival: Rival | None, significance: float, line: float
) -> tuple[Status, str]:
    """Return the status of a place and what is particular to it."""
    if not significance >= line:
        return Status.WEAK, not_significant(significance, line)
    if not winner.refined:
        return Status.WEAK, "noise hides where in a broad peak the place is"
    if winner.fixed:
        return Status.WEAK, FIXED_PATTERN
    if winner.blind.size:
        along = _told(winner.blind[:, 0])
        return Status.AMBIGUOUS, f"the pattern does not tell the shift along ({along}), as parallel lines do"
    if winner.doubted:
        return Status.AMBIGUOUS, "noise hides along which directions the pattern tells the shift"
    open_ = undecided(winner.covariance)
    if open_ is not None:
        return Status.AMBIGUOUS, open_
    limits = side.options.limits(len(winner.shift))
    if limits is not None and (np.abs(winner.shift) > np.array(limits) + 0.5).any():
        return Status.AT_LIMIT, f"max_shift {', '.join(f'{m:g}' for m in limits)} px"
    if rival is not None and rival.gap < AMBIGUOUS:
        odds = f"odds {np.exp(rival.gap):.1f} to 1"
        return (
            Status.AMBIGUOUS,
            f"the other is ({rival.shift_text}) px, {odds}; max_shift limits the search",
        )
    return Status.OK, ""


def contested(found: Registration, place: tuple[int, ...], said: str, gap: float = 0.0) -> Registration:
    """Return a registration that another place puts in doubt; what is `said` ends before that place, px."""
    rival = Rival(place, gap)
    detail = f"{said} ({rival.shift_text}) px"
    return replace(found, rival=rival, status=Status.AMBIGUOUS, detail=detail)


def undecided(covariance: NDArray[np.float64]) -> str | None:
    """Return along which direction a place is known too little to be ok; None if along none."""
    if sum(covariance.diagonal().tolist()) <= WIDE**2:  # no direction can be that long
        return None
    variances, directions = np.linalg.eigh(covariance)
    if variances[-1] <= WIDE**2:
        return None
    sigma, along = np.sqrt(variances[-1]), _told(directions[:, -1])
    return f"one a few pixels off: sigma is {sigma:.1f} px along ({along})"


def _told(direction: NDArray[np.float64]) -> str:
    """Return a direction in words, with the sign that makes its largest component positive."""
    up = direction * np.sign(direction[np.argmax(np.abs(direction))])
    return ", ".join(f"{u:+.2f}" for u in up)


def not_significant(significance: float, line: float) -> str:
    """Return both, with as many digits as tell them apart."""
    places = next((n for n in DIGITS if f"{significance:.{n}f}" != f"{line:.{n}f}"), DIGITS[-1])
    return f"significance {significance:.{places}f}, chance reaches {line:.{places}f}"


def why_forbidden(levels: list[LevelMap]) -> str:
    """Return why no lag of any level was searched."""
    greatest = max(
        float(level.overlap.max()) for level in levels if level.bin == min(lv.bin for lv in levels)
    )
    at_most = f"at most {greatest:.0f} pixels are valid in both at any shift"
    if greatest > FEWEST_PIXELS:
        return f"{at_most}; where max_shift and min_overlap let them meet they are fewer, or alike in value"
    return f"{at_most}, more than {FEWEST_PIXELS} are needed"
