"""Where all pixels within a radius are valid."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import minimum_filter

from maskreg.core.image.pyramid import eroded


@pytest.mark.parametrize("shape", [(1,), (30,), (2, 1), (17, 30), (64, 5), (5, 9, 12)])
@pytest.mark.parametrize("radius", [0, 1, 2, 3, 8])
@pytest.mark.parametrize("beyond", [False, True])
def test_a_pixel_is_left_if_its_box_is_valid(shape, radius, beyond):
    rng = np.random.default_rng(radius)
    for part in (0.5, 0.1, 0.01, 0.0):
        mask = rng.random(shape) >= part
        plain = minimum_filter(mask, 2 * radius + 1, mode="constant", cval=beyond)
        found = eroded(mask, radius, beyond=beyond)
        np.testing.assert_array_equal(found, plain)
        assert found.flags.c_contiguous
        assert found.flags.owndata
