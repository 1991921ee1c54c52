"""Values are sorted into classes as sorting them by their classes would do it."""

from __future__ import annotations

import numpy as np
import pytest

from maskreg.core.detector.noise_kernels import plain_sorted_into_classes, sorted_into_classes


@pytest.mark.parametrize("different", [1, 2, 5, 30, 10**6])
@pytest.mark.parametrize("classes", range(1, 10))
def test_classes_hold_the_values_of_their_levels_in_order(classes, different):
    rng = np.random.default_rng([classes, different])
    for size in (0, classes, 50, 1001):
        levels = rng.integers(0, different, size).astype(np.float32)
        values = rng.standard_normal(size, np.float32)
        bounds = np.unique(rng.integers(0, different + 1, classes - 1)).astype(np.float32)
        found, plain = (
            sort(values, levels, bounds) for sort in (sorted_into_classes, plain_sorted_into_classes)
        )
        np.testing.assert_array_equal(found[0], plain[0])
        np.testing.assert_array_equal(found[1], plain[1])
        np.testing.assert_allclose(found[2], plain[2])
        assert found[1].sum() == size
