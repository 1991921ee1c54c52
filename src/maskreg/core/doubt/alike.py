"""Which two of the places that show the same structure match best, and which are surely beaten.

Such as the periods of a lattice. They are refined and compared on common pixels at the level that found them,
which costs little; only what that leaves open is looked at below the pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from maskreg.core.doubt.compare import AMBIGUOUS, hopeless_gap, likelihood_gap, resolved
from maskreg.core.doubt.explained import MISMATCH, structure_shared
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.windows import CommonSums
from maskreg.core.likelihood import likelihood
from maskreg.core.masked_side import MaskedSide
from maskreg.core.place import Beginning, beginning, place
from maskreg.core.search.peak import Candidate
from maskreg.core.stage import Place
from maskreg.geometry import nearest_lag, overlap_slices

AHEAD = 1.2
"""A contender that begins with so many times the likelihood a pixel of the first one is the favourite."""

MOST_MET = 0.5
"""Where less than this part of the frames meets, chance may explain it all: one peak that meets another."""


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
    beaten : list of Place or Beginning
        Those surely worse than the first, whatever finer levels say.
    """

    first: Candidate
    second: Candidate
    gap: float
    winner: Place
    rival: Place
    beaten: list[Place | Beginning]

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
    return _Race(masked, moving, contenders, look).best_two()


class _Lead(NamedTuple):
    """By how much one place is likelier than another."""

    gap: float
    sure: bool
    """Whether finer levels would not say otherwise."""
    exact: bool
    """Whether the other one was refined; else the gap is at least that."""


class _Race:
    """The comparison of places with the best of them, each refined if it needs that."""

    def __init__(self, masked: MaskedSide, moving: Prepared, contenders: list[Candidate], look: bool) -> None:
        self.masked, self.moving, self.contenders, self.look = masked, moving, contenders, look
        self.begun = [beginning(masked, moving, c.bin, c.shift, look=look) for c in contenders]
        self.places: dict[int, Place] = {}

    def best_two(self) -> BestTwo:
        """Return the best two."""
        best, leads = self.favourite(), dict[int, _Lead]()
        for other in self.others(best):
            leads[other] = lead = self.lead(best, other)
            if lead.gap < 0:
                best, leads = other, {best: lead._replace(gap=-lead.gap)}
        for other in self.others(best):
            if other not in leads:
                leads[other] = self.lead(best, other)
        second = min(leads, key=lambda other: leads[other].gap)
        if not leads[second].exact:
            leads[second] = self.exact_lead(best, second)
        beaten = [self.known(other) for other, lead in leads.items() if lead.gap > 0 and lead.sure]
        return BestTwo(
            self.contenders[best],
            self.contenders[second],
            max(0.0, leads[second].gap),
            self.place(best),
            self.place(second),
            beaten,
        )

    def favourite(self) -> int:
        """Return the first of the contenders, unless another one begins far better."""
        likelihoods = [0.0 if begun is None else begun.likelihood for begun in self.begun]
        best = max(range(len(likelihoods)), key=likelihoods.__getitem__)
        return best if likelihoods[best] > AHEAD * likelihoods[0] else 0

    def others(self, best: int) -> list[int]:
        return [k for k in range(len(self.contenders)) if k != best]

    def place(self, k: int) -> Place:
        """Return a refined place, as far as its level refines it."""
        if k not in self.places:
            c = self.contenders[k]
            self.places[k] = place(self.masked, self.moving, c.bin, c.shift, coarse=True, look=self.look)
        return self.places[k]

    def known(self, k: int) -> Place | Beginning:
        """Return what is known of a place."""
        begun = self.begun[k]
        return self.place(k) if k in self.places or begun is None else begun

    def lead(self, best: int, other: int) -> _Lead:
        """Return by how much the best place is likelier than another one, refined if that is open."""
        ahead, begun = self.place(best), self.begun[other]
        if other not in self.places and begun is not None:
            gap = hopeless_gap(self.masked, self.moving, ahead, begun)
            if gap is not None:
                return _Lead(gap, sure=True, exact=False)
        return self.exact_lead(best, other)

    def exact_lead(self, best: int, other: int) -> _Lead:
        """Return by how much one place is likelier than another one, both refined."""
        one, two = self.place(best), self.place(other)
        gap = likelihood_gap(self.masked, self.moving, max(one.bin, two.bin), one, two)
        told = gap is None or _told_apart(one, two)
        if gap is None:
            contenders = [replace(self.contenders[k], shift=self.place(k).shift) for k in (best, other)]
            gap = _on_pixels_of_their_own(self.masked, self.moving, *contenders)
        return _Lead(gap, sure=told and abs(gap) >= AMBIGUOUS, exact=True)


def _on_pixels_of_their_own(masked: MaskedSide, moving: Prepared, one: Candidate, other: Candidate) -> float:
    """Return by how much one place is likelier than another one that has hardly any pixel in common with it.

    The evidence of the search decides, as far as the likelihood of the single pixels bears it out: the search
    sees broad structure only, of few pixels at small overlaps. But the likelihood of a wrong place grows with
    its pixels as well, and of masks with a pattern few may meet at the right one: if that explains nearly all
    structure over half of the frame, and the wrong one does not, it is the right one.
    """
    evidence = one.evidence - other.evidence
    sign = 1.0 if evidence >= 0 else -1.0
    first, second = (one, other) if sign > 0 else (other, one)
    sums = [moving.sums_with(masked.side.image, nearest_lag(c.shift)) for c in (first, second)]
    if sums[1].ncc > sums[0].ncc and _meet(masked, second) >= MOST_MET:
        left, right = (1 - structure_shared(masked, moving, c.shift) for c in (first, second))
        if abs(right) <= MISMATCH < left and left > 2 * abs(right):
            return -sign * _likelihood(sums[1])
    single = _likelihood(sums[0]) - _likelihood(sums[1])
    return sign * max(0.0, min(abs(evidence), single))


def _meet(masked: MaskedSide, found: Candidate) -> float:
    """Return which part of the frames meets at a place, whatever is ignored."""
    shapes = masked.side.image.mask.shape, masked.masks.mask.shape
    here, _ = overlap_slices(*shapes, nearest_lag(found.shift))
    return float(math.prod(s.stop - s.start for s in here) / math.prod(map(min, *shapes)))


def _likelihood(sums: CommonSums) -> float:
    """Return that of the single pixels; 0, as of chance, where they are too few or correlate negatively."""
    # -inf less -inf is NaN, which would bound nothing
    return max(0.0, float(likelihood(sums.ncc, sums.n)))


def _told_apart(one: Place, other: Place) -> bool:
    """Whether two places are known well enough, and far enough from one another, for their level to tell."""
    return one.refined and other.refined and resolved(one.shift - other.shift, max(one.bin, other.bin))
