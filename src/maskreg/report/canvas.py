"""What pictures of panels are made with: checked images, text and frames in grey, a PNG in the end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.errors import InputError, MissingExtraError
from maskreg.outputs import atomic_write_bytes
from maskreg.report.colour import grey

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

# greys, 0 to 255
INK = 30
SOFT_INK = 96
PAPER = 255


def write_png(picture: Any, path: Path) -> Path:
    """Write a picture of Pillow's as PNG; return where."""
    with atomic_write_bytes(path) as stream:
        picture.save(stream, format="PNG", optimize=True)
    return path


def checked_image(name: str, array: ArrayLike, shape: tuple[int, ...] | None = None) -> NDArray[np.float64]:
    """Return an image to be drawn, or raise `InputError` where it is none, or of another shape."""
    image = np.asarray(array, dtype=np.float64)
    if image.ndim != 2:
        raise InputError(f"{name} has {image.ndim} axes; the figure shows images of two")
    if shape is not None and image.shape != shape:
        raise InputError(f"{name} has shape {image.shape}, the reference has {shape}")
    return image


def checked_mask(name: str, array: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return a mask, True = valid (everywhere without one), or raise `InputError` where it does not fit."""
    mask = np.ones(shape, dtype=bool) if array is None else np.asarray(array, dtype=bool)
    if mask.shape != shape:
        raise InputError(f"{name} has shape {mask.shape}, the reference has {shape}")
    return mask


def inset(picture: NDArray[np.uint8], corner: tuple[int, int], panel: NDArray[np.uint8]) -> None:
    """Put a panel into the picture, with a thin grey frame around it."""
    top, left = corner
    bottom, right = top + panel.shape[0], left + panel.shape[1]
    picture[top - 1 : bottom + 1, left - 1 : right + 1] = grey(np.array(SOFT_INK, dtype=np.uint8))
    picture[top:bottom, left:right] = panel


def write_text(
    draw: ImageDraw,
    place: tuple[int, int],
    text: str,
    size: int,
    ink: int = INK,
    anchor: str = "la",
) -> None:
    """Write a line of text at a place (left, top; px), or where `anchor` of it is to be."""
    _, _, pil_font = pillow()
    draw.text(place, text, fill=ink, font=pil_font.load_default(size), anchor=anchor)


def pillow() -> tuple[Any, Any, Any]:
    """Return Pillow's modules Image, ImageDraw and ImageFont; Pillow is optional."""
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        raise MissingExtraError(
            'the figure needs Pillow, which is not installed: python -m pip install "maskreg[app]"'
        ) from None
    return Image, ImageDraw, ImageFont
