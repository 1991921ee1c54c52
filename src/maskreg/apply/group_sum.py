"""The sum of the frames of a group: what it gives, and how it is kept to the bit and gone on with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.apply.moments import Moments

HALVES = ("even", "odd")
"""Every other frame of a group, by its place in the group: the first one is even."""


class GroupSum:
    """The sum of frames of a group, and of its halves.

    Parameters
    ----------
    shape : (rows, cols)
    halves : bool
        Whether even and odd frames are added up by themselves too.

    Attributes
    ----------
    factors : list of float
        Intensity of each frame.
    """

    def __init__(self, shape: tuple[int, ...], halves: bool) -> None:
        self.factors: list[float] = []
        self._moments = {half: Moments(shape) for half in halves_of(halves)}

    def add(self, part: tuple[NDArray[Any], NDArray[np.bool_], float]) -> None:
        """Take in the next frame, where it is valid, and its factor."""
        image, valid, factor = part
        for half, moments in self._moments.items():
            if half in ("", HALVES[len(self.factors) % 2]):
                moments.add(image, valid)
        self.factors.append(factor)

    def joined(self, other: GroupSum) -> GroupSum:
        """Return the sum of this and of one whose frames come after an even number of these."""
        both = GroupSum((0, 0), halves=False)
        both._moments = {half: own.joined(other._moments[half]) for half, own in self._moments.items()}
        both.factors = self.factors + other.factors
        return both

    def images(self) -> dict[str, NDArray[Any]]:
        """Return the merged images by name."""
        images: dict[str, NDArray[Any]] = {}
        for half, moments in self._moments.items():
            computed = (moments.mean, moments.count, moments.standard_error, moments.variance)
            images |= dict(zip(names_of(half), computed, strict=True))
        return images

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything there is, to the bit."""
        arrays: dict[str, NDArray[Any]] = {"factors": np.array(self.factors)}
        for half, moments in self._moments.items():
            arrays |= {f"{name}{half}": array for name, array in moments.arrays().items()}
        return arrays

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `arrays` returned."""
        self.factors = arrays["factors"].tolist()
        for half, moments in self._moments.items():
            moments.restore({name: arrays[f"{name}{half}"] for name in moments.arrays()})


def arrays_of(parts: list[tuple[GroupSum, int] | None]) -> dict[str, NDArray[Any]]:
    """Return sums that grow as named arrays."""
    arrays = {"counts": np.array([0 if part is None else part[1] for part in parts])}
    for level, part in enumerate(parts):
        if part is not None:
            arrays |= {f"{level}.{name}": array for name, array in part[0].arrays().items()}
    return arrays


def parts_of(
    arrays: Mapping[str, NDArray[Any]], empty: Callable[[], GroupSum]
) -> list[tuple[GroupSum, int] | None]:
    """Return the sums that grow from their named arrays."""
    parts: list[tuple[GroupSum, int] | None] = []
    for level, count in enumerate(arrays["counts"].tolist()):
        if not count:
            parts.append(None)
            continue
        total, prefix = empty(), f"{level}."
        total.restore(
            {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        )
        parts.append((total, count))
    return parts


def layers_of(halves: bool) -> list[str]:
    """Return the names of all merged images of a group, those of its halves too if they are wanted."""
    return [name for half in halves_of(halves) for name in names_of(half)]


def halves_of(wanted: bool) -> tuple[str, ...]:
    """Return what is added up: the whole group, which has no name, and its halves if they are wanted."""
    return ("", *HALVES) if wanted else ("",)


def names_of(half: str) -> list[str]:
    """Return the names of the merged images of a group or a half."""
    return [f"{name}_{half}" if half else name for name in ("mean", "count", "sem", "var")]
