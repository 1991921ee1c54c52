"""Dark and flat: what every frame of a detector has too much of, taken off and divided out.

    corrected = (raw - dark) / flat

Corrected frames are float32, and NaN where the calibration says nothing: so such pixels are invalid
everywhere, whatever reads the frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.errors import InputError, InputTypeError
from maskreg.frames.source import FrameSource


@dataclass(frozen=True, eq=False)
class Calibration:
    """A dark and a flat image, checked.

    Attributes
    ----------
    dark : (rows, cols) float32 or None
        What the detector shows without light, counts.
    flat : (rows, cols) float32 or None
        Its relative response to even light; NaN where it is not a positive number.
    """

    dark: NDArray[np.float32] | None
    flat: NDArray[np.float32] | None

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Where both are known, (rows, cols) bool, True = valid."""
        known = [np.isfinite(image) for image in (self.dark, self.flat) if image is not None]
        return np.asarray(np.logical_and.reduce(known))

    @property
    def response(self) -> float:
        """The typical value of the flat: corrected counts are smaller than raw ones by this factor."""
        return 1.0 if self.flat is None else float(np.nanmedian(self.flat))


def calibration(dark: ArrayLike | None, flat: ArrayLike | None, shape: tuple[int, int]) -> Calibration | None:
    """Check a dark and a flat image for frames of `shape`; None without either.

    Parameters
    ----------
    dark, flat : (rows, cols) array_like of real numbers, optional
        A flat need not be normalised. Where it is zero, negative or not finite, and where the dark
        is not finite, pixels are invalid.
    shape : (rows, cols)
        Of the frames.

    Raises
    ------
    InputError, InputTypeError
        When one has another shape, holds no real numbers, or leaves no pixel.
    """
    if dark is None and flat is None:
        return None
    images = [None if given is None else _checked(name, given, shape) for name, given in _named(dark, flat)]
    if images[1] is not None:
        images[1] = np.where(images[1] > 0, images[1], np.float32(np.nan))
    made = Calibration(*images)
    if not made.valid.any():
        raise InputError(
            "dark and flat leave no valid pixel: a flat must be positive and finite, a dark finite; "
            "were the two exchanged?"
        )
    return made


class CorrectedFrames(FrameSource):
    """The frames of another source, dark taken off and flat divided out, in float32.

    Parameters
    ----------
    raw : FrameSource
        As the detector wrote them. It stays the caller's to close.
    by : Calibration
        Of their shape.
    """

    def __init__(self, raw: FrameSource, by: Calibration) -> None:
        self.raw = raw
        self.by = by

    def __len__(self) -> int:
        return len(self.raw)

    def name(self, index: int) -> str:
        """Return the name of the raw frame."""
        return self.raw.name(index)

    @property
    def root(self) -> Path | None:
        """The folder that the names are relative to."""
        return self.raw.root

    @property
    def folder(self) -> Path | None:
        """The folder that the files are in."""
        return self.raw.folder

    def metadata(self, index: int) -> dict[str, Any]:
        """Return what is known of the raw frame."""
        return self.raw.metadata(index)

    @property
    def told_columns(self) -> tuple[str, ...]:
        """Columns of the metadata that the user has told of."""
        return self.raw.told_columns

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a frame, px."""
        return self.raw.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32."""
        return np.dtype(np.float32)

    @property
    def held(self) -> int:
        """Bytes that reading a raw frame may leave in memory, at most."""
        return self.raw.held

    def soon(self, index: int) -> None:
        """Know that the raw frame will be read soon."""
        self.raw.soon(index)

    def _fetch(self, index: int) -> Any:
        return corrected(self.raw.load(index), self.by)


def as_corrected(raw: FrameSource, by: Calibration | None) -> FrameSource:
    """Return frames with their calibration applied, if there is one."""
    return raw if by is None else CorrectedFrames(raw, by)


def corrected(image: NDArray[Any], by: Calibration) -> NDArray[Any]:
    """Return (image - dark) / flat as float32, NaN where one is unknown; another shape is left as it is."""
    if by.valid.shape != image.shape:
        return image  # its shape is wrong, which whoever asked for it finds out by that
    # uint16 is exact in float32, wider counts are not: the difference is taken in their own precision
    wide = np.float32 if image.dtype.itemsize <= 2 or image.dtype == np.float32 else np.float64
    values: NDArray[Any] = image.astype(wide)
    if by.dark is not None:
        values = values - by.dark
    if by.flat is not None:
        values = values / by.flat
    return values.astype(np.float32, copy=False)


def _named(dark: ArrayLike | None, flat: ArrayLike | None) -> list[tuple[str, ArrayLike | None]]:
    return [("dark", dark), ("flat", flat)]


def _checked(name: str, image: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float32]:
    pixels = np.asarray(np.ma.getdata(image))
    if pixels.dtype.kind not in "biuf":
        raise InputTypeError(f"{name} holds {pixels.dtype}; it is an image of real numbers")
    if pixels.shape != tuple(shape):
        raise InputError(
            f"{name} has shape {pixels.shape}, the frames have {tuple(shape)}; "
            "it is one image, taken in the same detector mode"
        )
    values = pixels.astype(np.float32)
    values[np.ma.getmaskarray(np.ma.asanyarray(image)) | ~np.isfinite(values)] = np.nan
    if name == "flat" and not (values > 0).any():
        raise InputError("flat is nowhere positive; it is the detector's response to even light")
    return values
