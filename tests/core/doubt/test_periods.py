"""The periods of a pattern, and which of them a place is."""

from __future__ import annotations

import numpy as np
import pytest
from tests.cases import cases

from maskreg import register
from maskreg.core.doubt.among_periods import among_periods
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import MaskPyramid
from maskreg.core.image.stabilise import detector_for
from maskreg.core.masked_side import MaskedSide
from maskreg.core.place import place
from maskreg.core.reference import ReferenceSide
from maskreg.core.stage import another
from maskreg.options import Options
from maskreg.testing import Rings, Spots, Texture, beam_block

SIDE = 256
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE].astype(float)
ALL = np.ones((SIDE, SIDE), bool)


def lattice(period, envelope, electrons, shift=(0.0, 0.0), seed=0):
    """A frame of a lattice within an envelope, at most so many electrons a pixel, to be moved by a shift."""
    rows, columns = ROWS + shift[0], COLUMNS + shift[1]
    waves = [np.cos(2 * np.pi * x / p) for x, p in zip((rows, columns), period, strict=True)]
    inside = np.exp(-((rows - SIDE / 2) ** 2 + (columns - SIDE / 2) ** 2) / 2 / envelope**2)
    mean = electrons * inside * (waves[0] + waves[1] + 2) / 4
    return np.random.default_rng([seed, *map(round, np.abs(shift))]).poisson(mean).astype(np.uint16)


def sides(reference, mask=ALL, **options):
    options = Options(**options)
    detector = detector_for(options, [(reference, mask)])
    masks = MaskPyramid(mask)
    image = Prepared(reference, masks, detector)
    side = ReferenceSide(image, options)
    return MaskedSide(side, masks), lambda moving: Prepared(moving, masks, detector, image.mean)


@pytest.mark.parametrize("period", [(7.3, 9.1), (4.0, 4.0), (12.7, 5.2), (20.3, 17.9)])
def test_periods_are_read_off_the_reference(period):
    masked, _ = sides(lattice(period, 45, 100))
    found = masked.side.periods(1, None)
    shortest = [np.array(lag) for lag in ((period[0], 0), (-period[0], 0), (0, period[1]), (0, -period[1]))]
    for lag in shortest:
        assert np.abs(found - lag).max(axis=1).min() < 1
    assert len(found) <= 8


@pytest.mark.parametrize("scene", [Rings, Texture])
def test_what_does_not_repeat_has_no_periods(scene):
    counts = np.random.default_rng(3).poisson(30 * scene((SIDE, SIDE)).render())
    masked, _ = sides(counts)
    assert masked.side.periods(1, None).shape == (0, 2)


def test_the_spots_of_a_crystal_repeat():
    counts = np.random.default_rng(3).poisson(30 * Spots((SIDE, SIDE)).render())
    masked, _ = sides(counts, beam_block((SIDE, SIDE)))
    found = masked.side.periods(1, None)
    assert np.abs(found - (27.3, 6.1)).max(axis=1).min() < 1


@pytest.mark.parametrize("periods_off", [(1, 0), (-1, 1), (3, -2)])
def test_a_place_some_periods_off_moves_on_to_the_likeliest(periods_off):
    period, shift = np.array([7.3, 9.1]), np.array([-12.4, 5.3])
    masked, prepared = sides(lattice(period, 45, 200))
    moving = prepared(lattice(period, 45, 200, shift))
    right = place(masked, moving, 1, shift)
    wrong = another(masked, moving, right, periods_off * period)
    assert np.abs(wrong.shift - right.shift - periods_off * period).max() < 0.5
    best, rival = among_periods(masked, moving, wrong, None)
    np.testing.assert_allclose(best.shift, shift, atol=0.05)
    assert rival.gap > 10


def test_no_period_beyond_the_limits_is_looked_at():
    period, shift = np.array([7.3, 9.1]), np.array([-12.4, 5.3])
    masked, prepared = sides(lattice(period, 45, 200), max_shift=8.0)
    moving = prepared(lattice(period, 45, 200, shift))
    near = place(masked, moving, 1, shift + np.array([7.3, 0.0]))
    best, _ = among_periods(masked, moving, near, None)
    assert np.abs(best.shift).max() <= 8


SHIFTS = [(-30.0, -17.0), (-3.0, -2.0), (-10.0, 5.0), (33.0, 39.0), (-30.5, -17.0)]


@pytest.mark.parametrize("shift", cases(SHIFTS[::2], SHIFTS))
@pytest.mark.parametrize("period", [(7.3, 9.1), (4.0, 4.0), (3.0, 5.0)])
@pytest.mark.parametrize("envelope", [30, 70])
@pytest.mark.parametrize(
    ("electrons", "exact"),
    cases([(20, False), (200, True)], [(e, exact) for e in (20, 200) for exact in (False, True)]),
)
def test_a_lattice_in_an_envelope_is_ok_at_the_right_period_only(shift, period, envelope, electrons, exact):
    reference, moving = (lattice(period, envelope, electrons, s) for s in ((0.0, 0.0), shift))
    found = register(reference, moving, exact=exact)
    assert found.ok or found.status.name in ("AMBIGUOUS", "WEAK")
    if found.ok:
        np.testing.assert_allclose(found.shift, shift, atol=0.5)
    if electrons == 200 and envelope == 30 and period == (7.3, 9.1):
        assert found.ok
