"""A few aligned frames in memory, and what they have in common in the sample's coordinates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskreg.core.fill import filled
from maskreg.core.interpolate_frame import all_valid, interpolated

SHOWN = 0.3
"""A frame in which the common pattern has less than this part of its usual strength shows something else."""

EVENINGS = 3
"""Rounds in which frames are made as bright as their mean, which is then made anew."""


@dataclass(frozen=True)
class AlignedFrames:
    """Frames of one static mask and where they lie on the reference.

    Attributes
    ----------
    frames : (n, rows, cols) ndarray of float32
        Grey values.
    mask : (rows, cols) ndarray of bool
        True = valid in all of them.
    shifts : (n, 2) ndarray
        Px, of each onto the reference.
    """

    frames: NDArray[np.float32]
    mask: NDArray[np.bool_]
    shifts: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.frames)

    def part(self, chosen: NDArray[np.bool_]) -> AlignedFrames:
        """Return some of the frames."""
        return AlignedFrames(self.frames[chosen], self.mask, self.shifts[chosen])

    def mean(
        self, frames: NDArray[np.float32] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the mean on the reference's grid, filled where no frame is valid, and where one is."""
        images = self.frames if frames is None else frames
        total, count = np.zeros(self.mask.shape), np.zeros(self.mask.shape, np.int64)
        for image, shift in zip(images, self.shifts, strict=True):
            valid = all_valid(self.mask, shift)
            total += np.where(valid, interpolated(np.where(self.mask, image, np.float32(0)), shift), 0)
            count += valid
        covered = count > 0
        if not covered.any():
            return total.astype(np.float32), covered
        return filled((total / np.maximum(count, 1)).astype(np.float32), covered), covered

    def less(self, offset: float) -> AlignedFrames:
        """Return the frames less an offset."""
        return AlignedFrames(self.frames - np.float32(offset), self.mask, self.shifts)

    def evened(self) -> AlignedFrames:
        """Return the frames as bright as their mean, each by a slope and an offset of its own.

        Where not all frames are valid, the mean of frames that differ would have steps.
        """
        frames = self.frames
        for _ in range(EVENINGS):
            mean, covered = self.mean(frames)
            frames = np.stack([self._as_bright(mean, covered, k) for k in range(len(self))])
        return AlignedFrames(frames, self.mask, self.shifts)

    def _as_bright(
        self, mean: NDArray[np.float32], covered: NDArray[np.bool_], k: int
    ) -> NDArray[np.float32]:
        model, valid = seen(mean, covered, self.shifts[k], self.mask)
        slope, offset = line_through(model[valid], self.frames[k][valid])
        return np.asarray((self.frames[k] - np.float32(offset)) / np.float32(slope if slope > 0 else 1.0))

    def of_one_pattern(self) -> AlignedFrames:
        """Return the frames without those that do not show the pattern of the others (beam off)."""
        pattern = self.pattern()
        frames = zip(self.frames, self.shifts, strict=True)
        shown = [pattern.shown_by(image, self.mask, shift) for image, shift in frames]
        return self.part(np.array(shown, dtype=bool))

    def pattern(
        self, corrected: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None
    ) -> Pattern:
        """Return what the frames have in common, each corrected first."""
        frames = self.frames if corrected is None else np.stack([corrected(f) for f in self.frames])
        mean, covered = self.mean(frames)
        pattern = Pattern(mean, covered, 1.0)
        strengths = [pattern.strength(f, self.mask, s) for f, s in zip(frames, self.shifts, strict=True)]
        return Pattern(mean, covered, float(np.median(strengths)))


@dataclass(frozen=True)
class Pattern:
    """What frames have in common, on the reference's grid.

    Attributes
    ----------
    mean : (rows, cols) ndarray of float32
        Filled where no frame is valid.
    covered : (rows, cols) ndarray of bool
        Where one is.
    usual : float
        How strongly a frame shows it, as a rule.
    """

    mean: NDArray[np.float32]
    covered: NDArray[np.bool_]
    usual: float

    def strength(
        self, frame: NDArray[np.float32], mask: NDArray[np.bool_], shift: NDArray[np.float64]
    ) -> float:
        """Return the slope of a frame's values over those of the pattern at its shift."""
        model, valid = seen(self.mean, self.covered, shift, mask)
        return line_through(model[valid], frame[valid])[0]

    def shown_by(
        self, frame: NDArray[np.float32], mask: NDArray[np.bool_], shift: NDArray[np.float64]
    ) -> bool:
        """Return whether a frame shows the pattern at its shift about as strongly as others."""
        return self.strength(frame, mask, shift) > SHOWN * self.usual


def seen(
    mean: NDArray[np.float32],
    covered: NDArray[np.bool_],
    shift: NDArray[np.float64],
    mask: NDArray[np.bool_],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return what a frame of this shift sees of a mean, and where."""
    return interpolated(mean, -shift), mask & all_valid(covered, -shift)


def line_through(model: NDArray[np.float32], values: NDArray[np.float32]) -> tuple[float, float]:
    """Return slope and offset of the values over those of a model: how bright a frame is, and its veil."""
    if model.size == 0:
        return 0.0, 0.0
    x, y = model.astype(np.float64), values.astype(np.float64)
    middle = float(x.mean())
    slope = float((x - middle) @ y / max(float((x - middle) @ (x - middle)), 1e-30))
    return slope, float(y.mean()) - slope * middle
