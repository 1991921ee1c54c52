"""A reason never contradicts the status it stands beside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskreg import Registrar, Status, correlate, register
from maskreg.core.judge import not_significant


@given(st.floats(0.01, 100), st.floats(1e-6, 10))
def test_a_significance_below_its_line_reads_so(significance, below):
    line = significance + below
    words = not_significant(significance, line).replace(",", "").split()
    told, chance = words[1], words[-1]
    assert float(told) <= float(chance)
    if below > 2e-6:
        assert float(told) < float(chance)


@pytest.mark.parametrize(
    ("significance", "line", "told"),
    [
        (5.2, 6.5, "significance 5.2, chance reaches 6.5"),
        (5.66, 5.74, "significance 5.66, chance reaches 5.74"),
        (5.7141, 5.7143, "significance 5.7141, chance reaches 5.7143"),
        (np.nan, 5.7, "significance nan, chance reaches 5.7"),
    ],
)
def test_it_is_told_in_as_few_digits_as_that_takes(significance, line, told):
    assert not_significant(significance, line) == told


def test_masks_that_a_limit_keeps_apart_are_not_said_to_meet_nowhere():
    image = np.random.default_rng(3).poisson(20.0, (24, 26)).astype(np.uint16)
    left = np.broadcast_to(np.arange(26) < 13, image.shape)
    answer = register(image, image, left, ~left, max_shift=0)
    assert answer.status is Status.NO_OVERLAP
    assert "where max_shift and min_overlap let them meet" in answer.reason
    assert "are needed" not in answer.reason


def test_what_is_computed_shows_itself_in_one_line():
    image = np.random.default_rng(3).poisson(20.0, (24, 26)).astype(np.uint16)
    mask = np.broadcast_to(np.arange(24)[:, None] < 12, image.shape)
    assert repr(Registrar(image, mask)) == "Registrar(reference of 24 x 26 px, 50.0% valid)"
    found = correlate(image, image, max_shift=(3, 5))
    assert repr(found) == f"CorrelationMap(lags -3 to 3, -5 to 5 px, ncc (7, 11) {found.ncc.dtype})"
