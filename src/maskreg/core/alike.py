"""Which two of the places that show the same structure match best, and which are surely beaten.

Such as the periods of a lattice. They are refined and compared on common pixels at the level that found them,
which costs little; only what that leaves open is looked at below the pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskreg.core.compare import AMBIGUOUS, likelihood_gap, resolved
from maskreg.core.likelihood import likelihood
from maskreg.core.peak import Candidate
from maskreg.core.place import Place, place
from maskreg.core.prepared import Prepared
from maskreg.core.reference import MaskedSide
from maskreg.geometry import nearest_lag


@dataclass(frozen=True)
class BestTwo:
    """The best two of some places.

    Attributes
    ----------
    first, second : Candidate
    gap : float
        By how much the log-likelihood of the first exceeds that of the second; not negative.
    winner, rival : Place
        The first and the second, as they were compared.
    beaten : list of Place
        Those surely worse than the first, whatever finer levels say.
    """

    first: Candidate
    second: Candidate
    gap: float
    winner: Place
    rival: Place
    beaten: list[Place]

    @property
    def settled(self) -> bool:
        """Whether the second is beaten, too."""
        return any(self.rival is worse for worse in self.beaten)


def best_two(
    masked: MaskedSide, moving: Prepared, contenders: list[Candidate], *, look: bool = False
) -> BestTwo:
    """Return the best two of alike places, by comparison on common pixels.

    Parameters
    ----------
    masked : MaskedSide
    moving : Prepared
    contenders : list of Candidate
        At least two, the most likely first.
    look : bool
        A first look found them, by far.
    """
    placed = [place(masked, moving, c.bin, c.shift, coarse=True, look=look) for c in contenders]
    sure: set[tuple[int, int]] = set()

    def gap(one: int, other: int) -> float:
        found = likelihood_gap(masked, moving, _level(placed[one], placed[other]), placed[one], placed[other])
        told = found is None or _told_apart(placed[one], placed[other])
        if found is None:
            found = _on_pixels_of_their_own(masked, moving, contenders[one], contenders[other])
        if told and abs(found) >= AMBIGUOUS:
            sure.update([(one, other), (other, one)])
        return found

    best, gaps = 0, dict[int, float]()
    for other in range(1, len(contenders)):
        gaps[other] = gap(best, other)
        if gaps[other] < 0:
            best, gaps = other, {best: -gaps[other]}
    for other in range(len(contenders)):
        if other != best and other not in gaps:
            gaps[other] = gap(best, other)
    second = min(gaps, key=lambda other: gaps[other])
    beaten = [placed[other] for other in gaps if gaps[other] > 0 and (best, other) in sure]
    return BestTwo(
        contenders[best], contenders[second], max(0.0, gaps[second]), placed[best], placed[second], beaten
    )


def _on_pixels_of_their_own(masked: MaskedSide, moving: Prepared, one: Candidate, other: Candidate) -> float:
    """Return by how much one place is likelier than another one that has hardly any pixel in common with it.

    The evidence of the search decides, as far as the likelihood of the single pixels bears it out: the search
    sees broad structure only, of few pixels at small overlaps.
    """
    evidence = one.evidence - other.evidence
    single = _likelihood(masked, moving, one) - _likelihood(masked, moving, other)
    return float(np.sign(evidence)) * max(0.0, min(abs(evidence), float(np.sign(evidence)) * single))


def _likelihood(masked: MaskedSide, moving: Prepared, found: Candidate) -> float:
    """Return that of the single pixels; 0, as of chance, where they are too few or correlate negatively."""
    sums = moving.sums_with(masked.side.image, nearest_lag(found.shift))
    # -inf less -inf is NaN, which would bound nothing
    return max(0.0, float(likelihood(sums.ncc, sums.n)))


def _level(one: Place, other: Place) -> int:
    return max(one.bin, other.bin)


def _told_apart(one: Place, other: Place) -> bool:
    """Whether two places are known well enough, and far enough from one another, for their level to tell."""
    return one.refined and other.refined and resolved(one.shift - other.shift, _level(one, other))
