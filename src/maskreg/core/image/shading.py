"""Shading: what changes slowly over an image, as uneven light and a diffuse background do; values without it.

It may stand still on the detector while the scene moves, or change from frame to frame. As a part of the
image it would pull a match; taken off both images, it costs what the scene itself has of such broad
structure. It is taken off stabilised values, so that counts stay as noisy as counts are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.prepared import Prepared


def without_shading(image: Prepared) -> NDArray[np.float32]:
    """Return the grey values of an image without its shading, zero where ignored.

    Of counts those whose stabilised values lack their local plane, but not their mean; of other data what is
    left without it.
    """
    left = image.pixels - image.masks.broad(image.pixels)
    if image.detector.counts:
        values = image.detector.unstabilised(left + np.float32(image.mean))
    else:
        values = left * np.float32(image.scale)
    values[~image.mask] = 0
    return values
