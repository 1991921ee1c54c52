"""The answer of a registration: where, how sure, and why not.

The words of DESIGN: *shift* is what to apply to *moving* so that it lands on
*reference* (``scipy.ndimage.shift(moving, shift)``), in pixels, in array axis order.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Status(Enum):
    """What became of a frame; each member carries the sentence that the user reads, and equals its label."""

    OK = ("ok", "the shift is trusted")
    REFERENCE = ("reference", "this is the reference itself: its shift is zero by definition")
    AMBIGUOUS = ("ambiguous", "another place is nearly as likely")
    AT_LIMIT = ("at_limit", "the best place lies on the border of what was searched; raise max_shift")
    OUTLIER = ("outlier", "the shift contradicts those of its neighbours in the series")
    EXCLUDED = ("excluded", "left out by the user")
    WEAK = ("weak", "no place can be trusted")
    STATIC = ("static", "only what never moves (detector pattern, scattered light) was found")
    NO_OVERLAP = ("no_overlap", "no shift leaves enough pixels that are valid in both images")
    FLAT = ("flat", "the valid pixels have no variance: nothing to register")
    UNREADABLE = ("unreadable", "the frame could not be read")
    BAD_SHAPE = ("bad_shape", "the frame has another shape than the series")

    def __init__(self, label: str, sentence: str) -> None:
        self.label = label
        self.sentence = sentence

    def __eq__(self, other: object) -> bool:
        # who writes status == "ok", as it stands in the table, means the label
        return self.label == other if isinstance(other, str) else self is other

    def __hash__(self) -> int:
        return hash(self.label)

    @classmethod
    def from_label(cls, label: str) -> Status:
        """Return the member whose `label` is given (as written in ``shifts.csv``)."""
        for member in cls:
            if member.label == label:
                return member
        raise ValueError(f"unknown status {label!r}; known: {', '.join(m.label for m in cls)}")

    @property
    def ok(self) -> bool:
        """Whether the shift may be used without a second look."""
        return self in (Status.OK, Status.REFERENCE)

    @property
    def keeps_shift(self) -> bool:
        """Whether a value of the shift is reported (else it is NaN)."""
        return self in (
            Status.OK,
            Status.REFERENCE,
            Status.AMBIGUOUS,
            Status.AT_LIMIT,
            Status.OUTLIER,
            Status.EXCLUDED,
        )


@dataclass(frozen=True)
class Rival:
    """The best other place, separated from the winner by a valley."""

    shift: tuple[int, ...]
    """Whole-pixel shift of the rival, px."""
    gap: float
    """By how much the winner's log-likelihood exceeds the rival's."""

    @property
    def shift_text(self) -> str:
        """The shift for people, an axis after the other, px: ``+3, -12``."""
        return ", ".join(f"{step:+d}" for step in self.shift)


@dataclass(frozen=True, eq=False)
class Registration:
    """Where *moving* lies on *reference*, and how sure that is.

    Attributes
    ----------
    shift : (ndim,) float64
        To apply to moving so that it lands on reference, px; NaN where there is no answer.
    covariance : (ndim, ndim) float64
        Of `shift`, px², the reference's own noise included; NaN where there is no answer.
    score : float
        Masked NCC of the unsmoothed images at the nearest whole-pixel lag.
    significance : float
        By how many spreads of the chance values the winner stands out (see `maskreg.core.search.peak`).
    overlap : float
        Pixels valid in both at the answer, over the greatest number at any lag.
    rival : Rival or None
        The best other place.
    status : Status
        What became of it.
    detail : str
        What is particular to this case (figures); may be empty.
    """

    shift: NDArray[np.float64]
    covariance: NDArray[np.float64]
    score: float
    significance: float
    overlap: float
    rival: Rival | None
    status: Status
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether the shift may be used without a second look."""
        return self.status.ok

    @property
    def uncertainty(self) -> NDArray[np.float64]:
        """1 sigma per axis, px: the square roots of the covariance's diagonal."""
        import numpy as np

        return np.sqrt(np.diagonal(self.covariance))

    @property
    def reason(self) -> str:
        """The sentence the user reads: the status's own, and what is particular to this case."""
        return f"{self.status.sentence} ({self.detail})" if self.detail else self.status.sentence

    @property
    def shift_text(self) -> str:
        """The shift with its uncertainty for people, an axis after the other, px: ``+1.234 ± 0.021, ...``."""
        pairs = zip(self.shift, self.uncertainty, strict=True)
        return ", ".join(f"{value:+.3f} ± {sigma:.3f}" for value, sigma in pairs)

    @classmethod
    def failed(cls, status: Status, ndim: int, detail: str = "") -> Registration:
        """Return an answer that holds no shift: only a status and its reason."""
        import numpy as np

        nan = float("nan")
        return cls(np.full(ndim, nan), np.full((ndim, ndim), nan), nan, nan, nan, None, status, detail)

    def __repr__(self) -> str:
        shift = ", ".join(f"{s:+.3f}" for s in self.shift)
        sigma = ", ".join(f"{s:.3f}" for s in self.uncertainty)
        return (
            f"Registration({self.status.label}: shift=({shift}) px, sigma=({sigma}) px, "
            f"score={self.score:.3f}, significance={self.significance:.1f}, overlap={self.overlap:.2f})"
        )

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from maskreg.notebook import table_html

        rows = [
            ("shift, px", self.shift_text if self.status.keeps_shift else "none"),
            ("reason", self.reason),
            ("score", f"{self.score:.3f}"),
            ("significance", f"{self.significance:.1f}"),
            ("overlap", f"{self.overlap:.2f}"),
        ]
        if self.rival is not None:
            rows.append(("rival", f"({self.rival.shift_text}) px, log-likelihood {self.rival.gap:.1f} below"))
        return table_html(f"Registration: {self.status.label}", rows)
