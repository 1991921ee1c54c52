"""The aligned frames of a series, made one at a time when asked for."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from maskreg._version import __version__
from maskreg.apply.shift_image import shift_image
from maskreg.cores import available_cores
from maskreg.errors import InputError
from maskreg.frames import FrameSource
from maskreg.frames.corrected import CorrectedFrames
from maskreg.registration import Status
from maskreg.shifts import FrameRow, ShiftTable
from maskreg.stream import ordered_map

log = logging.getLogger(__name__)

Aligned = tuple[NDArray[Any], NDArray[np.bool_]]
"""An image and which of its pixels are valid."""


@dataclass(frozen=True)
class Moving:
    """How frames are moved.

    Attributes
    ----------
    order : {5, 3, 1, 0}
        Degree of the interpolating polynomial; 0 moves by whole pixels and changes no value.
    dtype : dtype, optional
        Of the result. Default: the frames' own for order 0, else float32 for integers of up to 16
        bits and float32, and float64 for everything else. For an integer type values are rounded
        to the nearest (ties to even) and kept within its range.
    fill : float, optional
        What invalid pixels hold; NaN for floats and 0 for integers unless told.
    include : collection of str or Status, or one of these
        Statuses, or their labels, whose frames are used although they are not ok.
    """

    order: int = 5
    dtype: DTypeLike | None = None
    fill: float | None = None
    include: Collection[str] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        if self.order not in (0, 1, 3, 5):
            raise InputError(f"order is {self.order!r}; it must be 5, 3, 1 or 0 (whole pixels)")
        try:
            float(self.fill or 0)
        except (TypeError, ValueError):
            raise InputError(f"fill is {self.fill!r}; it must be a number, or NaN") from None
        include = (self.include,) if isinstance(self.include, str | Status) else self.include
        object.__setattr__(self, "order", int(self.order))
        object.__setattr__(self, "include", tuple(_checked_included(each) for each in include))

    def uses(self, row: FrameRow) -> bool:
        """Whether the frame of a row is used."""
        return row.registration.ok or row.registration.status.label in self.include

    def result_dtype(self, raw: np.dtype[Any]) -> np.dtype[Any]:
        """Return the type of the aligned frames for raw ones of type `raw`."""
        if self.dtype is not None:
            try:
                dtype = np.dtype(self.dtype)
            except TypeError:
                raise InputError(f"dtype is {self.dtype!r}; try float32 or uint16") from None
            if dtype.kind not in "iuf" or dtype.itemsize > 8:
                raise InputError(
                    f"dtype is {dtype}; aligned frames are integers or floats, of 64 bits at most"
                )
            return dtype
        if self.order == 0:
            return raw
        return np.dtype(np.float32 if raw.itemsize <= 2 or raw == np.float32 else np.float64)

    def result_fill(self, dtype: np.dtype[Any]) -> float:
        """Return what invalid pixels of frames of type `dtype` hold."""
        if self.fill is None:
            return float("nan") if dtype.kind == "f" else 0.0
        limits = _limits(dtype)
        if dtype.kind == "f":
            fits, wanted = not isfinite(self.fill) or abs(self.fill) <= float(limits.max), "NaN, or a number"
        else:
            fits = float(self.fill).is_integer() and limits.min <= self.fill <= limits.max
            wanted = "a whole number"
        if not fits:
            raise InputError(
                f"fill is {self.fill}, which {dtype} cannot hold; "
                f"give {wanted} from {limits.min} to {limits.max}"
            )
        return float(self.fill)


class AlignedFrames:
    """A series on its reference: a sequence of images with their masks, each made when it is asked for.

    A frame that is not used (see `Moving.uses`) is wholly invalid. Many threads may ask at once.

    Parameters
    ----------
    source : FrameSource
        The frames.
    table : ShiftTable
        Their shifts.
    mask : (rows, cols) bool, optional
        True = valid, the same for all frames.
    moving : Moving
        How they are moved.
    """

    def __init__(
        self, source: FrameSource, table: ShiftTable, mask: NDArray[np.bool_] | None, moving: Moving
    ) -> None:
        self.source = source
        self.table = table
        self.moving = moving
        self._mask = mask
        self._told = False
        self.shape = tuple(source.shape)
        self.dtype = moving.result_dtype(source.dtype)
        self.fill = moving.result_fill(self.dtype)

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, position: int) -> Aligned:
        return self.of(self.table[position])

    def without_rows(self) -> AlignedFrames:
        """Return these frames without their table: what another process needs, to be given rows."""
        return AlignedFrames(self.source, ShiftTable([]), self._mask, self.moving)

    def of(self, row: FrameRow) -> Aligned:
        """Return the frame of a row."""
        if not self.moving.uses(row):
            return np.full(self.shape, self.fill, self.dtype), np.zeros(self.shape, dtype=bool)
        pixels = self.source.read(row.frame)
        if pixels.dtype != self.source.dtype:
            self._tell_of_a_wider(pixels.dtype, row)
        image, valid = shift_image(
            pixels, row.registration.shift, self._mask, fill=self._carried_fill(), order=self.moving.order
        )
        return self._as_wanted(image, valid), valid

    def __iter__(self) -> Iterator[Aligned]:
        return (self[position] for position in range(len(self)))

    def stream(self, begin: int = 0, *, workers: int | None = None) -> Generator[Aligned, None, None]:
        """Yield the frames from `begin` on, in order, made by several threads at once (all cores if None)."""
        make: Callable[[int], Aligned] = self.__getitem__
        return ordered_map(make, range(begin, len(self)), workers=workers or available_cores())

    def digest(self) -> str:
        """Return a fingerprint of what the images depend on, but for the pixels of the raw frames."""
        how = (self.moving.order, sorted(self.moving.include), self.fill, str(self.dtype), self.shape)
        digest = hashlib.sha256(repr((__version__, how, self.table.to_dicts())).encode())
        if self._mask is not None:
            digest.update(np.packbits(self._mask).tobytes())
        if isinstance(self.source, CorrectedFrames):
            for image in (self.source.by.dark, self.source.by.flat):
                digest.update(b"" if image is None else image.tobytes())
        return digest.hexdigest()

    def left_out(self) -> dict[Status, int]:
        """Return how many frames are not used, by status."""
        rows = [row for row in self.table if not self.moving.uses(row)]
        return ShiftTable(rows).counts()

    def _tell_of_a_wider(self, dtype: np.dtype[Any], row: FrameRow) -> None:
        """Say so, once, where the type of the first frame, and so of the result, cannot hold a later one."""
        about = describe_range(dtype, self.dtype)
        if about and not self._told:
            self._told = True
            log.warning("%s and perhaps others: %s", row.source, about)

    def _carried_fill(self) -> float:
        """Return a fill that the images can hold while they are moved."""
        return 0.0 if self.source.dtype.kind in "iu" or self.dtype.kind in "iu" else self.fill

    def _as_wanted(self, image: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[Any]:
        """Return `image` in the type of the result, its invalid pixels filled."""
        if self.dtype.kind != "f" and image.dtype != self.dtype:
            image = rounded(image, self.dtype)
        elif not np.can_cast(image.dtype, self.dtype):
            limits = _limits(self.dtype)
            image = np.clip(image, limits.min, limits.max)  # else infinite, and called valid
        result = image.astype(self.dtype, copy=False)
        result[~valid] = self.fill
        return result


def rounded(image: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return `image` in an integer type: the nearest whole number, ties to even, within the range."""
    limits = _limits(dtype)
    nearest = np.rint(image)
    above = nearest >= float(limits.max)  # which may be one more than the type holds
    whole = np.clip(np.where(above | np.isnan(nearest), 0, nearest), limits.min, limits.max).astype(dtype)
    whole[above] = limits.max
    return whole


def _limits(dtype: np.dtype[Any]) -> Any:
    """Return the least and the greatest number of a type, as `min` and `max`."""
    return np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)


def describe_range(frames: np.dtype[Any], result: np.dtype[Any]) -> str:
    """Return one line about what does not fit where the result is narrower than the frames; else ''."""
    if np.can_cast(frames, result) or (result.kind == "f" and result.itemsize > 2):
        return ""
    limits = _limits(result)
    held = f"{int(limits.min)} to {int(limits.max)}"
    return f"{result} holds {held}: what the frames ({frames}) have beyond is cut to that"


def describe_left_out(left_out: dict[Status, int], total: int) -> str:
    """Return one line: how many of `total` frames are used, and what became of the others."""
    missing = sum(left_out.values())
    if not missing:
        return "the one frame is used" if total == 1 else f"all {total} frames are used"
    counts = ", ".join(f"{count} {status.label}" for status, count in left_out.items())
    return f"{total - missing} of {total} frames are used; left out are {counts}"


def _checked_included(status: str | Status) -> str:
    """Return the label of a status; refuse what is none, or whose frames have no shift to be moved by."""
    label = status.label if isinstance(status, Status) else status
    possible = [status.label for status in Status if status.keeps_shift and not status.ok]
    if label not in possible:
        known = label in [status.label for status in Status]
        why = "such frames are used anyway, or have no shift" if known else "there is no such status"
        raise InputError(f"include is {label!r}: {why}; it is one of {', '.join(possible)}")
    return label
