"""A few aligned frames in memory, and what they have in common in the sample's coordinates.

The frames stay as they were read. Everything is made some rows at a time, which stay in the cache, so that
no frame is there a second time as floats; and whoever runs the rows may run them side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from maskreg.core.aligned.interpolate_frame import place_of, whole_places

SHOWN = 0.3
"""A frame in which the common pattern has less than this part of its usual strength shows something else."""

EVENINGS = 3
"""Rounds in which frames are made as bright as their mean, which is then made anew."""

ROWS = 64
"""So many rows are made at a time: with the fields they need, as much as a cache holds."""

Result = TypeVar("Result")

Correct = Callable[[NDArray[np.float32], slice], NDArray[np.float32]]
"""Takes some rows of a frame, and says which; returns them corrected."""


@dataclass(frozen=True, eq=False)
class Mean:
    """What frames have in common, on the reference's grid.

    Attributes
    ----------
    pixels : (rows, cols) ndarray of float32
        Zero where no frame is valid.
    covered : (rows, cols) ndarray of bool
        Where one is.
    """

    pixels: NDArray[np.float32]
    covered: NDArray[np.bool_]
    _whole: dict[tuple[int, int], NDArray[np.bool_]] = field(default_factory=dict, repr=False)

    @cached_property
    def typical(self) -> np.float32:
        """About the mean of its covered pixels: what is taken off before anything is squared."""
        some = self.covered[::ROWS]
        return np.float32(self.pixels[::ROWS][some].mean(dtype=np.float64)) if some.any() else np.float32(0)

    def seen(
        self, shift: NDArray[np.float64], mask: NDArray[np.bool_], rows: slice
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return what a frame of this shift sees of it in some rows, and where."""
        from maskreg.core.aligned.aligned_kernels import seen_2d

        place = place_of(-shift)
        shape = (rows.stop - rows.start, mask.shape[1])
        model, valid = np.empty(shape, np.float32), np.empty(shape, bool)
        whole = whole_places(self.covered, place, self._whole)
        seen_2d(self.pixels, whole, mask, rows.start, place.weights, place.first, model, valid)
        return model, valid


@dataclass(frozen=True, eq=False)
class AlignedFrames:
    """Frames of one static mask and where they lie on the reference.

    Attributes
    ----------
    frames : sequence of (rows, cols) ndarray
        Grey values, as they were read.
    mask : (rows, cols) ndarray of bool
        True = valid in all of them.
    shifts : (n, 2) ndarray
        Px, of each onto the reference.
    lines : (n, 2) ndarray
        Slope and offset of each: its values are (grey values - offset) / slope.
    correct : callable, optional
        What is done to the values then.
    run : callable
        Applies a function to each of some items, in order, perhaps several at once; by default one by one.
    """

    frames: Sequence[NDArray[Any]]
    mask: NDArray[np.bool_]
    shifts: NDArray[np.float64]
    lines: NDArray[np.float64]
    correct: Correct | None = None
    run: Callable[[Callable[[slice], Any], Iterable[slice]], Iterable[Any]] = map
    _whole: dict[tuple[int, int], NDArray[np.bool_]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, frames: Sequence[NDArray[Any]], mask: NDArray[np.bool_], shifts: NDArray[np.float64], **also: Any
    ) -> AlignedFrames:
        """Return frames whose values are their grey values."""
        return cls(frames, mask, shifts, np.tile([1.0, 0.0], (len(frames), 1)), **also)

    def __len__(self) -> int:
        return len(self.frames)

    def values(self, k: int, rows: slice) -> NDArray[np.float32]:
        """Return some rows of the values of frame `k`."""
        slope, offset = self.lines[k]
        values = self.frames[k][rows].astype(np.float32)
        if (slope, offset) != (1, 0):
            values -= np.float32(offset)
            values *= np.float32(1 / slope)
        return values if self.correct is None else self.correct(values, rows)

    def part(self, chosen: NDArray[np.bool_]) -> AlignedFrames:
        """Return some of the frames."""
        frames = [frame for frame, wanted in zip(self.frames, chosen, strict=True) if wanted]
        return replace(self, frames=frames, shifts=self.shifts[chosen], lines=self.lines[chosen])

    def masked(self, mask: NDArray[np.bool_]) -> AlignedFrames:
        """Return the frames with another mask."""
        return replace(self, mask=mask, _whole={})

    def corrected(self, correct: Correct | None) -> AlignedFrames:
        """Return the frames with their values corrected in this way."""
        return replace(self, correct=correct)

    def less(self, offset: float) -> AlignedFrames:
        """Return the frames with values less an offset."""
        slopes = self.lines[:, 0]
        return replace(self, lines=np.stack([slopes, self.lines[:, 1] + offset * slopes], axis=1))

    def over_rows(self, function: Callable[[slice], Result]) -> Iterator[Result]:
        """Yield what the function returns for one slice of rows after the other."""
        return iter(self.run(function, row_slices(len(self.mask))))

    def mean(self) -> Mean:
        """Return the mean on the reference's grid."""
        from maskreg.core.aligned.aligned_kernels import add_interpolated_2d

        total = np.zeros(self.mask.shape, np.float32)
        covered = np.zeros(self.mask.shape, bool)
        places = [place_of(shift) for shift in self.shifts]
        wholes = [whole_places(self.mask, place, self._whole) for place in places]

        def add(rows: slice) -> None:
            count = np.zeros((rows.stop - rows.start, self.mask.shape[1]), np.int32)
            for k, (place, whole) in enumerate(zip(places, wholes, strict=True)):
                needed = place.rows(rows, self.mask.shape[0])
                add_interpolated_2d(
                    self.values(k, needed), needed.start, whole, rows.start, place.weights, place.first,
                    total[rows], count,
                )  # fmt: skip
            total[rows] /= np.maximum(count, 1)
            covered[rows] = count > 0

        for _ in self.over_rows(add):
            pass
        return Mean(total, covered)

    def sums_over(self, mean: Mean) -> NDArray[np.float64]:
        """Return for each frame, over the pixels where it sees the mean, (n, 5).

        Number, sums of x, y, x x and x y, x being the mean and y the frame's value, less `mean.typical`.
        """
        from maskreg.core.aligned.aligned_kernels import seen_sums_2d

        def of(rows: slice) -> NDArray[np.float64]:
            return np.stack(
                [
                    seen_sums_2d(*mean.seen(shift, self.mask, rows), self.values(k, rows), mean.typical)
                    for k, shift in enumerate(self.shifts)
                ]
            )

        return np.asarray(sum(self.over_rows(of)))

    def evened(self) -> AlignedFrames:
        """Return the frames as bright as their mean: with the slope and offset that each of them has over it.

        Where not all frames are valid, the mean of frames that differ would have steps.
        """
        evened = self
        for _ in range(EVENINGS):
            found = self._lines(evened.mean())
            # the values of (values - offset) / slope
            lines = np.stack(
                [self.lines[:, 0] * found[:, 0], self.lines[:, 1] + self.lines[:, 0] * found[:, 1]], axis=1
            )
            evened = replace(self, lines=lines)
        return evened

    def _lines(self, mean: Mean) -> NDArray[np.float64]:
        """Return slope and offset of each frame over the mean, (n, 2).

        The noise of the mean, in part the frame's own, changes all slopes alike: their mean is one.
        """
        sums = self.sums_over(mean)
        slopes = slopes_of(sums)
        slopes = slopes / slopes.mean() if (slopes > 0).all() else np.ones(len(self))
        n, x, y = sums[:, 0], sums[:, 1], sums[:, 2]
        typical = float(mean.typical)
        return np.stack([slopes, (y - slopes * x) / np.maximum(n, 1) + typical * (1 - slopes)], axis=1)

    def of_one_pattern(self) -> AlignedFrames:
        """Return the frames without those that do not show the pattern of the others (beam off)."""
        mean = self.mean()
        strengths = slopes_of(self.sums_over(mean))
        return self.part(strengths > SHOWN * float(np.median(strengths)))

    def pattern(self) -> Pattern:
        """Return what the frames have in common."""
        mean = self.mean()
        return Pattern(mean, float(np.median(slopes_of(self.sums_over(mean)))))


@dataclass(frozen=True, eq=False)
class Pattern:
    """What frames have in common.

    Attributes
    ----------
    mean : Mean
    usual : float
        How strongly a frame shows it, as a rule.
    """

    mean: Mean
    usual: float

    def shown_by(
        self, frame: NDArray[np.float32], mask: NDArray[np.bool_], shift: NDArray[np.float64]
    ) -> bool:
        """Return whether a frame shows the pattern at its shift about as strongly as others."""
        one = AlignedFrames.of([frame], mask, shift[None])
        return bool(slopes_of(one.sums_over(self.mean))[0] > SHOWN * self.usual)


def row_slices(height: int) -> list[slice]:
    """Return slices of so many rows that what is made of them stays in the cache."""
    return [slice(y, min(y + ROWS, height)) for y in range(0, height, ROWS)]


def slopes_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the slope of each frame's values over those of the mean: how bright it is; 0 without any."""
    n, x, y, xx, xy = sums.T
    n = np.maximum(n, 1)
    return np.asarray((xy - x * y / n) / np.maximum(xx - x * x / n, 1e-30))
