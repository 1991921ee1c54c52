"""All that was asked to be ignored, joined into one mask; and what to tell the user about it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.errors import InputError
from maskreg.masks.files import PathLike, load_mask
from maskreg.masks.growing import grow as grown
from maskreg.masks.shapes import (
    Disk,
    Polygon,
    Rect,
    ignore_above,
    ignore_below,
    ignore_disk,
    ignore_polygon,
    ignore_rect,
)

_SUSPICIOUS = 0.5
"""Fraction of ignored pixels above which the mask may be upside down."""

_OTHER_WAY = "use --ignore instead of --valid, or the reverse"


def build_mask(
    shape: tuple[int, int],
    *,
    valid: PathLike | Sequence[PathLike] = (),
    ignore: PathLike | Sequence[PathLike] = (),
    rects: str | Sequence[str | Rect] = (),
    disks: str | Sequence[str | Disk] = (),
    polygons: str | Sequence[str | Polygon] = (),
    above: float | None = None,
    below: float | None = None,
    image: ArrayLike | None = None,
    grow: float = 0,
) -> NDArray[np.bool_] | None:
    """Return the mask that all of these make together: valid is what none of them ignores.

    Parameters
    ----------
    shape : (rows, cols)
        Of the frames.
    valid, ignore : path or list of paths
        Mask files (see `load_mask`): nonzero = valid, nonzero = ignored.
    rects, disks, polygons : text, or list of texts or of what `maskreg.masks.shapes` parses
        Areas to ignore: ``r0:r1,c0:c1``, ``r,c,radius``, ``r,c r,c r,c ...``.
    above, below : float, optional
        Ignore the pixels of `image` that are greater, or less, than this.
    image : (rows, cols) array_like, optional
        What `above` and `below` look at: the reference, as a rule.
    grow : float
        Radius by which all that is ignored is grown at the end, px.

    Returns
    -------
    (rows, cols) bool ndarray or None
        True = valid; None when nothing was asked for.

    Raises
    ------
    InputError
        When a file cannot be read or has another shape, a text has another form, or no pixel
        is left.

    Examples
    --------
    >>> mask = build_mask((100, 120), rects="0:50,55:65", disks="50,60,8", grow=2)
    >>> describe_mask(mask)
    '7.3 % of the pixels are ignored'
    """
    mask: NDArray[np.bool_] | None = None
    for part in _parts(shape, valid, ignore, rects, disks, polygons, above, below, image):
        mask = part if mask is None else mask & part
    if mask is None:
        return None
    mask = grown(mask, grow)
    if not mask.any():
        with_grow = f" (grow={grow:g})" if grow else ""
        raise InputError(f"the masks together{with_grow} ignore every pixel; is one of them upside down?")
    return mask


def describe_mask(mask: ArrayLike) -> str:
    """Return what to say on loading a mask (True = valid): "4.2 % of the pixels are ignored"."""
    percent = 100 * _ignored(mask)
    digits = f"{percent:.2g}" if 0 < percent < 0.1 else f"{percent:.1f}"
    return f"{digits} % of the pixels are ignored"


def mask_warning(mask: ArrayLike, advice: str = _OTHER_WAY) -> str | None:
    """Return a warning when more than half of the pixels are ignored (mask: True = valid), else None.

    `advice` is what to do if the mask is upside down.
    """
    if _ignored(mask) <= _SUSPICIOUS:
        return None
    return f"{describe_mask(mask)}: the mask may be upside down: {advice}"


def _parts(
    shape: tuple[int, int],
    valid: Any,
    ignore: Any,
    rects: Any,
    disks: Any,
    polygons: Any,
    above: float | None,
    below: float | None,
    image: ArrayLike | None,
) -> Iterator[NDArray[np.bool_]]:
    """Yield each mask that was asked for, True = valid."""
    for path in _listed(valid):
        yield _load(path, shape, ignore=False)
    for path in _listed(ignore):
        yield _load(path, shape, ignore=True)
    for draw, drawn in ((ignore_rect, rects), (ignore_disk, disks), (ignore_polygon, polygons)):
        for item in _listed(drawn):
            yield ~draw(shape, item)
    if above is not None:
        yield ~ignore_above(_image("above", image, shape), above)
    if below is not None:
        yield ~ignore_below(_image("below", image, shape), below)


def _load(path: PathLike, shape: tuple[int, int], *, ignore: bool) -> NDArray[np.bool_]:
    mask = load_mask(path, ignore=ignore)
    if mask.shape != tuple(shape):
        raise InputError(
            f"{os.fspath(path)}: this mask has shape {mask.shape}, the frames have {tuple(shape)}; "
            "was it made for another detector mode?"
        )
    if not mask.any():
        raise InputError(f"{os.fspath(path)}: this mask ignores every pixel; {_OTHER_WAY}")
    return mask


def _image(name: str, image: ArrayLike | None, shape: tuple[int, int]) -> NDArray[Any]:
    if image is None:
        raise InputError(f"ignore_{name} needs an image to look at; give image=")
    pixels = np.asarray(image)
    if pixels.shape != tuple(shape):
        raise InputError(f"image has shape {pixels.shape}, the frames have {tuple(shape)}; they must agree")
    return pixels


def _listed(value: Any) -> Sequence[Any]:
    """Return `value` as a list; a single path or text is a list of one."""
    return [value] if isinstance(value, str | os.PathLike) else value


def _ignored(mask: ArrayLike) -> float:
    """Return the fraction of pixels that are ignored."""
    return 1 - float(np.mean(np.asarray(mask, dtype=bool)))
