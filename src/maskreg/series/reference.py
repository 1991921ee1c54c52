"""Which image the frames of a series are registered to."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from operator import index as as_index
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import FrameError, InputError, InputTypeError
from maskreg.frames import FrameSource, open_frames

ImageLike = str | os.PathLike[str] | NDArray[Any]
"""An image file or a 2-D array."""

ReferenceLike = int | str | os.PathLike[str] | NDArray[Any]
"""``'first'``, the index of a frame, an image file or a 2-D array."""


@dataclass(frozen=True)
class Reference:
    """The image that frames are registered to.

    Attributes
    ----------
    image : (rows, cols) array
        Its pixels.
    frame : int or None
        Its index in the series; None when it is an image of its own.
    name : str
        What to call it in a message.
    """

    image: NDArray[Any]
    frame: int | None
    name: str


def find_reference(
    reference: ReferenceLike, source: FrameSource, mask: NDArray[np.bool_] | None
) -> Reference:
    """Return the reference of a series, or say why it cannot be one and what to try."""
    if len(source) == 0:
        raise InputError("the series has no frames")
    if isinstance(reference, np.ndarray):
        found = Reference(reference, None, "the array given as reference")
    elif isinstance(reference, str | os.PathLike) and reference != "first":
        found = Reference(read_image(reference), None, f"the reference {reference}")
    else:
        found = _frame_of_series(0 if reference == "first" else reference, source)
    _check(found, source, mask)
    return found


def read_image(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Return the image in a file, or with ``FILE[3]`` the one at index 3 of a file that holds many."""
    text, position = _split_index(os.fspath(path))
    with open_frames(text) as source:
        if position is None and len(source) != 1:
            raise InputError(f"{text} holds {len(source)} frames; name one of them, such as '{text}[0]'")
        return source.read(_checked_index(position or 0, source, text))


def _split_index(text: str) -> tuple[str, int | None]:
    """Split ``FILE[3]`` into ``FILE`` and 3; a file that is really called so is itself."""
    match = re.fullmatch(r"(.+)\[(-?\d+)\]", text)
    if match is None or Path(text).exists():
        return text, None
    return match[1], int(match[2])


def _frame_of_series(index: Any, source: FrameSource) -> Reference:
    try:
        frame = as_index(index)
    except TypeError:
        raise InputError(
            f"reference is {index!r}; it is 'first', the index of a frame, an image file or a 2-D array"
        ) from None
    frame = _checked_index(frame, source, "the series")
    name = f"the reference, frame {frame} ({source.name(frame)}),"
    try:
        image = source.read(frame)
    except FrameError as error:
        raise InputError(f"{name} cannot be used: {error}; {_advice(frame, source)}") from error
    return Reference(image, frame, name)


def _checked_index(index: int, source: FrameSource, what: str) -> int:
    if not -len(source) <= index < len(source):
        raise InputError(f"there is no frame {index} in {what}: it has {len(source)}, counted from 0")
    return index % len(source)


def _check(reference: Reference, source: FrameSource, mask: NDArray[np.bool_] | None) -> None:
    """Refuse what no frame could be registered to: better at once than as a table of failures."""
    if reference.image.dtype.kind not in "biuf":
        raise InputTypeError(f"{reference.name} holds {reference.image.dtype}; images are of real numbers")
    if reference.image.shape != tuple(source.shape):
        raise InputError(
            f"{reference.name} has shape {reference.image.shape}, the frames have {tuple(source.shape)}; "
            "crop or pad it to theirs"
        )
    values = _valid_values(reference.image, mask)
    if values.size == 0 or values.min() == values.max():
        what = "has no valid pixels" if values.size == 0 else f"is flat: every valid pixel is {values[0]}"
        raise InputError(f"{reference.name} {what}; {_advice(reference.frame, source)}")


def _valid_values(image: NDArray[Any], mask: NDArray[np.bool_] | None) -> NDArray[Any]:
    valid = ~np.ma.getmaskarray(image)
    if mask is not None:
        valid &= mask
    values = np.ma.getdata(image)[valid]
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values


def _advice(frame: int | None, source: FrameSource) -> str:
    """Return what to try instead."""
    if frame is None:
        return "try another image, or look at the mask"
    other = (frame + 1) % len(source)
    return f"try another frame, --reference {other} (reference={other}), or look at the mask"
