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

    def evened(self) -> tuple[AlignedFrames, NDArray[np.float64]]:
        """Return the frames as bright as their mean, and the slope and offset that each of them had.

        Where not all frames are valid, the mean of frames that differ would have steps.
        """
        frames = self.frames
        for _ in range(EVENINGS):
            lines = self._lines(*self.mean(frames))
            slopes, offsets = lines.astype(np.float32).T[..., None, None]
            frames = (self.frames - offsets) / slopes
        return AlignedFrames(frames, self.mask, self.shifts), lines

    def _lines(self, mean: NDArray[np.float32], covered: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return slope and offset of each frame over the mean, (n, 2).

        The noise of the mean, in part the frame's own, changes all slopes alike: their mean is one.
        """
        parts = [seen(mean, covered, shift, self.mask) for shift in self.shifts]
        both = [(m[v], f[v]) for (m, v), f in zip(parts, self.frames, strict=True)]
        slopes = np.array([slope_over(model, values) for model, values in both])
        slopes = slopes / slopes.mean() if (slopes > 0).all() else np.ones(len(self))
        offsets = [
            float(np.sum(y - k * x, dtype=np.float64)) / max(x.size, 1)
            for k, (x, y) in zip(slopes, both, strict=True)
        ]
        return np.stack([slopes, offsets], axis=1)

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
        return slope_over(model[valid], frame[valid])

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


def slope_over(model: NDArray[np.float32], values: NDArray[np.float32]) -> float:
    """Return the slope of values over those of a model: how bright a frame is."""
    if model.size == 0:
        return 0.0
    x, y = model.astype(np.float64), values.astype(np.float64)
    x -= x.mean()
    return float(x @ y / max(float(x @ x), 1e-30))
