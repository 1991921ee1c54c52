"""Whether edges of other things may have made a match by chance: a part of a part of the images.

What chance reaches is read off all lags. A scene of a few large pieces with sharp edges, as clouds, has
hardly any lags that differ: one edge of theirs lies on another somewhere, and nothing like it anywhere else.
There the images overlap by a part, and within it they share little but that edge. Images of one scene share
nearly all of their structure, and those that changed overlap by much, or match by far more than chance.
"""

from __future__ import annotations

import math

from maskreg.core.doubt.explained import shared
from maskreg.core.frequencies.spectrum import NOISE_DOUBT
from maskreg.core.image.prepared import Prepared
from maskreg.core.masked_side import MaskedSide
from maskreg.registration import Registration

MOST_APART = 0.3
"""Of the structure, images of one scene have at most this part, times the overlap, each for itself. The less
they overlap, the more lags there are at which an edge may have found another."""

PART = 0.7
"""Those that overlap by so much may have changed by any part."""

BY_FAR = 3.5
"""A match of so many times the line of chance is of more than an edge."""

CLEAR = 0.5
"""What is shared is known where structure is more than so many times the noise."""


def may_be_of_edges(masked: MaskedSide, moving: Prepared, found: Registration, line: float) -> str | None:
    """Return what makes an `ok` registration doubtful, or None.

    Parameters
    ----------
    masked : MaskedSide
    moving : Prepared
    found : Registration
    line : float
        What significance chance reaches.
    """
    if found.overlap >= PART or found.significance >= BY_FAR * line:
        return None
    covariance, structure, noise = shared(masked, moving, found.shift)
    if any(s <= CLEAR * n for s, n in zip(structure, noise, strict=True)):
        return None
    least = math.prod(s - NOISE_DOUBT * n for s, n in zip(structure, noise, strict=True))
    part = covariance / math.sqrt(least)
    if part >= 1 - MOST_APART * found.overlap:
        return None
    return (
        f"edges of another scene meet so: {100 * part:.0f} % of the structure is shared, where the images "
        f"overlap by {100 * found.overlap:.0f} %; mask what differs, as clouds, or give max_shift"
    )
