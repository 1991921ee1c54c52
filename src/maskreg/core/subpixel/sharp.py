"""Images with hardly any noise: what interpolation does at the edges is more than what noise does.

The error of interpolation that is taken off (`interpolation_error`) is a mean over the reference, and next to
ignored pixels it is not known. Both make an error of the shift that falls with the number of pixels N
faster than what noise makes, about as N^(-3/4). Where noise is less than that, the pixels at the edges are
left out, and the error of interpolation is that of the very pixels that are compared.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from maskreg.core.image.pyramid import eroded
from maskreg.core.image.runs import Region
from maskreg.core.image.shifted import shifted_mask
from maskreg.core.subpixel.template import Template

EDGE_PX = 0.8
"""Edges make an error of about this over N^(3/4), px (measured: 1e-4 px for 256 x 256 pixels)."""

RIM = 4
"""So many pixels along the edges are left out,"""

TAPS_BEYOND = 2
"""and of moving so many more: no tap of interpolation may reach an ignored one."""

ENOUGH = 0.25
"""At least this part of the pixels must be left."""


def edges_matter(sigma: float, template: Template) -> bool:
    """Return whether an image whose noise makes an error of sigma, px, is so sharp."""
    return bool(sigma < EDGE_PX * template.mask.size**-0.75)


def off_edges(template: Template, usable: Region, lag: tuple[int, ...]) -> tuple[Template, Region]:
    """Return what is compared at a lag without the edges; all of it if hardly anything would be left.

    Parameters
    ----------
    template : Template
    usable : Region
        Pixels of moving at which it may be interpolated.
    lag : tuple of int
    """
    shape = template.mask.shape
    mask, far = eroded(template.mask, RIM), eroded(usable.mask, RIM + TAPS_BEYOND)
    common = mask & shifted_mask(far, lag, shape)
    if np.count_nonzero(common) < ENOUGH * np.count_nonzero(
        template.mask & shifted_mask(usable.mask, lag, shape)
    ):
        return template, usable
    return replace(template, mask=mask, error=replace(template.error, inside=common)), Region(far)
