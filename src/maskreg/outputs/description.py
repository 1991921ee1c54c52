"""What an output of images is to hold: its layers, its planes, and what is said of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Coordinate = Sequence[Any]

BATCH_BYTES = 64_000_000
"""About so much of the largest layer makes a batch: what is held in memory, and lost when killed."""


@dataclass(frozen=True)
class Layer:
    """One of the images that every plane consists of: its name and the type of its pixels."""

    name: str
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Description:
    """What is written.

    Attributes
    ----------
    layers : tuple of Layer
        The images of a plane.
    shape : (rows, cols)
        Of each of them.
    count : int or None
        How many planes; None for a single one, which then has no axis of its own.
    axis : str
        What the planes are, by one word: ``frame``, ``delay``.
    coordinates : dict
        By name, a value a plane: numbers or text.
    attributes : dict
        What else to keep beside the images, as JSON has it.
    made_of : str
        What else the images depend on and no output shows, such as a fingerprint of the mask.
    batch : int, optional
        How many planes are written at once; about 64 MB of them unless told.
    """

    layers: tuple[Layer, ...]
    shape: tuple[int, int]
    count: int | None
    axis: str = "frame"
    coordinates: Mapping[str, Coordinate] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    made_of: str = ""
    batch: int | None = None

    @property
    def planes(self) -> int:
        """How many planes there are."""
        return 1 if self.count is None else self.count

    def full_shape(self) -> tuple[int, ...]:
        """Return the shape of a layer with all its planes."""
        return self.shape if self.count is None else (self.count, *self.shape)

    def numbers(self, name: str) -> NDArray[Any] | None:
        """Return a coordinate as numbers, NaN for planes that have none; None where it is text."""
        values = self.coordinates[name]
        known = [value for value in values if value is not None]
        if 0 < len(known) < len(values) and np.asarray(known).dtype.kind in "iuf":
            values = [float("nan") if value is None else value for value in values]
        column = np.asarray(values)
        return column if column.dtype.kind in "biuf" else None

    def planes_a_batch(self) -> int:
        """Return how many planes are written at once."""
        if self.batch is not None:
            return self.batch
        largest = self.shape[0] * self.shape[1] * max(layer.dtype.itemsize for layer in self.layers)
        return max(1, min(self.planes, BATCH_BYTES // largest))

    def digest(self) -> str:
        """Return a fingerprint of everything that is told here: only the same may be gone on with."""
        return hashlib.sha256(json.dumps(asdict(self), default=str).encode()).hexdigest()
