"""Values are sorted into classes as sorting them all would do it."""

from __future__ import annotations

import numpy as np
import pytest

from maskreg.core.noise_kernels import plain_sorted_into_classes, sorted_into_classes


@pytest.mark.parametrize("different", [1, 2, 5, 30, 10**6])
@pytest.mark.parametrize("classes", range(1, 10))
def test_classes_hold_the_values_of_lower_levels_first_and_of_equal_ones_in_order(classes, different):
    rng = np.random.default_rng([classes, different])
    for size in (classes, 50, 1001):
        levels = rng.integers(0, different, size).astype(np.float32)
        values = rng.standard_normal(size, np.float32)
        ascending = np.sort(levels)
        sizes = [len(part) for part in np.array_split(ascending, classes)]
        first = np.cumsum(sizes[:-1], dtype=np.int64)
        bounds = ascending[first]
        given = values, levels, bounds, first, np.searchsorted(ascending, bounds)
        np.testing.assert_array_equal(sorted_into_classes(*given), plain_sorted_into_classes(*given))
