"""Rings on a diffuse background 20 times the strongest of them: nothing pulls to zero shift."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from tests.cases import cases
from tests.core.registration_law import assert_well_formed, counted_pair

from maskreg import register
from maskreg.testing import DiffuseRings, beam_block

SHAPE = (256, 256)
DRIFTS = [(-4.0, 7.0), (12.3, -9.6), (-19.7, -3.2), (6.5, 18.4)]
MODEL_ERROR = 0.05
"""Px: what is granted beyond the statistics of counting."""


@cache
def scene():
    return DiffuseRings(SHAPE)


@pytest.mark.parametrize("dose", cases([1, 10, 1000], [1, 3, 10, 100, 1000]))
def test_no_background_pulls_the_answer_to_zero(dose):
    mask = beam_block(SHAPE)
    pulls = []
    for seed, drift in enumerate(DRIFTS):
        a, b, _ = counted_pair(scene(), drift, float(dose), mask, 1000 * dose + seed)
        found = register(a, b, mask, mask)
        assert_well_formed(found, 2)
        if not found.ok:
            continue
        error = found.shift + drift
        assert (np.abs(error) <= 4 * found.uncertainty + MODEL_ERROR).all(), found
        towards_zero = np.array(drift) / np.linalg.norm(drift)
        sigma = np.sqrt(towards_zero @ found.covariance @ towards_zero)
        pulls.append(error @ towards_zero / sigma)
    if dose >= 100:
        assert len(pulls) >= len(DRIFTS) - 1, "hardly any answer was ok"
    assert not pulls or np.mean(pulls) < 1.0, pulls
