"""Pictures (PNG, JPEG, BMP, PGM) of one channel, however many channels they were saved with; by Pillow."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import MissingExtraError

if TYPE_CHECKING:
    from PIL.Image import Image

_PNG = b"\x89PNG\r\n\x1a\n"
_DEPTH, _KIND = 24, 25  # where the header of a PNG says how many bits a channel has, and what kind it is
_MORE_CHANNELS = (2, 4, 6)


def read_grey(path: Path) -> NDArray[Any]:
    """Return the pixels of a grey picture, of the type it is stored in; bilevel ones as uint8.

    Raises
    ------
    ValueError
        When it is in colour, partly transparent, or several pictures.
    OSError
        When it cannot be decoded.
    MissingExtraError
        When Pillow is not installed.
    """
    with path.open("rb") as file:
        header = file.read(_KIND + 1)
    if header.startswith(_PNG) and header[_DEPTH:] >= bytes([16, 0]) and header[-1] in _MORE_CHANNELS:
        # Pillow would cut them to eight bits
        raise ValueError("it has several channels of 16 bits; save it as grey")
    with open_picture(path) as picture:
        if getattr(picture, "n_frames", 1) > 1:
            raise ValueError("it holds several pictures; save each as a file of its own")
        # the pixels of a palette are numbers of colours, of which 0 may be any
        as_colours = {"P": "RGBA", "CMYK": "RGB"}.get(picture.mode)
        pixels = np.asarray(picture.convert(as_colours) if as_colours else picture)
    return _without_colour(pixels.astype(np.uint8) if pixels.dtype == bool else pixels)


def open_picture(path: Path) -> Image:
    """Return Pillow's picture, whose pixels are not read yet; a context manager.

    Raises
    ------
    ValueError
        When Pillow cannot tell what it is.
    """
    library = pillow()
    try:
        picture: Image = library.open(path)
    except library.UnidentifiedImageError:
        raise ValueError("Pillow cannot tell what kind of picture it is") from None
    return picture


def pillow() -> ModuleType:
    """Return `PIL.Image`, or say which extra brings it."""
    try:
        import PIL.Image
    except ImportError as error:
        raise MissingExtraError(
            'pictures such as PNG need Pillow: python -m pip install "maskreg[app]"; or use TIFF or NPY'
        ) from error
    return PIL.Image


def _without_colour(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the one channel of a grey picture."""
    if pixels.ndim == 2:
        return pixels
    channels = pixels.shape[2]
    if channels in (2, 4):
        if not (pixels[..., -1] == 255).all():
            raise ValueError("parts of it are transparent; save it as grey, without transparency")
        pixels = pixels[..., :-1]
    if not (pixels == pixels[..., :1]).all():
        raise ValueError(f"it is in colour ({channels} channels); save it as grey, of one channel")
    return pixels[..., 0]
