"""A batch of items that another process works off, and what comes back."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from maskreg.errors import InputError
from maskreg.stream.foreseen import foreseen

AHEAD = 4
"""Batches under way for each worker unless told: one that takes longer, or is done again, must not stop the
others."""


@dataclass(frozen=True)
class Raised:
    """What a task raised, to be raised in its place."""

    error: BaseException


def ensure_a_batch(in_flight: int | None, batch: int) -> None:
    """Raise `InputError` where not even one batch may be under way."""
    if in_flight is not None and in_flight < batch:
        raise InputError(f"in_flight is {in_flight}; it must be at least a batch, {batch}")


def results_of(
    function: Callable[[Any], Any], batch: Sequence[Any], after: Callable[[], Sequence[Any]] = tuple
) -> list[Any]:
    """Return the results for a batch of items, the last one `Raised` if the function raised.

    `after` returns the items of the next batch, if they are known when this one is nearly done.
    """
    results: list[Any] = []
    for item in foreseen(function, batch, after):
        try:
            results.append(function(item))
        except BaseException as error:  # an interrupt must not end the worker
            return [*results, Raised(_portable(error))]
    return results


def _portable(error: BaseException) -> BaseException:
    """Return an error that can be sent."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
