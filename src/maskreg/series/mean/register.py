"""A frame is registered to the mean less its own part: near where it was, or looked for at all places.

What places frames and what looks for them take much memory each: one is let go of when the other is made.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from maskreg.registration import Registration, Status
from maskreg.series.before.prepared import Prepared
from maskreg.series.mean.mean_sum import MeanSum
from maskreg.series.mean.values import Values
from maskreg.series.pipeline import Item

if TYPE_CHECKING:
    from maskreg.core.aligned.known import Known, KnownReference
    from maskreg.core.registrar import Registrar

LEAST_AGREEMENT = 0.5
"""If the pattern of the mean is found in a frame with less than this part of the frame's own
brightness, the frame is looked for anew at all places."""

SEARCHED = (Status.WEAK, Status.AMBIGUOUS, Status.AT_LIMIT, Status.OUTLIER)
"""Frames that one frame could not place, but the mean may."""

NOT_PLACED, FOUND = "to be looked for at all places", "to be placed where it was found"
"""What is left to do with a frame; the detail of a registration that never leaves a round."""


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
