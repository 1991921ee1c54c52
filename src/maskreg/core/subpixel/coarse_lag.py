"""The coarse grid of lags at which what changes slowly with the lag is made, and kept."""

from __future__ import annotations

from collections.abc import Sequence

LAG_STEPS = 256
"""Normal matrices change slowly with the lag: steps of this part of the shorter side will do."""

MOST_KEPT = 512
"""So many of them are kept."""


def coarse_lag(lag: Sequence[int], shape: Sequence[int]) -> tuple[int, ...]:
    """Return the nearest lag of the coarse grid of moving images of a shape."""
    step = max(1, min(shape) // LAG_STEPS)
    return tuple(step * round(s / step) for s in lag)
