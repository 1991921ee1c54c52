"""The compiled choice among the peaks of one level against its plain twin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.level_maps import level_of

from maskreg.core.search.peak import choose, plain_choose


def assert_twins_agree(level):
    level = replace(level)  # what an earlier map has found is forgotten
    found, plain = choose([level]), plain_choose([level])
    assert len(found.alike) == len(plain.alike)
    assert (found.rival is None) == (plain.rival is None)
    pairs = [(found.winner, plain.winner), *zip(found.alike, plain.alike, strict=True)]
    pairs += [] if found.rival is None else [(found.rival, plain.rival)]
    for one, other in pairs:
        np.testing.assert_array_equal(one.shift, other.shift)
        assert one.bin == other.bin
        assert one.evidence == pytest.approx(other.evidence, rel=1e-12)
    assert found.gap == pytest.approx(plain.gap, rel=1e-12)
    return found


@settings(derandomize=True, deadline=None, max_examples=80)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(3, 30), st.integers(3, 30)),
    st.sampled_from([0.3, 2.0, 10.0]),
    st.booleans(),
    st.sampled_from([0.0, 0.1]),
    st.integers(1, 3),
)
def test_the_compiled_choice_equals_its_plain_twin(seed, shape, spread, plateaus, forbidden, reach):
    level = level_of(seed, shape, spread, plateaus, forbidden, reach)
    assert_twins_agree(level)
    for where in (np.zeros(2), np.array([9.0, -31.0]), np.array([1e4, -1e4])):
        index = level.index_of(where)
        window = level.score[tuple(slice(max(0, i - 2), i + 3) for i in index)]
        near = level.near(where, 2) if reach <= 2 else None
        if near is not None:
            assert near == (-np.inf if np.isnan(window).all() else np.nanmax(window))


def test_the_twins_are_compared_on_peaks_that_are_alike_and_on_one_alone():
    one = level_of(0, (20, 24), 0.1, False, 0.0)
    one.score[:] = one.ncc[:] = -0.1
    one.score[5, 6], one.ncc[5, 6] = 30, 0.9
    assert assert_twins_agree(one).rival is None
    one.score[15, 16], one.ncc[15, 16] = 29, 0.8
    assert len(assert_twins_agree(one).alike) == 1
    one.score[8:13, 9:14] = 28  # not wide enough a bridge
    assert len(assert_twins_agree(one).alike) == 1
    for k in range(5, 16):
        one.score[k, k + 1] = 28
    assert assert_twins_agree(one).alike == []
