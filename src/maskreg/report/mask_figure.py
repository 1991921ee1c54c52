"""A frame beside the same frame with its ignored area hatched, to see whether the mask fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from maskreg.errors import InputError
from maskreg.report.canvas import PAPER, checked_image, checked_mask, inset, pillow, write_png, write_text
from maskreg.report.colour import grey, palette
from maskreg.report.panel import binned, brightness_panel, contrast

PANEL = 640
"""Longer side of a panel, px."""

_MARGIN = 32
_GAP = 26
_TITLE = 58
_HEADING = 34


def draw_mask_figure(frame: ArrayLike, mask: ArrayLike, *, title: str, path: str | Path) -> Path:
    """Draw a frame as it is and with its ignored area hatched, and write it as PNG.

    Parameters
    ----------
    frame : (rows, columns)
        Drawn on a square-root scale; its contrast is that of the valid pixels.
    mask : (rows, columns) bool
        True = valid.
    title : str
        Printed on top.
    path : path
        Of the PNG.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        If the mask has another shape, or the suffix is not .png.
    MissingExtraError
        If Pillow is not installed.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise InputError(f"{path}: the picture is a .png file; name it so")
    image = checked_image("frame", frame)
    valid = checked_mask("mask", mask, image.shape)
    finite = np.isfinite(image)
    panels = [binned(image, finite, PANEL), binned(image, finite & valid, PANEL)]
    low, high = contrast([panels[1]])
    height, width = panels[0].shape
    pil_image, pil_draw, _ = pillow()
    size = (2 * width + 2 * _MARGIN + _GAP, _TITLE + _HEADING + height + _MARGIN)
    text = pil_image.new("L", size, PAPER)
    draw = pil_draw.Draw(text)
    write_text(draw, (_MARGIN, 18), title, 26)
    lefts = (_MARGIN, _MARGIN + width + _GAP)
    ignored = f"{100 * (1 - valid.mean()):.1f} % ignored (hatched)"
    for left, heading in zip(lefts, ("Frame", ignored), strict=True):
        write_text(draw, (left, _TITLE + 7), heading, 19)
    indices = grey(np.asarray(text))
    for left, panel in zip(lefts, panels, strict=True):
        inset(indices, (_TITLE + _HEADING, left), brightness_panel(panel, low, high))
    picture = pil_image.fromarray(indices)
    picture.putpalette(palette().tobytes())
    return write_png(picture, path)
