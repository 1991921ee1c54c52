"""How many frames may be registered at once within the memory that was allowed."""

from __future__ import annotations

import logging

from maskreg.errors import InputError
from maskreg.stream import available_cores

log = logging.getLogger(__name__)

MEMORY_MB = 1000.0
"""Allowed unless told, MB."""


def predicted_mb(shape: tuple[int, ...], workers: int | None = None, *, exact: bool = False) -> float:
    """Return how much memory registering frames of a shape takes, MB; on all cores unless told."""
    from maskreg.core.plan import make_plan

    return make_plan(shape, shape, exact=exact).bytes_for(workers or available_cores()) / 1e6


def workers_within(memory: float, workers: int | None, shape: tuple[int, ...], *, exact: bool = False) -> int:
    """Return how many of the wanted workers fit into `memory` MB; one in any case, with a warning.

    Raises
    ------
    InputError
        `memory` is no positive number.
    """
    from maskreg.core.plan import make_plan

    if not memory > 0:
        raise InputError(f"memory is {memory}; it must be a positive number of MB")
    plan = make_plan(shape, shape, exact=exact)
    wanted = available_cores() if workers is None else workers
    if wanted < 1:  # refused where it is used
        return wanted
    fitting = plan.workers_within(1e6 * memory, wanted)
    needed = plan.bytes_for(fitting) / 1e6
    if needed > memory:
        log.warning("one frame at a time may need %.0f MB, more than memory allows (%g MB)", needed, memory)
    elif fitting < wanted:
        log.warning("memory of %g MB allows %d frames at once, not %d", memory, fitting, wanted)
    return fitting
