"""Which of the fine levels can tell where a frame lies, as far as the reference shows it.

A frame in which no coarse level is sure of a place is searched at ever finer ones, and last by a filter that
is matched to the reference (`search.matched`). Where what the filter of a level tells is held by the
next coarser level, both searches of that level see the same signal as there, and more noise: it costs
four times as much, and tells nothing new. Only of counts: the noise of other data is not known, and a
structure as fine as single pixels would be taken for it.
"""

from __future__ import annotations

from maskreg.core.frequencies.bands import NOISE_KNOWN, band_of
from maskreg.core.frequencies.spectrum import FAINT, part_beyond, search_filter
from maskreg.core.image.detail import detail, plane_of
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.whole import coefficients_of
from maskreg.core.search.search import FAINT_BACKGROUND_PX

HELD = 0.125
"""Of frequencies up to this, cycles/px, the mean of two pixels along each axis keeps 85 % of the power."""


LOST = 0.01
"""This part of what the filter tells may be finer: the significance of a place is less by half of it."""


def worth_searching(image: Prepared, noise: float | None, b: int) -> bool:
    """Return whether the search of level `b` may see what that of twice its bin does not.

    Parameters
    ----------
    image : Prepared
        The reference, of two axes.
    noise : float, optional
        Mean variance that counting makes of its pixels; None of data that are not counts.
    b : int
    """
    level = image.level(b)
    if noise is None:
        return True
    band = band_of(level, noise / b**level.mask.ndim)
    if band.structure > (FAINT + NOISE_KNOWN) * band.noise:
        return True
    plane = plane_of(level.mask, FAINT_BACKGROUND_PX)
    pixels = detail(level.pixels, plane, image.detector, image.mean).pixels
    found = search_filter(coefficients_of(pixels))
    return part_beyond(found, HELD, pixels.ndim) > LOST
