"""How many frames may be registered at once within the memory that was allowed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from math import prod

from maskreg.errors import InputError
from maskreg.frames import FrameSource
from maskreg.series.first_look import LOOKED_AT
from maskreg.stream import available_cores

log = logging.getLogger(__name__)

MEMORY_MB = 1000.0
"""Allowed unless told, MB."""


@dataclass(frozen=True)
class Prediction:
    """How much memory aligning takes at most, unless told.

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
    from maskreg.core.plan import make_plan

    shape, compared = tuple(source.shape), _compared(source)
    plan = make_plan(shape, shape)
    workers = plan.workers_within(1e6 * MEMORY_MB - source.held, available_cores(), compared=compared)
    needed = plan.bytes_for(workers, compared=compared) + source.held
    return Prediction(workers, needed / 1e6)


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
    from maskreg.core.plan import make_plan

    if not memory > 0:
        raise InputError(f"memory is {memory}; it must be a positive number of MB")
    shape, compared = tuple(source.shape), _compared(source)
    plan = make_plan(shape, shape, exact=exact)
    wanted = available_cores() if workers is None else workers
    if wanted < 1:  # refused where it is used
        return wanted
    fitting = plan.workers_within(1e6 * memory - source.held, wanted, compared=compared, mean=mean)
    needed = (plan.bytes_for(fitting, compared=compared, mean=mean) + source.held) / 1e6
    if needed > memory:
        log.warning("one frame at a time may need %.0f MB, more than memory allows (%g MB)", needed, memory)
    elif fitting < wanted:
        log.warning("memory of %g MB allows %d frames at once, not %d", memory, fitting, wanted)
    return fitting


def _compared(source: FrameSource) -> int:
    """Return the bytes of the frames that are kept for the first look, which only integers have."""
    if source.dtype.kind not in "ui" or len(source) < LOOKED_AT:
        return 0
    return LOOKED_AT * prod(source.shape) * source.dtype.itemsize
