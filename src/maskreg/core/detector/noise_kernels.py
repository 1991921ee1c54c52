"""Compiled: values sorted into classes.

=====================  ======================================================
kernel                 plain twin
=====================  ======================================================
`sorted_into_classes`  `detector.noise_kernels.plain_sorted_into_classes`
=====================  ======================================================
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskreg.core.machine.compiled import kernel


@kernel
def sorted_into_classes(values, levels, bounds):  # type: ignore[no-untyped-def]
    """Return the values, of lower classes first and in order within one, and what there is of each class.

    As many as `bounds` are not above its level is the class of a value, at most 255; of each class the number
    of values and the sum of their levels.
    """
    size, classes = values.size, bounds.size + 1
    of = np.zeros(size, np.uint8)
    for bound in bounds:
        for j in range(size):
            of[j] += np.uint8(levels[j] >= bound)
    number, total = np.zeros(classes, np.int64), np.zeros(classes)
    for j in range(size):
        number[of[j]] += 1
        total[of[j]] += levels[j]
    to = np.zeros(classes, np.int64)
    for k in range(1, classes):
        to[k] = to[k - 1] + number[k - 1]
    out = np.empty(size, values.dtype)
    for j in range(size):
        out[to[of[j]]] = values[j]
        to[of[j]] += 1
    return out, number, total


def plain_sorted_into_classes(
    values: NDArray[np.float32], levels: NDArray[np.float32], bounds: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float64]]:
    """Return what `sorted_into_classes` does."""
    of = np.searchsorted(bounds, levels, side="right")
    number = np.bincount(of, minlength=bounds.size + 1)
    total = np.bincount(of, levels, minlength=bounds.size + 1)
    return values[np.argsort(of, kind="stable")], number.astype(np.int64), total.astype(np.float64)
