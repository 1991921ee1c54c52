"""The short form of `benchmarks.accuracy`: few cells, few pairs, the same measure.

So few pairs leave an RMSE open by 8 %. What the efficient estimate shows of chance on the same noise
is taken off, which leaves 3 to 6 %; the full form, 1000 pairs a cell, is run by ``.ci/full``.
"""

import numpy as np
import pytest
from benchmarks.accuracy.cells import NOISE_FREE, Cell
from benchmarks.accuracy.figures import summarise
from benchmarks.accuracy.noise_free import greatest_error
from benchmarks.accuracy.pairs import run_cell

TOLERANCE = 1.12
"""RMSE over bound; the full form allows 1.08."""

CHANCE = 0.06
"""Standard error that a figure may have and still tell 1.12 from what is not good enough."""


@pytest.mark.timeout(600)  # of the clock: a shared machine may be slow
@pytest.mark.parametrize(
    ("scene", "dose", "pairs"), [("rings", 10, 40), ("spots", 100, 40), ("texture", 1000, 55)]
)
def test_a_pair_is_as_exact_as_its_photons_allow(scene, dose, pairs):
    figures = summarise(run_cell(Cell(scene, dose, TOLERANCE, sizes=(192,)), pairs))
    assert figures.gross == 0
    assert figures.flagged <= 0.05
    assert figures.adjusted_error < CHANCE
    assert figures.adjusted <= TOLERANCE
    # the spread of 2 n values is known to 1 / sqrt(4 n)
    assert figures.z == pytest.approx(1.0, abs=0.1 + 2 / np.sqrt(4 * pairs))


@pytest.mark.parametrize("scene", NOISE_FREE)
def test_exact_images_have_exact_shifts(scene):
    assert greatest_error(scene, shifts=5) <= NOISE_FREE[scene]
