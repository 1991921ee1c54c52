"""Register a series to the mean of its own aligned frames: ``reference='mean'``.

After a first pass, in which every frame is registered to the first one, there are `ROUNDS` rounds
of two passes. The first pass of a round adds up the frames that are ok where the last table has
them; the second registers every frame to that sum less its own part, whose noise would otherwise
be on both sides and hold the frame where it is. The sum lives on the first frame's grid and is
never interpolated.

A round follows from the table before it and from the frames, and from nothing else. So a run that
was interrupted adds up again and goes on with the same bits. Memory does not depend on the number
of frames: some thirty images in single precision, a few more for each frame at once. What places
frames near where they were, and what looks for the others at all places, take that much each. So it
is done some frames after the other: these are placed, then those that were not are looked for, then
those that were found are placed; what one step needs is let go of before the next.

Sums are made in blocks of frames (`maskreg.stream.sums`): the same bits whoever makes them.

The first frame keeps the shift zero: after each round its own shift is taken off all others. What
is left is relative to it as well as it is known itself, and to the mean as well as the column
sigma says.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import FrameError, InputError
from maskreg.frames.seen import sent
from maskreg.registration import Registration, Status
from maskreg.series.before.prepared import Prepared
from maskreg.series.mean.values import Values
from maskreg.series.pipeline import Item, frame_rows
from maskreg.shifts import FrameRow
from maskreg.stream import Cluster, Workers
from maskreg.stream.sums import summed

if TYPE_CHECKING:
    from maskreg.core.aligned.known import Known, KnownReference
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

TOGETHER = 64
"""So many frames for each thread of a cluster, or in all, are placed before others are looked for."""

SEARCHED = (Status.WEAK, Status.AMBIGUOUS, Status.AT_LIMIT, Status.OUTLIER)
"""Frames that one frame could not place, but the mean may."""

RELATIVE_TO = {"sigma_relative_to": "mean"}
"""A column of the table: what its uncertainties refer to."""


NOT_PLACED, FOUND = "to be looked for at all places", "to be placed where it was found"
"""What is left to do with a frame; the detail of a registration that never leaves this file."""


class MeanRound:
    """One round: the mean of the frames where earlier rows have them, and rows registered to it.

    Parameters
    ----------
    series : Prepared
        With the first frame as its reference.
    before : sequence of FrameRow
        Of the round before, one for every frame.
    workers : int or Cluster, optional
        Who adds up the frames; it never changes a result.

    Raises
    ------
    InputError
        Fewer than `FEWEST` frames are ok.
    """

    def __init__(self, series: Prepared, before: Sequence[FrameRow], *, workers: Workers) -> None:
        from maskreg.core.machine.memory import give_back_free_memory

        self._series = series
        self._before = before
        give_back_free_memory()  # that of the pass before
        ok = [(row.frame, row.registration.shift) for row in before if row.registration.ok]
        if len(ok) < FEWEST:
            raise InputError(
                f"reference='mean': only {len(ok)} of {len(before)} frames are ok, a mean needs {FEWEST}; "
                "try reference='first', or look at the mask"
            )
        add = _Contribution(series)
        empty = partial(MeanSum, series.source.shape)
        with closing(
            summed(add, [ok], empty, workers=workers, send=partial(sent, source=series.source))
        ) as sums:
            total = next(sums)
        register = RegisterToMean(series, total, None, sent=isinstance(workers, Cluster))
        del total
        if register.known.fields is None:
            raise InputError("reference='mean': no pixel is valid in enough aligned frames; look at the mask")
        first = series.reference.frame or 0
        gauge = register.placed(first, before[first].registration.shift)
        if gauge is None:
            raise InputError(
                f"reference='mean': {series.reference.name} does not match the mean of the others; "
                "try reference='first', or leave it out"
            )
        register.gauge = gauge
        self._register = register

    def rows(self, frames: Sequence[int], *, workers: Workers) -> Generator[FrameRow, None, None]:
        """Yield the rows of `frames`, in their order."""
        items = [(frame, self._before[frame].registration) for frame in frames]
        size = TOGETHER * (workers.threads if isinstance(workers, Cluster) else 1)
        for first in range(0, len(items), size):
            yield from self._block(items[first : first + size], workers)

    def _block(self, items: Sequence[Item], workers: Workers) -> Generator[FrameRow, None, None]:
        """Yield the rows of some frames: step by step those that the first step does not place."""
        held: list[FrameRow] = []
        with closing(self._step(items, workers)) as rows:
            for row in rows:
                if held or row.registration.detail == NOT_PLACED:
                    held.append(row)
                else:
                    yield row
        for left in (NOT_PLACED, FOUND):
            again = [(row.frame, row.registration) for row in held if row.registration.detail == left]
            with closing(self._step(again, workers)) as rows:
                answers = {row.frame: row for row in rows}
            held = [answers.get(row.frame, row) for row in held]
        yield from held

    def _step(self, items: Sequence[Item], workers: Workers) -> Generator[FrameRow, None, None]:
        return frame_rows(self._series.source, items, self._register, workers=workers, also=RELATIVE_TO)


class MeanSum:
    """Sums and weights of either half of the frames, taken in turns, on the reference's grid.

    Parameters
    ----------
    shape : (rows, cols)

    Attributes
    ----------
    sums, weights : (2, rows, cols) float32
        Rounding is nothing beside the noise of the frames: a block of them is added up at a time.
    count : int
        How many frames came, those without a part in it too.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.sums, self.weights = (np.zeros((2, *shape), np.float32) for _ in range(2))
        self.count = 0

    def add(self, part: tuple[NDArray[np.float32], NDArray[np.float32]] | None) -> None:
        """Take in a frame on the reference's grid and its weight, or one that cannot be read any more."""
        if part is not None:
            image, weight = part
            half = self.count % 2
            self.sums[half] += np.where(weight > 0, image, 0)
            self.weights[half] += weight
        self.count += 1

    def joined(self, other: MeanSum) -> MeanSum:
        """Return the sum of this and of one whose frames come after an even number of these."""
        total = MeanSum((0, 0))
        total.sums, total.weights = self.sums + other.sums, self.weights + other.weights
        total.count = self.count + other.count
        return total


@dataclass(frozen=True)
class _Contribution:
    """What a frame adds to the mean."""

    series: Prepared

    @cached_property
    def _values(self) -> Values:
        return Values(self.series)

    def __reduce__(self) -> tuple[type[_Contribution], tuple[Prepared]]:
        return _Contribution, (self.series,)

    def __call__(
        self, placed: tuple[int, NDArray[np.float64]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Return a frame on the reference's grid and its weight; None if it cannot be read any more."""
        try:
            known, gain = self._values.frame(*placed)
        except FrameError:
            return None
        image, valid = known.contribution()
        return image, (valid / np.float32(gain)).astype(np.float32)


class RegisterToMean:
    """Registers frames of a series to their mean; it is sent without what it computes first. Thread-safe.

    Parameters
    ----------
    series : Prepared
    total : MeanSum
        The mean's.
    gauge : Known or None
        Where the first frame lies on it; set when that is known, before frames are registered.
    sent : bool
        Whether it will be sent: then the sums are kept when the mean is ready.
    """

    def __init__(self, series: Prepared, total: MeanSum, gauge: Known | None, *, sent: bool = False) -> None:
        self._series = series
        self._total: MeanSum | None = total
        self._sent = sent
        self.gauge = gauge
        self._lock = RLock()
        self._registrar: Registrar | None = None

    def __reduce__(self) -> tuple[type[RegisterToMean], tuple[Prepared, MeanSum, Known | None]]:
        assert self._total is not None
        return RegisterToMean, (self._series, self._total, self.gauge)

    def __call__(self, item: Item) -> Registration:
        """Return the registration of a frame, of which an earlier one is known, or what is left to do."""
        frame, before = item
        assert before is not None
        assert self.gauge is not None
        if frame == self._series.reference.frame:
            return replace(before, shift=np.zeros(2), covariance=self.gauge.covariance)
        if before.detail == NOT_PLACED:
            return self._searched(frame, self.gauge)
        if before.detail == FOUND:
            return self._refined(frame, before, self.gauge)
        if before.ok:
            found = self.placed(frame, before.shift)
            if found is not None:
                shift = found.shift - self.gauge.shift + 0.0
                return replace(before, shift=shift, covariance=found.covariance)
        elif before.status not in SEARCHED:
            self._series.source.read(frame)  # what cannot be read says so again
            return before
        return Registration.failed(Status.WEAK, 2, NOT_PLACED)

    def placed(self, frame: int, shift: NDArray[np.float64]) -> Known | None:
        """Return a frame's place near a shift, or None."""
        self._forget_registrar()
        known, gain = self._ready.values.frame(frame, shift)
        image, valid = known.contribution()
        # in the units of the mean: the frame's own part has the weight 1 / gain
        own = np.float32(gain) * image, (valid / np.float32(gain)).astype(np.float32)
        found = self.known.refine(known.filled(self._mean, gain), known.start, own)
        if found is None or not LEAST_AGREEMENT < gain / found.gain < 1 / LEAST_AGREEMENT:
            return None
        return found

    @property
    def known(self) -> KnownReference:
        """The mean, ready to register a frame against it."""
        return self._ready.known

    @property
    def _ready(self) -> _Ready:
        with self._lock:
            return self._made_ready

    @cached_property
    def _made_ready(self) -> _Ready:
        from maskreg.core.aligned.known import KnownReference

        values, total = Values(self._series), self._total
        assert total is not None
        if not self._sent:
            self._total = None
        smoothing = self._series.options.smoothing
        known = KnownReference(
            total.sums / np.maximum(total.weights, np.float32(1e-30)),
            total.weights,
            total.count,
            values.mask,
            counts=values.detector.counts,
            read_noise=values.detector.read_noise,
            width=None if isinstance(smoothing, str) else smoothing,
        )
        del total  # the fields take as much while they are made
        return _Ready(values, known)

    @property
    def _mean(self) -> NDArray[np.float32]:
        """The mean's pixels, with its level."""
        with self._lock:
            return self._made_mean

    @cached_property
    def _made_mean(self) -> NDArray[np.float32]:
        mean = self.known.mean
        return mean.pixels + np.float32(mean.level)

    def _searched(self, frame: int, gauge: Known) -> Registration:
        """Return the registration of a frame that is looked for at all places of the mean."""
        values = self._ready.values
        found = self._search()(values.read(frame))
        if found.ok:
            return replace(found, detail=FOUND)
        return replace(found, shift=found.shift - gauge.shift + 0.0)

    def _refined(self, frame: int, found: Registration, gauge: Known) -> Registration:
        """Return the registration of a frame that was found in the mean."""
        self._forget_registrar()
        known, gain = self._ready.values.frame(frame, found.shift)
        near = self.known.refine(known.filled(self._mean, gain), known.start, None)
        if near is not None:
            found = replace(found, shift=near.shift, covariance=near.covariance)
        return replace(found, shift=found.shift - gauge.shift + 0.0, detail="")

    def _forget_registrar(self) -> None:
        from maskreg.core.machine.memory import give_back_free_memory

        with self._lock:
            if self._registrar is not None:
                self._registrar = None
                give_back_free_memory()

    def _search(self) -> Registrar:
        """Return the registrar to the mean, made when a frame needs it; what places frames is let go of."""
        from maskreg.core.machine.memory import give_back_free_memory
        from maskreg.core.registrar import Registrar

        with self._lock:
            if self._registrar is None:
                values = self._ready.values
                self.known.forget()
                values.forget()
                give_back_free_memory()
                self._registrar = Registrar(
                    values.in_counts(self._mean), self.known.mean.covered, self._series.mask,
                    **asdict(values.as_options()),
                )  # fmt: skip
                self.__dict__.pop("_made_mean", None)
            return self._registrar


@dataclass(frozen=True, eq=False)
class _Ready:
    """What a registration to the mean needs: the frames' values, and the mean with its noise."""

    values: Values
    known: KnownReference


def mean_rows(series: Prepared, rows: Sequence[FrameRow], *, workers: Workers) -> Sequence[FrameRow]:
    """Return the rows of a series registered to its own mean, from those of the first pass."""
    log.info(PLAN)
    every = range(len(series.source))
    for _ in range(ROUNDS):
        with closing(MeanRound(series, rows, workers=workers).rows(every, workers=workers)) as found:
            rows = list(found)
    return rows
