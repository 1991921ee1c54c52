"""Frames spread over a series, held in memory, at full size and binned."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import FrameError, InputError
from maskreg.frames import FrameSource

log = logging.getLogger(__name__)

SAMPLE = 48
"""Frames that are read, spread evenly over the series."""
MEMORY = 200_000_000
"""Most bytes of frames that are held; large frames make the sample smaller."""
LEAST_FRAMES = 6

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Sample:
    """Frames to look at, from one series and of one shape."""

    frames: NDArray[np.generic]
    """(n, rows, cols)."""
    counts: bool
    """These are counts, or sums of such."""

    def __len__(self) -> int:
        return len(self.frames)

    def binned(self, defective: Mask, b: int) -> Sample:
        """Return the frames as float32, binned by `b`, made up for what is defective."""
        if b == 1:
            return Sample(self.frames.astype(np.float32, copy=False), self.counts)
        weight = summed(~defective, b)
        scale = np.where(weight > 0, b * b / np.maximum(weight, 1), 0).astype(np.float32)
        small = np.empty((len(self), *weight.shape), np.float32)
        for frame, out in zip(self.frames, small, strict=True):
            out[:] = summed(np.where(defective, 0, frame), b) * scale
        return Sample(small, self.counts)

    def part(self, which: slice | Sequence[int] | Mask) -> Sample:
        """Return some of the frames."""
        return Sample(self.frames[which], self.counts)


def read_sample(source: FrameSource) -> tuple[Sample, list[int]]:
    """Return frames spread evenly over the series, as many as may be held, and their indices.

    Pixels that are masked or not finite are zero.

    Raises
    ------
    InputError
        When fewer than `LEAST_FRAMES` can be read, and are not of one value.
    """
    rows, cols = source.shape
    dtype = source.dtype if source.dtype in (np.uint8, np.uint16) else np.dtype(np.float32)
    most = min(len(source), max(LEAST_FRAMES, min(SAMPLE, MEMORY // (dtype.itemsize * rows * cols))))
    frames = np.empty((most, rows, cols), dtype)
    indices: list[int] = []
    counts = True
    for index in np.unique(np.linspace(0, len(source) - 1, most).round().astype(int)):
        try:
            image = source.read(int(index))
        except FrameError as error:
            log.debug("not looked at: %s", error)
            continue
        frame = frames[len(indices)]
        frame[:] = _filled(image)
        if frame.min() == frame.max():
            log.debug("not looked at: %s holds one value, or none", source.name(int(index)))
            continue
        counts = counts and bool(frame.min() >= 0 and (frame == np.rint(frame)).all())
        indices.append(int(index))
    if len(indices) < LEAST_FRAMES:
        raise InputError(
            f"a mask is found from {LEAST_FRAMES} frames or more, of which the pattern drifts; "
            f"here can be read, and are not of one value: {len(indices)}"
        )
    return Sample(frames[: len(indices)], counts), indices


def bin_of(shape: tuple[int, ...], largest: int, drift: float = np.inf) -> int:
    """Return by how much to bin: to at most `largest` px, but so that the drift is a pixel at least."""
    b = -(-max(shape) // largest)
    return max(1, int(min(b, drift)))


def summed(image: NDArray[Any], b: int) -> NDArray[np.float32]:
    """Return the sums of squares of `b` pixels' side; what is left over at the far edges is left out."""
    rows, cols = (n // b * b for n in image.shape)
    lines = image[:rows, :cols].reshape(rows // b, b, cols).sum(axis=1, dtype=np.float32)
    # much sooner than a sum over an axis of few pixels
    return np.asarray(sum((lines[:, k::b] for k in range(1, b)), lines[:, ::b]))


def spread_out(small: Mask, b: int, shape: tuple[int, ...]) -> Mask:
    """Return a mask of binned frames for frames of `shape`."""
    wide = small.repeat(b, axis=0).repeat(b, axis=1)
    margins = [(0, n - m) for n, m in zip(shape, wide.shape, strict=True)]
    return np.asarray(np.pad(wide, margins, mode="edge"))


def _filled(image: NDArray[Any]) -> NDArray[Any]:
    pixels, missing = np.ma.getdata(image), np.ma.getmaskarray(image)
    if pixels.dtype.kind == "f":
        missing = missing | ~np.isfinite(pixels)
    return np.where(missing, pixels.dtype.type(0), pixels) if missing.any() else pixels
