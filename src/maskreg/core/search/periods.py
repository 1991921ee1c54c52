"""The periods of a pattern: by which lags it looks alike.

They are read off the gradient of the low-passed reference, which is what tells a shift, where it is steepest.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from maskreg.core.subpixel.template import Template
from maskreg.core.uncertainty.shared_noise import Block, lagged
from maskreg.geometry import smallest_first, straight_way

ALIKE = 0.5
"""One period on, the gradient correlates with itself by at least this, noise included,"""

NEARLY = 0.8
"""or by this part of what it does at the lag that is most alike, if that is a period."""

VALLEY = 0.25
"""And on the way there by this part less."""

REACH = 0.5
"""Periods are looked for up to this part of the block."""

SHORTEST = 2
"""Of a period, level pixels; less is no period of pixels."""

MOST = 8
"""The shortest periods are compared, both ways: so many lags."""


def find_periods(template: Template, block: Block) -> NDArray[np.float64]:
    """Return the shortest periods that a block of a template shows, both ways, level pixels.

    Parameters
    ----------
    template : Template
    block : Block
        Where its gradients are steepest.

    Returns
    -------
    (periods, ndim) ndarray of float64
        Shortest first; none where nothing repeats.
    """
    alike = _alike(template, block.slices)
    middle = np.array(alike.shape) // 2
    peaks = (alike == scipy.ndimage.maximum_filter(alike, 3)) & (alike > NEARLY * ALIKE)
    lags = np.argwhere(peaks) - middle
    lags = lags[(lags**2).sum(axis=1) >= SHORTEST**2]
    found = [lag for lag in lags[smallest_first(lags)] if _separate(alike, middle, lag)]
    heights = [float(alike[tuple(middle + lag)]) for lag in found]
    most = max(heights, default=0.0)
    line = min(ALIKE, NEARLY * most) if most > ALIKE else np.inf
    shortest = [lag for lag, height in zip(found, heights, strict=True) if height > line][:MOST]
    return np.array(shortest, np.float64).reshape(-1, alike.ndim)


def _alike(template: Template, slices: tuple[slice, ...]) -> NDArray[np.float64]:
    """Return the correlation of a block's gradient with itself at all lags within reach; 0 where unknown."""
    mask = template.mask[slices]
    reach = [int(REACH * n) for n in mask.shape]
    product = np.sum([lagged(field[slices] * mask, reach) for field in template.gradient], axis=0)
    number = lagged(mask.astype(np.float32), reach)
    middle = tuple(reach)
    known = number > REACH**mask.ndim * number[middle] / 2
    mean = product[middle] / number[middle]
    return np.where(known, product / np.maximum(number, 1) / max(float(mean), 1e-30), 0.0)


def _separate(alike: NDArray[np.float64], middle: NDArray[np.intp], lag: NDArray[np.intp]) -> bool:
    """Whether the correlation falls into a valley on the way to a lag."""
    values = alike[straight_way(middle, middle + lag)]
    return float(values.min()) < (1 - VALLEY) * float(values[-1])
