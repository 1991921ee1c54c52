"""A lattice that has moved otherwise than the bright background it lies on."""

from __future__ import annotations

import numpy as np
import pytest

from maskreg import register
from maskreg.testing import Spots

SIDE = 192


def frames(seed, brightness):
    """Spots that move by the drift, over a background that moves against it."""
    rng = np.random.default_rng(seed)
    drift, scene = rng.uniform(-30, 30, 2), Spots((SIDE, SIDE), seed=seed, width=2.0)
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5

    def frame(by, of_background):
        row, column = of_background / SIDE
        background = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 0.05)
        return rng.poisson(30 * (scene.render(tuple(by)) + brightness * background)).astype(np.uint16)

    return frame(0 * drift, 0 * drift), frame(drift, -drift), drift


@pytest.mark.parametrize("seed", [10, 25, 28, 31, 34, 46])
def test_a_period_nearer_to_the_background_is_never_ok(seed):
    reference, moving, drift = frames(seed, 3.0)
    found = register(reference, moving)
    assert not found.ok or np.abs(found.shift + drift).max() < 0.5, found


@pytest.mark.parametrize("brightness", [0.0, 0.3, 1.0])
def test_a_fainter_background_leaves_no_doubt(brightness):
    for seed in range(6):
        reference, moving, drift = frames(seed, brightness)
        found = register(reference, moving)
        assert found.ok, (seed, found)
        np.testing.assert_allclose(found.shift, -drift, atol=0.5)
