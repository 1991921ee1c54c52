"""How many frames may be registered at once within the memory that was allowed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from math import prod
from numbers import Real
from typing import Any

from maskreg.cores import available_cores
from maskreg.errors import InputError
from maskreg.frames import FrameSource
from maskreg.series.before.first_look import LOOKED_AT

log = logging.getLogger(__name__)

MEMORY_MB = 1000.0
"""Allowed unless told, MB."""


@dataclass(frozen=True)
class Prediction:
    """How much memory aligning takes at most.

    Attributes
    ----------
    at_once : int
        So many frames are registered at once.
    megabytes : float
        MB.
    """

    at_once: int
    megabytes: float


def predicted(source: FrameSource) -> Prediction:
    """Return how much memory aligning some frames takes."""
    return _planned(MEMORY_MB, available_cores(), source)


def workers_within(
    memory: float, workers: int | None, source: FrameSource, *, exact: bool = False, mean: bool = False
) -> int:
    """Return how many of the wanted workers fit into `memory` MB; one in any case, with a warning.

    Parameters
    ----------
    memory : float
        MB.
    workers : int, optional
        Wanted; all cores unless told.
    source : FrameSource
        The frames.
    exact : bool
        Whether all lags are searched at full resolution.
    mean : bool
        Whether the reference is the mean of the series.

    Raises
    ------
    InputError
        `memory` is no positive number.
    """
    _ensure_positive(memory)
    wanted = min(available_cores() if workers is None else workers, len(source))
    if wanted < 1:  # refused where it is used
        return wanted
    planned = _planned(memory, wanted, source, exact=exact, mean=mean)
    if planned.megabytes > memory:
        log.warning(
            "one frame at a time may need %.0f MB, more than memory allows (%g MB)", planned.megabytes, memory
        )
    elif planned.at_once < wanted:
        log.warning("memory of %g MB allows %d frames at once, not %d", memory, planned.at_once, wanted)
    return planned.at_once


def _planned(
    memory: float, wanted: int, source: FrameSource, *, exact: bool = False, mean: bool = False
) -> Prediction:
    """Return what the plan says of as many of the wanted frames at once as fit into `memory` MB."""
    from maskreg.core.plan import make_plan

    shape, compared = tuple(source.shape), _compared(source)
    plan = make_plan(shape, shape, exact=exact)
    at_once = plan.workers_within(1e6 * memory - source.held, wanted, compared=compared, mean=mean)
    needed = plan.bytes_for(at_once, compared=compared, mean=mean) + source.held
    return Prediction(at_once, needed / 1e6)


def _compared(source: FrameSource) -> int:
    """Return the bytes of the frames that are kept for the first look, which only integers have."""
    if source.dtype.kind not in "ui" or len(source) < LOOKED_AT:
        return 0
    return LOOKED_AT * prod(source.shape) * source.dtype.itemsize


def _ensure_positive(memory: Any) -> None:
    if not isinstance(memory, Real) or not float(memory) > 0:
        raise InputError(f"memory is {memory!r}; it must be a positive number of MB")
