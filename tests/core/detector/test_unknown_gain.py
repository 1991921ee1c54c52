"""Counts of which nobody told how many electrons they are."""

from __future__ import annotations

import numpy as np
import pytest

from maskreg import register
from maskreg.testing import Rings, Texture, beam_block

SHAPE = (160, 160)
DRIFT = (3.4, -4.7)


@pytest.mark.parametrize("scene", [Rings(SHAPE), Texture(SHAPE)])
def test_sigma_allows_for_noise_that_looked_like_structure(scene):
    mask, z = beam_block(SHAPE), []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        frames = [(5 * rng.poisson(100 * scene.render(d))).astype(np.uint16) for d in ((0, 0), DRIFT)]
        found = register(*frames, mask, mask)
        assert found.ok
        z.append((found.shift + DRIFT) / found.uncertainty)
    # forty-eight values: their spread is known to a tenth
    assert 0.75 < np.sqrt(np.mean(np.square(z))) < 1.35
