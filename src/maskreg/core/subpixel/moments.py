"""Sums over the pixels that a template and a moving image have in common, at a shift between its pixels.

Moving is interpolated, nothing of the reference is (`subpixel.refine`). Images of two axes and volumes
have compiled passes; `plain_moments` and `plain_projected` are their twins, for any number of axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskreg.core.image.interpolate import lagrange_slopes, lagrange_taps
from maskreg.core.image.runs import Region
from maskreg.core.image.shifted import shifted_mask
from maskreg.core.subpixel.refine_kernels import moments_2d, projected_2d
from maskreg.core.subpixel.template import Template


@dataclass(frozen=True)
class Moments:
    """Sums over the common pixels, with u = interpolated moving, r = reference, G, H as above.

    Attributes
    ----------
    n, r, u, h : float
        Numbers and sums.
    rr, ru, uu, hr, hu : float
        Sums of products.
    g, gr, gu : (ndim,) ndarray
        Sums of G, G r and G u.
    s : (ndim,) ndarray, optional
        Sums of the slopes S of u: by how much it changes with the shift along each axis.
    gs : (ndim, ndim) ndarray, optional
        Sums of G_i S_j.
    """

    n: float
    r: float
    u: float
    h: float
    rr: float
    ru: float
    uu: float
    hr: float
    hu: float
    g: NDArray[np.float64]
    gr: NDArray[np.float64]
    gu: NDArray[np.float64]
    s: NDArray[np.float64] | None = None
    gs: NDArray[np.float64] | None = None


def projected_residual(sums: Moments, gain: float) -> NDArray[np.float64]:
    """Return the sums of G times the residual, offset solved for."""
    reference = sums.gr - sums.g * (sums.r / sums.n)
    moving = sums.gu - sums.g * (sums.u / sums.n)
    return np.asarray(reference - gain * moving)


def jacobian_of_slopes(sums: Moments, gain: float) -> NDArray[np.float64] | None:
    """Return the Jacobian that the slopes of moving make, offset solved for; None if they are not summed.

    They are those of this very image: no noise of the reference meets itself in them.
    """
    if sums.s is None or sums.gs is None:
        return None
    return np.asarray(-gain * (sums.gs - np.outer(sums.g, sums.s) / sums.n))


def moments(
    template: Template,
    moving: NDArray[np.float32],
    usable: Region,
    shift: NDArray[np.float64],
    near: tuple[int, ...],
    *,
    slopes: bool = False,
) -> Moments:
    """Return the sums of one pass at a sub-pixel shift.

    `near` is a whole-pixel shift at most 1 px away, at which the usable pixels of moving are taken. The
    `slopes` are summed where they are asked for, but never those of volumes.
    """
    if moving.ndim == 3:
        return _moments_of_volume(template, moving, usable, shift, near)
    if moving.ndim != 2:
        return plain_moments(template, moving, usable, shift, near, slopes=slopes)
    packed = template.packed
    out, slope = moments_2d(
        *template.region.runs, packed.numbers, packed.steps, packed.sums, moving, *usable.runs,
        np.asarray(shift, np.float64), near, slopes,
    )  # fmt: skip
    n, r, u, h, rr, ru, uu, hr, hu = out[:9].tolist()
    s, gs = (slope[:2], slope[2:].reshape(2, 2)) if slopes else (None, None)
    return Moments(n, r, u, h, rr, ru, uu, hr, hu, g=out[9:11], gr=out[11:13], gu=out[13:15], s=s, gs=gs)


def projected(
    template: Template,
    moving: NDArray[np.float32],
    usable: Region,
    shift: NDArray[np.float64],
    near: tuple[int, ...],
    gain: float,
) -> float:
    """Return the sum of the first component of G times the residual, offset solved for, of two axes.

    At a sub-pixel shift, as `moments`; it takes a third of such a pass. NaN without common pixels.
    """
    packed = template.packed
    fields = packed.numbers, packed.steps, packed.sums
    return float(projected_2d(*template.region.runs, *fields, moving, *usable.runs, shift, near, gain))


def plain_projected(
    template: Template,
    moving: NDArray[np.float32],
    usable: Region,
    shift: NDArray[np.float64],
    near: tuple[int, ...],
    gain: float,
) -> float:
    """Return what `projected` does, by slices."""
    return float(projected_residual(plain_moments(template, moving, usable, shift, near), gain)[0])


def _moments_of_volume(
    template: Template,
    moving: NDArray[np.float32],
    usable: Region,
    shift: NDArray[np.float64],
    near: tuple[int, ...],
) -> Moments:
    from maskreg.core.image.volume_kernels import moments_3d

    taps = [lagrange_taps(-float(s)) for s in shift]
    out, across = moments_3d(
        template.pixels, template.mask, template.gradient, template.smooth, moving, usable.mask,
        near, tuple(first for first, _ in taps), np.array([w for _, w in taps], np.float32),
    )  # fmt: skip
    n, r, u, h, rr, ru, uu, hr, hu = (float(v) for v in out[:9])
    g, gr, gu = (np.array([across[k], *out[9 + 2 * k : 11 + 2 * k]]) for k in range(3))
    return Moments(n, r, u, h, rr, ru, uu, hr, hu, g=g, gr=gr, gu=gu)


def plain_moments(
    template: Template,
    moving: NDArray[np.float32],
    usable: Region,
    shift: NDArray[np.float64],
    near: tuple[int, ...],
    *,
    slopes: bool = False,
) -> Moments:
    """Return what `moments` does, by slices, for any number of axes."""
    shape = template.mask.shape
    common = template.mask & shifted_mask(usable.mask, near, shape)
    u = _moved(moving, shift, shape, None)
    w = common & where_taps_are_inside(shift, shape, moving.shape)
    steep = (
        np.stack([_moved(moving, shift, shape, axis)[w] for axis in range(moving.ndim)]) if slopes else None
    )
    r, h, u = template.pixels[w].astype(np.float64), template.smooth[w].astype(np.float64), u[w]
    g = template.gradient[:, w].astype(np.float64)
    return Moments(
        n=float(r.size),
        r=float(r.sum()),
        u=float(u.sum()),
        h=float(h.sum()),
        # not by BLAS: the last bits of its products depend on the number of its threads
        rr=float((r * r).sum()),
        ru=float((r * u).sum()),
        uu=float((u * u).sum()),
        hr=float((h * r).sum()),
        hu=float((h * u).sum()),
        g=g.sum(axis=1),
        gr=(g * r).sum(axis=1),
        gu=(g * u).sum(axis=1),
        s=None if steep is None else steep.sum(axis=1),
        gs=None if steep is None else np.array([[(one * other).sum() for other in steep] for one in g]),
    )


def where_taps_are_inside(
    shift: NDArray[np.float64], shape: tuple[int, ...], moving_shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Return at which pixels of a grid of `shape` all that interpolates moving(x - shift) is inside of it."""
    inside = np.ones(shape, bool)
    for axis, s in enumerate(shift):
        first, weights = lagrange_taps(-float(s))
        index = np.arange(shape[axis])
        ok = (index + first >= 0) & (index + first + len(weights) <= moving_shape[axis])
        inside &= ok.reshape([-1 if k == axis else 1 for k in range(len(shape))])
    return inside


def _moved(
    moving: NDArray[np.float32], shift: NDArray[np.float64], shape: tuple[int, ...], along: int | None
) -> NDArray[np.float64]:
    """Return moving(x - shift) on a grid of `shape`, zero beyond the border; or its slope along an axis."""
    out = moving.astype(np.float64)
    for axis, s in enumerate(shift):
        first, weights = lagrange_taps(-float(s))
        # the place falls as the shift grows
        weights = -lagrange_slopes(-float(s)) if axis == along else weights
        out = _interpolated(out, axis, first, weights, shape[axis])
    return out


def _interpolated(
    values: NDArray[np.float64], axis: int, first: int, weights: NDArray[np.float64], length: int
) -> NDArray[np.float64]:
    """Return values at index + place along one axis, zero beyond the border."""
    moved = np.moveaxis(values, axis, 0)
    out = np.zeros((length, *moved.shape[1:]))
    for k, weight in enumerate(weights):
        offset = first + k
        start, stop = max(0, -offset), min(length, moved.shape[0] - offset)
        if start < stop:
            out[start:stop] += weight * moved[start + offset : stop + offset]
    return np.moveaxis(out, 0, axis)
