"""The frames of a series as values that can be averaged: electrons where they can be told, else counts."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from maskreg.options import Options
from maskreg.series.before.prepared import Prepared

if TYPE_CHECKING:
    from maskreg.core.aligned.known_frame import KnownFrame

FEWEST_COMMON = 100
"""Fewer common pixels than this tell no brightness."""


class Values:
    """Reads frames and turns their pixels into values.

    Parameters
    ----------
    series : Prepared

    Attributes
    ----------
    detector : maskreg.core.image.stabilise.Detector
    mask : (rows, cols) ndarray of bool
        Of all frames, True = valid.
    """

    def __init__(self, series: Prepared) -> None:
        from maskreg.core.image.stabilise import detector_for

        self._source, self._look = series.source, series.look
        self._options = series.look.options
        everywhere = np.ones(series.source.shape, bool)
        self.mask = everywhere if series.mask is None else series.mask
        pixels, valid = self._checked(series.reference.image)
        self.detector = detector_for(self._options, [(pixels, valid)])
        # values that are not counts have no zero of their own: near zero they keep their digits
        self._zero = 0.0 if self.detector.counts else float(pixels[valid].mean(dtype=np.float64))
        self._reference = series.reference.image
        self._lock = RLock()

    def forget(self) -> None:
        """Let go of the first frame's values, which are made again when they are needed."""
        with self._lock:
            self.__dict__.pop("_made_first", None)

    @property
    def _first(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The values of the first frame, and where they are valid."""
        with self._lock:
            return self._made_first

    @cached_property
    def _made_first(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        pixels, valid = self._checked(self._reference)
        return self._values(pixels, valid), valid

    def frame(self, frame: int, shift: NDArray[np.float64]) -> tuple[KnownFrame, float]:
        """Return a frame at a shift, and by what it is multiplied to be as bright as the first frame.

        That follows from the two frames alone, the sums of what both see; 1 for what are no counts.
        """
        from maskreg.core.aligned.known_frame import KnownFrame
        from maskreg.core.image.checked import checked_image

        pixels, valid = checked_image("frame", self.read(frame), self.mask)
        known = KnownFrame(self._values(pixels, valid), valid, shift)
        return known, self._gain(known)

    def _checked(self, image: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        from maskreg.core.image.checked import checked_image

        return checked_image("reference", self._look.corrected(image), self.mask)

    def in_counts(self, values: NDArray[np.float32]) -> NDArray[np.floating]:
        """Return values as the frames have them."""
        if self.detector.counts:
            # single precision is far below the noise of counts
            return np.asarray(values / np.float32(self.detector.gain) + np.float32(self.detector.offset))
        return values + np.float64(self._zero)

    def read(self, frame: int) -> NDArray[Any]:
        """Return a frame without what never moves."""
        return self._look.corrected(self._source.read(frame))

    def as_options(self) -> Options:
        """Return options that say of a mean, which holds no integers, what was told from the frames."""
        if not self.detector.counts:
            return self._options
        detector = self.detector
        return replace(
            self._options, gain=detector.gain, offset=detector.offset, read_noise=detector.read_noise
        )

    def _values(self, pixels: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        kept = np.where(valid, pixels, 0)
        if self.detector.counts:
            return self.detector.electrons(kept).astype(np.float32)
        return (kept - np.float64(self._zero)).astype(np.float32)

    def _gain(self, known: KnownFrame) -> float:
        if not self.detector.counts:
            return 1.0
        image, valid = known.contribution()
        first, there = self._first
        common = valid & there
        if np.count_nonzero(common) < FEWEST_COMMON:
            return 1.0
        ours = float(image[common].sum(dtype=np.float64))
        theirs = float(first[common].sum(dtype=np.float64))
        return theirs / ours if ours > 0 and theirs > 0 else 1.0
