"""What a report is made from: plain values and arrays, gathered by whoever can read the run.

Nothing here draws, reads a file or moves an image.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from maskreg.frames.metadata.time_order import time_column
from maskreg.shifts import FrameRow


class Jump(Protocol):
    """A place where the drift jumps and stays."""

    @property
    def frame(self) -> int:
        """The first frame after it."""

    @property
    def size(self) -> tuple[float, float]:
        """By how much the shift changes, px, rows and columns."""


@dataclass(frozen=True)
class SeriesData:
    """The table of a series, by column; n rows.

    Attributes
    ----------
    frame : (n,) int
        Index in the series.
    source, status, reason : list of str
        As in the table.
    shift, sigma : (n, 2) float
        px; NaN where there is no answer.
    score, overlap : (n,) float
    ok, reference : (n,) bool
        Which rows may be used, and which is the reference's own.
    x : (n,) float
        What the series is drawn along: the time where it is known, else the index.
    x_label : str
        What `x` is.
    """

    frame: NDArray[np.intp]
    source: list[str]
    status: list[str]
    reason: list[str]
    shift: NDArray[np.float64]
    sigma: NDArray[np.float64]
    score: NDArray[np.float64]
    overlap: NDArray[np.float64]
    ok: NDArray[np.bool_]
    reference: NDArray[np.bool_]
    x: NDArray[np.float64]
    x_label: str

    @classmethod
    def of(cls, rows: Iterable[FrameRow]) -> SeriesData:
        """Return the columns of `rows`."""
        rows = list(rows)
        answers = [row.registration for row in rows]
        covariance = np.array([answer.covariance for answer in answers]).reshape(-1, 2, 2)
        frame = np.array([row.frame for row in rows], dtype=np.intp)
        x, x_label = _along(rows, frame)
        return cls(
            frame=frame,
            source=[row.source for row in rows],
            status=[answer.status.label for answer in answers],
            reason=["" if answer.ok else answer.reason for answer in answers],
            shift=np.array([answer.shift for answer in answers], dtype=np.float64).reshape(-1, 2),
            sigma=np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)),
            score=np.array([answer.score for answer in answers], dtype=np.float64),
            overlap=np.array([answer.overlap for answer in answers], dtype=np.float64),
            ok=np.array([answer.ok for answer in answers], dtype=bool),
            reference=np.array([answer.status.label == "reference" for answer in answers], dtype=bool),
            x=x,
            x_label=x_label,
        )

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def drift(self) -> NDArray[np.float64]:
        """Where the content of each frame lies relative to the reference, px: minus the shift."""
        return 0.0 - self.shift


@dataclass(frozen=True)
class BeforeAfter:
    """A frame before and after its alignment; images of one shape, float, NaN where ignored."""

    title: str
    """Which frame, and its shift."""
    reference: NDArray[np.float64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]


@dataclass(frozen=True)
class PeakMap:
    """Masked NCC around the chosen place.

    Attributes
    ----------
    ncc : (rows, cols) float
        NaN = forbidden.
    first : (int, int)
        The lag of ``ncc[0, 0]``, px.
    shift : (2,) float
        The place that was chosen, px.
    """

    ncc: NDArray[np.float64]
    first: tuple[int, int]
    shift: NDArray[np.float64]


@dataclass(frozen=True)
class Mean:
    """Masked mean of aligned frames (NaN where none is valid), and how many are valid at each pixel."""

    title: str
    mean: NDArray[np.float64]
    count: NDArray[np.float64]


@dataclass(frozen=True)
class Story:
    """All that a report tells. What is None is left out.

    Attributes
    ----------
    title : str
        Of the page.
    total : int
        Frames in the series, those not yet done too.
    series : SeriesData
    jumps : sequence of Jump
    before_after, peak, mean
        Pictures.
    masked : (rows, cols) float, optional
        The reference, NaN where the mask ignores it.
    unmasked : (rows, cols) float, optional
        The reference as it is, of the same size.
    mask_text : str
        How much the mask ignores.
    settings : dict
        Names to values, in the order to print.
    command : str
        What to type to repeat it; may be empty.
    notes : sequence of str
        Why something is left out.
    """

    title: str
    total: int
    series: SeriesData
    jumps: Sequence[Jump] = ()
    before_after: BeforeAfter | None = None
    peak: PeakMap | None = None
    mean: Mean | None = None
    masked: NDArray[np.float64] | None = None
    unmasked: NDArray[np.float64] | None = None
    mask_text: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    command: str = ""
    notes: Sequence[str] = ()


def _along(rows: Sequence[FrameRow], frame: NDArray[np.intp]) -> tuple[NDArray[np.float64], str]:
    """Return what the series is drawn along, and its name."""
    if (name := time_column(row.metadata for row in rows)) is not None:
        values = [row.metadata.get(name) for row in rows]
        numbers = [v for v in values if isinstance(v, int | float) and np.isfinite(v)]
        if len(numbers) == len(rows):  # dates, and a time that is missing, are no axis
            return np.array(numbers, dtype=np.float64), name
    return frame.astype(np.float64), "frame"
