"""Compiled: values sorted into classes; the plain twin is `plain_sorted_into_classes`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskreg.core.compilation import tell_of_compilation
from maskreg.core.compiled import kernel

tell_of_compilation()


@kernel
def sorted_into_classes(values, levels, bounds, first, less):  # type: ignore[no-untyped-def]
    """Return the values, those of lower levels first, in order within a class, of equal levels too.

    Class k + 1 begins at place `first[k]`, with level `bounds[k]`; of lower levels there are `less[k]`.
    """
    classes = first.size + 1
    out = np.empty(values.size, values.dtype)
    to = np.zeros(classes, np.int64)
    to[1:] = first
    equal = np.zeros(classes, np.int64)  # seen so far, of each bound's level
    half = 1
    while 2 * half < classes:
        half *= 2
    tree = np.full(2 * half, np.inf, values.dtype)
    tree[: first.size] = bounds
    for j in range(values.size):
        level = levels[j]
        k, step = 0, half
        while step:
            k += step * (tree[k + step - 1] <= level)
            step //= 2
        if k and bounds[k - 1] == level:  # the next one of this level in order: its place tells its class
            while k and bounds[k - 1] == level:
                k -= 1
            place = less[k] + equal[k]
            equal[k] += 1
            while k < classes - 1 and first[k] <= place:
                k += 1
        out[to[k]] = values[j]
        to[k] += 1
    return out


def plain_sorted_into_classes(
    values: NDArray[np.float32],
    levels: NDArray[np.float32],
    bounds: NDArray[np.float32],
    first: NDArray[np.int64],
    less: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return what `sorted_into_classes` does, by sorting them all; equal levels stay in order."""
    order = np.argsort(levels, kind="stable")
    return np.concatenate([values[np.sort(part)] for part in np.split(order, first)])
