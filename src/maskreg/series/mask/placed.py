"""Where the frames of a sample are, registered to each other on given pixels.

A pattern may drift so far that the ends of a series share nothing. The frame in the middle is the first
anchor, onto which all are registered; of those that cannot be, the ones next to a frame that could be are
registered onto this one, and so on, a few times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskreg.registration import Registration
from maskreg.series.mask.sampled import Sample
from maskreg.stream import ordered_map

_ANCHORS = 6
"""Most frames onto which others are registered."""
_MIDDLE = (0.5, 0.4, 0.6)
"""Parts of the sample at which the first of them may lie: one frame may show nothing."""


@dataclass(frozen=True)
class Placed:
    """Which frames could be registered, and where these are."""

    ok: NDArray[np.bool_]
    """(n,)."""
    shifts: NDArray[np.float64]
    """Of those that are ok onto a common place, (number ok, 2) px."""
    sigma: float
    """Typical uncertainty of such a shift along one axis, px."""

    @property
    def count(self) -> int:
        """How many could be."""
        return len(self.shifts)

    @property
    def drift(self) -> float:
        """How far these lie apart at most, px."""
        return float(np.hypot(*np.ptp(self.shifts, axis=0))) if self.count else 0.0

    def times(self, b: int) -> Placed:
        """Return the same for frames that were not binned by `b`."""
        return Placed(self.ok, b * self.shifts, b * self.sigma)


def place(sample: Sample, mask: NDArray[np.bool_], workers: int | None) -> Placed:
    """Register frames to each other on the pixels of a mask (True = use)."""
    start = _first_anchor(sample)
    shifts = np.full((len(sample), 2), np.nan)
    shifts[start] = 0
    sigmas: list[float] = []
    anchor, todo = start, [k for k in range(len(sample)) if k != start]
    anchors: set[int] = set()
    while True:
        anchors.add(anchor)
        for k, answer in zip(todo, _onto(sample, anchor, todo, mask, workers), strict=True):
            if answer.ok:
                shifts[k] = shifts[anchor] + answer.shift
                sigmas.append(float(answer.uncertainty.mean()))
        ok = ~np.isnan(shifts[:, 0])
        following = _next_anchor(np.flatnonzero(ok), np.flatnonzero(~ok), anchors)
        if following is None or len(anchors) == _ANCHORS:
            return Placed(ok, shifts[ok], float(np.median(sigmas)) if sigmas else 0.0)
        anchor, todo = following


def _first_anchor(sample: Sample) -> int:
    """Return a frame in the middle: of some the one of median brightness."""
    places = [int(part * len(sample)) for part in _MIDDLE]
    return sorted(places, key=lambda k: (float(sample.frames[k].mean(dtype=np.float64)), k))[1]


def _onto(
    sample: Sample, anchor: int, which: list[int], mask: NDArray[np.bool_], workers: int | None
) -> list[Registration]:
    """Return the registrations of some frames onto one."""
    from maskreg.core.registrar import Registrar

    # frames of counts stay counts, also binned
    registrar = Registrar(sample.frames[anchor], mask, mask, gain=1.0 if sample.counts else None)
    return list(ordered_map(registrar, (sample.frames[k] for k in which), workers=workers))


def _next_anchor(
    placed: NDArray[np.intp], left: NDArray[np.intp], anchors: set[int]
) -> tuple[int, list[int]] | None:
    """Return the placed frame that is next, in time, to most of those that are left, and which these are."""
    next_to: dict[int, list[int]] = {}
    for k in left.tolist():
        nearest = int(placed[np.abs(placed - k).argmin()])
        if nearest not in anchors:
            next_to.setdefault(nearest, []).append(k)
    return max(next_to.items(), key=lambda item: len(item[1]), default=None)
