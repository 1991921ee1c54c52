"""Compiled: the ignored pixels beside valid ones are continued.

============================  ==========================================
kernel                        plain twin
============================  ==========================================
`continue_pixels`             `image.surround.plain_continue_pixels`
============================  ==========================================
"""

from __future__ import annotations

import numpy as np

from maskreg.core.machine.compiled import kernel


@kernel
def continue_pixels(flat, places, sources, weights):  # type: ignore[no-untyped-def]
    """Set each place of an image, given as one row, to the weighted sum of its sources."""
    for i in range(places.size):
        total = np.float32(0)
        for k in range(sources.shape[1]):
            total += flat[sources[i, k]] * weights[i, k]
        flat[places[i]] = total
