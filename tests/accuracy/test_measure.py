"""The measure itself: a tool that is known to be so good must be found to be so good."""

import numpy as np
import pytest
from benchmarks.accuracy.cells import CELLS, Cell
from benchmarks.accuracy.figures import locking, near, summarise
from benchmarks.accuracy.pairs import Answer, Outcomes, make_case, run_cell, run_cells

CELL = Cell("rings", 100, 1.08, sizes=(128,))


def outcomes(error, sigma=0.01, status="ok", shift=None):
    error = np.asarray(error, float)
    count = len(error)
    covariance = np.broadcast_to(sigma**2 * np.eye(2), (count, 2, 2))
    return Outcomes(
        np.zeros((count, 2)) if shift is None else shift,
        error,
        covariance,
        covariance,
        np.full((count, 2), np.nan),
        np.full(count, status),
    )


def efficient(case):
    """Answer as well as the bound allows, and say so."""
    return Answer(case.shift + case.efficient * np.sqrt(np.diag(case.bound)), case.bound, "ok")


def worse(case):
    """Answer 1.2 times the bound, by noise of its own, and claim the bound."""
    own = np.random.default_rng(case.reference[:9].astype(int).sum()).standard_normal(2)
    sigma = np.sqrt(np.diag(case.bound))
    return Answer(case.shift + (case.efficient + np.sqrt(0.44) * own) * sigma, case.bound, "ok")


def test_the_efficient_estimate_is_at_the_bound():
    figures = summarise(run_cell(CELL, 60, tool=efficient))
    assert figures.rmse == pytest.approx(1.0, abs=3 / np.sqrt(4 * 60))
    assert figures.z == pytest.approx(1.0, abs=3 / np.sqrt(4 * 60))
    assert figures.adjusted == pytest.approx(1.0, abs=1e-6)


def test_a_worse_one_is_above_it_by_as_much_and_chance_is_taken_off():
    figures = summarise(run_cell(CELL, 60, tool=worse))
    assert figures.rmse_upper > figures.rmse
    assert figures.adjusted == pytest.approx(1.2, abs=3 * figures.adjusted_error)
    assert figures.adjusted_error < 1.2 / np.sqrt(4 * 60)
    assert figures.z_low < 1.2 < figures.z_high


def test_a_pair_depends_on_its_seed_and_number_only():
    one, two = (make_case(CELLS[0], 3, 0) for _ in range(2))
    np.testing.assert_array_equal(one.moving, two.moving)
    assert not np.array_equal(one.shift, make_case(CELLS[0], 4, 0).shift)
    assert not np.array_equal(one.shift, make_case(CELLS[0], 3, 1).shift)
    few, many = (run_cell(CELL, pairs, tool=efficient) for pairs in (2, 4))
    np.testing.assert_array_equal(few.error, many.error[:2])


def test_failures_are_counted_whether_flagged_or_not(rng):
    error = 0.01 * rng.standard_normal((10, 2))
    error[0] = 5.0
    assert summarise(outcomes(error)).gross_ok == 1
    error[1] = np.nan
    flagged = outcomes(error, status="weak")
    assert (summarise(flagged).gross, summarise(flagged).gross_ok) == (2, 0)
    assert summarise(flagged).flagged == 1.0


def test_locking_is_found_with_its_amplitude(rng):
    shift = rng.uniform(-20, 20, (2000, 2))
    wave = 0.004 * np.sin(2 * np.pi * shift + 1.0) + 0.002 * np.cos(4 * np.pi * shift)
    found = locking(outcomes(wave + 0.01 * rng.standard_normal(shift.shape), shift=shift))
    np.testing.assert_allclose(found.amplitudes, [0.004, 0.002], atol=4 * found.standard_error)
    assert found.standard_error == pytest.approx(0.01 * np.sqrt(2 / 4000), rel=0.1)


def test_two_pixels_are_the_line_of_gross_failures():
    assert near(outcomes([[0.1, 0.1], [2.5, 0.0]])).tolist() == [True, False]


def test_pairs_that_are_kept_are_not_measured_again(tmp_path):
    def once(cells, pairs, tool):
        return next(run_cells(cells, pairs, tools=[tool], keep=tmp_path / "kept"))[0]

    first = once([CELL], 3, efficient)
    assert [file.name for file in (tmp_path / "kept").iterdir()] == ["rings-100-efficient-0-0-3.npz"]

    def changed(case):
        raise AssertionError("measured again")

    changed.__name__ = "efficient"
    again = once([CELL], 3, changed)
    for one, other in zip(vars(first).values(), vars(again).values(), strict=True):
        np.testing.assert_array_equal(one, other)
