"""Register a series to the mean of its own aligned frames: ``reference='mean'``.

After a first pass, in which every frame is registered to the first one, there are `ROUNDS` rounds
of two passes. The first pass of a round adds up the frames that are ok where the last table has
them; the second registers every frame to that sum less its own part, whose noise would otherwise
be on both sides and hold the frame where it is. The sum lives on the first frame's grid and is
never interpolated.

A round follows from the table before it and from the frames, and from nothing else. So a run that
was interrupted adds up again and goes on with the same bits. Memory does not depend on the number
of frames: four sums in double precision, and some twenty images in single precision.

The first frame keeps the shift zero: after each round its own shift is taken off all others. What
is left is relative to it as well as it is known itself, and to the mean as well as the column
sigma says.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import FrameError, InputError
from maskreg.registration import Registration, Status
from maskreg.series.mean_values import Values
from maskreg.series.pipeline import frame_rows
from maskreg.series.prepared import Prepared
from maskreg.shifts import FrameRow
from maskreg.stream import available_cores, ordered_map

if TYPE_CHECKING:
    from maskreg.core.known import Known
    from maskreg.core.known_frame import KnownFrame
    from maskreg.core.registrar import Registrar

log = logging.getLogger(__name__)

ROUNDS = 2
"""From the table of the first pass one round comes to within a few per cent of the bound, and two
to where further ones change less than a tenth of the uncertainty."""

PASSES = 1 + 2 * ROUNDS
"""How often each frame is read."""

PLAN = f"reference 'mean': {ROUNDS} rounds, each frame is read {PASSES} times"

FEWEST = 4
"""A mean of two halves, of which a frame is taken off, needs this many frames that are ok."""

LEAST_AGREEMENT = 0.5
"""If the pattern of the mean is found in a frame with less than this part of the frame's own
brightness, the frame is looked for anew at all places."""

SEARCHED = (Status.WEAK, Status.AMBIGUOUS, Status.AT_LIMIT, Status.OUTLIER)
"""Frames that one frame could not place, but the mean may."""

RELATIVE_TO = {"sigma_relative_to": "mean"}
"""A column of the table: what its uncertainties refer to."""


class MeanRound:
    """One round: the mean of the frames where earlier rows have them, and rows registered to it.

    Parameters
    ----------
    series : Prepared
        With the first frame as its reference.
    before : sequence of FrameRow
        Of the round before, one for every frame.
    workers : int, optional
        How many frames are added at once; it never changes a result.

    Raises
    ------
    InputError
        Fewer than `FEWEST` frames are ok.
    """

    def __init__(self, series: Prepared, before: Sequence[FrameRow], *, workers: int | None) -> None:
        from maskreg.core.known import KnownReference

        self._series = series
        self._before = before
        self._values = Values(series)
        self._lock = Lock()
        self._registrar: Registrar | None = None
        ok = [row.frame for row in before if row.registration.ok]
        if len(ok) < FEWEST:
            raise InputError(
                f"reference='mean': only {len(ok)} of {len(before)} frames are ok, a mean needs {FEWEST}; "
                "try reference='first', or look at the mask"
            )
        sums, weights = self._added_up(ok, workers)
        smoothing = series.options.smoothing
        self._known = KnownReference(
            sums / np.maximum(weights, 1e-30),
            weights,
            len(ok),
            self._values.mask,
            counts=self._values.detector.counts,
            read_noise=self._values.detector.read_noise,
            width=None if isinstance(smoothing, str) else smoothing,
        )
        if self._known.fields is None:
            raise InputError("reference='mean': no pixel is valid in enough aligned frames; look at the mask")
        mean = self._known.mean
        self._mean = mean.pixels + np.float32(mean.level)
        gauge = self._placed(series.reference.frame or 0)
        if gauge is None:
            raise InputError(
                f"reference='mean': {series.reference.name} does not match the mean of the others; "
                "try reference='first', or leave it out"
            )
        self._gauge = gauge

    def rows(self, frames: Iterable[int], *, workers: int | None) -> Generator[FrameRow, None, None]:
        """Yield the rows of `frames`, in their order."""
        return frame_rows(self._series.source, frames, self._registration, workers=workers, also=RELATIVE_TO)

    def _added_up(
        self, frames: list[int], workers: int | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return sums and weights of either half of the frames, taken in turns, on the reference's grid."""
        sums, weights = (np.zeros((2, *self._series.source.shape)) for _ in range(2))
        count = available_cores() if workers is None else workers
        with closing(ordered_map(self._contribution, frames, workers=count)) as parts:
            for position, part in enumerate(parts):
                if part is not None:  # added in the order of the series: the same bits always
                    image, weight = part
                    half = position % 2
                    sums[half] += np.where(weight > 0, image, 0)
                    weights[half] += weight
        return sums, weights

    def _contribution(self, frame: int) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Return a frame on the reference's grid and its weight; None if it cannot be read any more."""
        try:
            known, gain = self._frame(frame)
        except FrameError:
            return None
        image, valid = known.contribution()
        return image, (valid / np.float32(gain)).astype(np.float32)

    def _frame(self, frame: int) -> tuple[KnownFrame, float]:
        """Return a frame where the table has it, and its gain into the first one."""
        return self._values.frame(frame, self._before[frame].registration.shift)

    def _registration(self, frame: int) -> Registration:
        before = self._before[frame].registration
        if frame == self._series.reference.frame:
            return replace(before, shift=np.zeros(2), covariance=self._gauge.covariance)
        if before.ok:
            found = self._placed(frame)
            if found is not None:
                shift = found.shift - self._gauge.shift + 0.0
                return replace(before, shift=shift, covariance=found.covariance)
        elif before.status not in SEARCHED:
            self._series.source.read(frame)  # what cannot be read says so again
            return before
        return self._searched(frame)

    def _placed(self, frame: int) -> Known | None:
        """Return a frame's place near the one it has in the table, or None."""
        known, gain = self._frame(frame)
        image, valid = known.contribution()
        # in the units of the mean: the frame's own part has the weight 1 / gain
        own = np.float32(gain) * image, (valid / np.float32(gain)).astype(np.float32)
        found = self._known.refine(known.filled(self._mean, gain), known.start, own)
        if found is None or not LEAST_AGREEMENT < gain / found.gain < 1 / LEAST_AGREEMENT:
            return None
        return found

    def _searched(self, frame: int) -> Registration:
        """Return the registration of a frame that is looked for at all places of the mean."""
        found = self._search()(self._values.read(frame))
        if found.ok:
            known, gain = self._values.frame(frame, found.shift)
            near = self._known.refine(known.filled(self._mean, gain), known.start, None)
            if near is not None:
                found = replace(found, shift=near.shift, covariance=near.covariance)
        return replace(found, shift=found.shift - self._gauge.shift + 0.0)

    def _search(self) -> Registrar:
        """Return the registrar to the mean, made when the first frame needs it."""
        from maskreg.core.registrar import Registrar

        with self._lock:
            if self._registrar is None:
                options = self._values.as_options()
                self._registrar = Registrar(
                    self._values.in_counts(self._mean), self._known.mean.covered, self._series.mask,
                    **asdict(options),
                )  # fmt: skip
            return self._registrar


def mean_rows(series: Prepared, rows: Sequence[FrameRow], *, workers: int | None) -> Sequence[FrameRow]:
    """Return the rows of a series registered to its own mean, from those of the first pass."""
    log.info(PLAN)
    every = range(len(series.source))
    for _ in range(ROUNDS):
        with closing(MeanRound(series, rows, workers=workers).rows(every, workers=workers)) as found:
            rows = list(found)
    return rows
