"""Whether what the mask of one image ignores stands still in the other, whose mask lacks it.

A beam-block, dust, hot pixels, the black around a fan are at the same place of both images, so both masks
have to ignore them. With a mask for one image only, the other's holds the shift or makes the search long.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

FRAMES_ASKED = 16
"""The first frames that have moved or are not placed tell it, if any do."""

MOST = 2**14
"""So many pixels are compared,"""

FEWEST = 32
"""and of fewer nothing is read off."""

ALIKE = 0.7
"""They stand still if they correlate so much with what the other image has at the same place,"""

LEFT = 0.8
"""and that leaves less than this part of the variance that the place where the scene has gone leaves."""

LACKING = (
    "%s_mask ignores what stands still: %s looks the same there, though %s, and %s_mask does not ignore it; "
    "what stands still, as a beam-block, belongs in both masks"
)


@dataclass(frozen=True)
class Ignored:
    """A sample of the finite pixels that a mask ignores.

    Attributes
    ----------
    places : (ndim, n) ndarray of int
    values : (n,) ndarray of float64
    """

    places: NDArray[np.intp]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, pixels: NDArray[Any], mask: NDArray[np.bool_]) -> Ignored:
        """Return those of an image, always the same ones."""
        flat = np.flatnonzero(~mask)
        if flat.size > MOST:
            flat = flat[np.random.default_rng(0).integers(flat.size, size=MOST)]
        values = pixels.reshape(-1)[flat].astype(np.float64)
        finite = np.isfinite(values)
        return cls(np.stack(np.unravel_index(flat[finite], mask.shape)), values[finite])


def stand_still(
    ignored: Ignored, other: NDArray[Any], mask: NDArray[np.bool_], lag: tuple[int, ...] | None
) -> bool:
    """Return whether ignored pixels surely stand still in the other image, at its valid pixels.

    Parameters
    ----------
    ignored : Ignored
    other : ndarray
        Its pixels.
    mask : ndarray of bool
        True = valid.
    lag : tuple of int or None
        Lands the other image on that of the ignored pixels, px, not all 0; None if it is not known.
    """
    here = ignored.places
    if other.ndim != len(here):
        return False
    valid = _valid(here, mask)
    values, here = ignored.values[valid], here[:, valid]
    alike = _correlation(values, other[tuple(here)])
    if alike < ALIKE:
        return False
    if lag is None:
        return True
    there = here - np.array(lag)[:, None]
    valid = _valid(there, mask)
    moved = _correlation(values[valid], other[tuple(there[:, valid])])
    return 1 - alike**2 < LEFT * (1 - max(0.0, moved) ** 2)


def _valid(places: NDArray[np.intp], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which places are valid pixels of a mask."""
    shape = np.array(mask.shape)[:, None]
    valid: NDArray[np.bool_] = np.all((places >= 0) & (places < shape), axis=0)
    valid[valid] = mask[tuple(places[:, valid])]
    return valid


def _correlation(values: NDArray[np.float64], others: NDArray[Any]) -> float:
    """Return the correlation of two samples: 1 where all are equal; 0 of few, or where one is constant."""
    if values.size < FEWEST:
        return 0.0
    if np.array_equal(values, others):
        return 1.0
    a, b = (_deviations(x) for x in (values, others.astype(np.float64)))
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else 0.0


def _deviations(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values less their mean, in units of the greatest: squares may not overflow."""
    units = values / max(float(np.abs(values).max()), np.finfo(np.float64).tiny)
    return np.asarray(units - units.mean())


class OneMask:
    """Tells once where the mask of one image lacks what stands still in both. Thread-safe."""

    def __init__(self, reference: NDArray[Any], mask: NDArray[np.bool_]) -> None:
        self._mask = mask
        self._ignored = Ignored.of(reference, mask)
        self._asked, self._told = 0, False
        self._lock = Lock()

    def ask(
        self,
        reference: NDArray[Any],
        moving: NDArray[Any],
        mask: NDArray[np.bool_],
        lag: tuple[int, ...] | None,
    ) -> None:
        """Say so in the log if what one mask ignores stands still in the other image.

        `lag` lands moving on the reference; None if it is not known.
        """
        if self._told or self._asked >= FRAMES_ASKED or (lag is not None and not any(lag)):
            return
        with self._lock:
            self._asked += 1
        if np.array_equal(mask, self._mask):
            return
        back = None if lag is None else tuple(-n for n in lag)
        if stand_still(self._ignored, moving, mask, lag):
            self._tell("reference", "moving", lag)
        elif stand_still(Ignored.of(moving, mask), reference, self._mask, back):
            self._tell("moving", "reference", lag)

    def _tell(self, has: str, lacks: str, lag: tuple[int, ...] | None) -> None:
        with self._lock:
            told, self._told = self._told, True
        if not told:
            why = "no place was found" if lag is None else f"the scene has moved by {lag} px"
            log.warning(LACKING, has, lacks, why, lacks)
