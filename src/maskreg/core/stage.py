"""One stage of a refinement: a level of the pyramid and a width of the low-pass.

Before a stage refines, it settles within what the one before left open.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import LevelImage
from maskreg.core.masked_side import MaskedSide
from maskreg.core.subpixel.refine import refine
from maskreg.core.subpixel.settle import Settled, settle
from maskreg.core.subpixel.sharp import edges_matter, off_edges
from maskreg.geometry import nearest_lag

WIDEST_WINDOW = 4
"""Settling looks at most this many level pixels to each side."""

FINAL_STEP = 0.03
"""The last stage iterates until what is left is this part of the forecast sigma."""

NEXT = 0.15
"""A place one period from another is known to so many level pixels."""

CONTRADICTS = 1.5
"""A stage that ends this many times 3 sigma from where the one before did has gone astray."""


@dataclass(frozen=True)
class Place:
    """A place below the pixel.

    Attributes
    ----------
    shift : (ndim,) ndarray of float64
        Px.
    covariance : (ndim, ndim) ndarray of float64
        Px squared.
    bin : int
        Level of the last stage that refined it; of the first, if none did.
    refined : bool
        Whether any stage did; else noise hides where in a broad peak the place is.
    blind : (ndim, ...) ndarray of float64
        Orthonormal directions along which no stage could tell the shift, as along parallel lines; it
        is as far known there as what was searched.
    gaussian : float or None
        Of the last stage's low-pass, level pixels.
    gain, noise : float
        Of moving into reference, and the residual's variance over that of noise, as the last stage found.
    doubted : bool
        Whether noise hides along which directions the images tell the shift.
    fixed : bool
        Whether it is a match of single pixels at no shift, as the fixed pattern of a detector makes it.
    contradicted : bool
        Whether a finer stage went elsewhere: coarse and fine structure move otherwise, or it went astray.
    unexplained : bool
        Whether it is one of places that are alike and the images do not share all structure there.
    pulled_to : (ndim,) ndarray of float64 or None
        Where parts of the image that stand still had pulled it, px; None if they had not.
    shaded : bool
        Whether shading pulls it.
    beside : float
        What neighbours share of the residual, over white noise of its size; infinite where nobody asked.
    """

    shift: NDArray[np.float64]
    covariance: NDArray[np.float64]
    bin: int
    refined: bool
    blind: NDArray[np.float64]
    gaussian: float | None = None
    gain: float = 1.0
    noise: float = 1.0
    doubted: bool = False
    fixed: bool = False
    contradicted: bool = False
    unexplained: bool = False
    pulled_to: NDArray[np.float64] | None = None
    shaded: bool = False
    beside: float = math.inf

    @cached_property
    def open_px(self) -> float:
        """How far from here the answer may be along an axis, px."""
        return 3 * math.sqrt(max(self.covariance.diagonal().tolist()))


def another(masked: MaskedSide, moving: Prepared, known: Place, step: NDArray[np.float64]) -> Place | None:
    """Return the place a step from a refined one, px, as the same stage refines it, if there is one."""
    b = known.bin
    near = Place(known.shift + step, np.eye(len(step)) * (NEXT * b) ** 2, b, True, nowhere(len(step)))
    tolerance = FINAL_STEP * masked.side.forecast(b).sigma
    found = refined_at(masked, moving, b, known.gaussian, near, tolerance, FINAL_STEP)
    return None if found is None or found.contradicted else found


def refined_at(
    masked: MaskedSide,
    moving: Prepared,
    b: int,
    gaussian: float | None,
    known: Place,
    tolerance: float,
    part: float = 0.0,
) -> Place | None:
    """Settle and refine at one stage; None where it has nothing to say."""
    open_px = known.open_px
    shift = (
        known.shift
        if known.refined and open_px < b / 2
        else b * settled(masked, moving, b, gaussian, known).start(known.shift / b)
    )
    normal = masked.normal(b, gaussian, nearest_lag(shift / b))
    if normal is None:
        return None
    template, usable = masked.side.template(b, gaussian), masked.usable(b)
    if gaussian is None and edges_matter(masked.side.forecast(b).sigma, template):
        template, usable = off_edges(template, usable, nearest_lag(shift / b))
    pixels = masked.interpolable(moving, b)
    found = refine(template, pixels, usable, normal, shift / b, tolerance, part)
    if found is None or not found.converged:
        return None
    moved = normal.along_known @ (b * found.shift - known.shift)
    if max(map(abs, moved.tolist())) > _reach(open_px, b):
        return replace(known, contradicted=True) if known.refined else None
    covariance, blind = b**2 * found.covariance, normal.blind
    if blind.size:
        covariance = covariance + _along_blind(masked, known, blind)
        blind = blind if known.blind.size or not known.refined else nowhere(len(shift))
    return Place(b * found.shift, covariance, b, True, blind, gaussian, found.gain, found.noise)


def _reach(open_px: float, b: int) -> float:
    """Return how far from a place known to `open_px` a stage at level `b` may go, px."""
    return CONTRADICTS * open_px + b / 2


def nowhere(ndim: int) -> NDArray[np.float64]:
    """Return the basis of no direction."""
    return np.empty((ndim, 0))


def _along_blind(masked: MaskedSide, known: Place, blind: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the covariance along blind directions: of the stage before, or of all that was searched."""
    if not known.refined:
        return anywhere_along(masked, blind)
    variances = np.diagonal(blind.T @ known.covariance @ blind)
    return np.asarray((blind * variances) @ blind.T)


def anywhere_along(masked: MaskedSide, blind: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the covariance along blind directions of which nothing is known but what was searched."""
    reach = masked.side.options.limits(len(blind)) or masked.side.image.mask.shape
    # evenly likely from -reach to reach
    variances = np.array(reach, np.float64) ** 2 @ blind**2 / 3
    return np.asarray((blind * variances) @ blind.T)


def settled(
    masked: MaskedSide, moving: Prepared, b: int, gaussian: float | None, known: Place, *, few: bool = False
) -> Settled:
    """Return where a climb ends that begins at what is known of a place.

    The low-passed reference is what moving is compared with: where noise drowns pixels, theirs would hide
    the place.
    """
    radius = min(max(math.ceil(known.open_px / b), 1), WIDEST_WINDOW)
    template = masked.side.template(b, gaussian)
    moving.as_it_was()
    images = LevelImage(template.smooth, template.mask), moving.level(b)
    return settle(
        *images, nearest_lag(known.shift / b), masked.safe(b, radius), radius,
        reach=_reach(known.open_px, b) / b, scattered=masked.scattered(b), few=few,
    )  # fmt: skip
