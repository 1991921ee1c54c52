"""Mask files: TIFF, PNG and NPY images in which nonzero means what the mask is called."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import ArrayLike, NDArray

from maskreg.errors import InputError, MaskregError, not_written
from maskreg.grey import pillow, read_grey
from maskreg.mask_doubt import doubt_of

log = logging.getLogger(__name__)

PathLike = str | os.PathLike[str]


def load_mask(path: PathLike, *, ignore: bool = False) -> NDArray[np.bool_]:
    """Read a mask.

    Parameters
    ----------
    path : path
        A TIFF, PNG or NPY file that holds one image of real numbers.
    ignore : bool
        What nonzero pixels mean: valid (False, the default) or ignored (True).

    Returns
    -------
    (rows, cols) bool ndarray
        True = valid.

    Raises
    ------
    InputError
        When the file is missing, or is no 2-D image of numbers.
    MissingExtraError
        When a PNG file is to be read and Pillow is not installed.
    """
    file = Path(path)
    values = _read(file)
    if values.dtype.kind not in "biuf":
        raise InputError(f"{file}: its pixels are of type {values.dtype}; a mask holds real numbers")
    if values.ndim != 2:
        raise InputError(f"{file}: its shape is {values.shape}; a mask is one image, with two axes")
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise InputError(f"{file}: some of its pixels are NaN, which is neither; save it as 0 and 255")
    if _stores_white_as_0(file):
        white = "valid" if ignore else "ignored"
        log.warning(
            "%s stores white as 0: what a viewer shows white is taken as %s; is that meant?", file, white
        )
    if doubt := doubt_of(values, nonzero="ignored" if ignore else "valid"):
        log.warning("%s %s", file, doubt)
    nonzero: NDArray[np.bool_] = values != 0
    return ~nonzero if ignore else nonzero


def save_mask(path: PathLike, mask: ArrayLike) -> None:
    """Write a mask as an image in which 255 is valid and 0 is ignored.

    Parameters
    ----------
    path : path
        Ends in .tif, .tiff, .png or .npy. It appears whole or not at all.
    mask : (rows, cols) array_like of bool
        True = valid.

    Raises
    ------
    InputError
        When the suffix is another one, or the mask is not 2-D, or holds NaN.
    RunError
        When it cannot be written.
    """
    file = Path(path)
    given = np.asarray(mask)
    if given.dtype.kind == "f" and np.isnan(given).any():
        raise InputError("mask holds NaN, which is neither valid nor ignored; try mask > 0")
    valid = given.astype(bool)
    if doubt := doubt_of(given):
        log.warning("the mask for %s %s", file, doubt)
    if valid.ndim != 2:
        raise InputError(f"mask has shape {valid.shape}; {file.name} takes one image, with two axes")
    write = _FORMATS[_suffix(file)][1]
    part = file.with_name(f"{file.name}.part")
    try:
        write(part, np.where(valid, np.uint8(255), np.uint8(0)))
        part.replace(file)
    except OSError as error:
        raise not_written(file, error) from error
    finally:
        part.unlink(missing_ok=True)


def _read(file: Path) -> NDArray[Any]:
    read = _FORMATS[_suffix(file)][0]
    try:
        return read(file)
    except MaskregError:
        raise
    except FileNotFoundError:
        raise InputError(f"{file}: there is no such mask file") from None
    except Exception as error:  # a decoder that is fed broken bytes may raise anything
        why = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{file}: this mask cannot be read: {why}") from error


def _suffix(file: Path) -> str:
    suffix = file.suffix.lower()
    if suffix not in _FORMATS:
        raise InputError(f"{file}: a mask is a {', '.join(_FORMATS)} file; save it as one of these")
    return suffix


def _read_tiff(file: Path) -> NDArray[Any]:
    import tifffile

    with tifffile.TiffFile(file) as tif:
        if not len(tif.pages):
            raise InputError(f"{file}: it holds no image; was it cut short?")
        if len(tif.pages) > 1:
            raise InputError(f"{file}: it holds {len(tif.pages)} pages; a mask is one image")
        return np.asarray(tif.pages.first.asarray())


def _stores_white_as_0(file: Path) -> bool:
    """Whether viewers show 0 white, as those of bilevel scans and of ImageJ's inverted tables do."""
    import tifffile

    if file.suffix.lower() not in (".tif", ".tiff"):
        return False
    with tifffile.TiffFile(file) as tif:
        return bool(tif.pages.first.photometric == tifffile.PHOTOMETRIC.MINISWHITE)


def _write_tiff(file: Path, pixels: NDArray[np.uint8]) -> None:
    import tifffile

    tifffile.imwrite(file, pixels)


def _read_npy(file: Path) -> NDArray[Any]:
    with file.open("rb") as stream:
        return np.asarray(npy_format.read_array(stream, allow_pickle=False))


def _write_npy(file: Path, pixels: NDArray[np.uint8]) -> None:
    with file.open("wb") as stream:  # given a name, numpy would append a suffix of its own
        np.save(stream, pixels)


def _write_png(file: Path, pixels: NDArray[np.uint8]) -> None:
    pillow().fromarray(pixels).save(file, format="PNG")


_Read = Callable[[Path], NDArray[Any]]
_Write = Callable[[Path, NDArray[np.uint8]], None]

_FORMATS: dict[str, tuple[_Read, _Write]] = {
    ".tif": (_read_tiff, _write_tiff),
    ".tiff": (_read_tiff, _write_tiff),
    ".png": (read_grey, _write_png),
    ".npy": (_read_npy, _write_npy),
}

MASK_SUFFIXES = tuple(_FORMATS)
"""How the name of a mask file may end."""
