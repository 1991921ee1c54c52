"""Which image the frames of a series are registered to."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import index as as_index
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import FlatReferenceError, FrameError, InputError, InputTypeError
from maskreg.frames import FrameSource, open_frames
from maskreg.frames.corrected import CorrectedFrames
from maskreg.frames.location import split_location
from maskreg.options import Options
from maskreg.series.before.condition import frames_that_meet, is_condition, mean_of
from maskreg.shifts import source_text

log = logging.getLogger(__name__)

ImageLike = str | os.PathLike[str] | NDArray[Any]
"""An image file or a 2-D array."""

ReferenceLike = int | str | os.PathLike[str] | NDArray[Any]
"""``'first'``, ``'mean'``, the index of a frame, an image file, a 2-D array or a condition such as
``'delay<0'``."""


@dataclass(frozen=True)
class Reference:
    """The image that frames are registered to.

    Attributes
    ----------
    image : (rows, cols) array
        Its pixels.
    frame : int or None
        Its index in the series; None when it is an image of its own.
    source : str or None
        Its name in the table; None when it is an image of its own.
    name : str
        What to call it in a message.
    """

    image: NDArray[Any]
    frame: int | None
    source: str | None
    name: str


def is_mean(reference: ReferenceLike) -> bool:
    """Return whether frames are to be registered to their own mean, which begins with the first one."""
    return isinstance(reference, str) and reference == "mean"


def find_reference(
    reference: ReferenceLike,
    source: FrameSource,
    mask: NDArray[np.bool_] | None,
    options: Options | None = None,
) -> Reference:
    """Return the reference of a series, or say why it cannot be one and what to try.

    `options` say how the frames of a mean are registered to each other.
    """
    if len(source) == 0:
        raise InputError("the series has no frames")
    if isinstance(reference, np.ndarray):
        found = Reference(reference, None, None, "the array given as reference")
    elif isinstance(reference, str) and _means_condition(reference):
        found = _mean(reference, source, mask, options or Options())
    elif isinstance(reference, str | os.PathLike) and reference not in ("first", "mean"):
        _ensure_no_name(reference, source)
        _ensure_a_file(reference)
        found = Reference(read_image(reference), None, None, f"the reference {reference}")
        if isinstance(source, CorrectedFrames):
            log.warning("%s is taken as it is: dark and flat are those of the frames alone", found.name)
    else:
        found = _frame_of_series(0 if reference in ("first", "mean") else reference, source)
    _check(found, source, mask)
    return found


def image_for_mask(reference: ReferenceLike, source: FrameSource) -> NDArray[Any]:
    """Return what a mask by grey value looks at: the reference, or of a mean its first frame."""
    if isinstance(reference, str) and _means_condition(reference):
        reference = frames_that_meet(reference, source)[0]
    return find_reference(reference, source, None).image


def _means_condition(reference: str) -> bool:
    """Return whether a reference given as text is a condition, and no file that is called so."""
    # unlike Path.exists, this one takes a condition that is too long for the name of a file
    return is_condition(reference) and not os.path.exists(reference)  # noqa: PTH110


def _mean(condition: str, source: FrameSource, mask: NDArray[np.bool_] | None, options: Options) -> Reference:
    """Return the mean of the frames that meet a condition; of one such frame, that frame itself."""
    frames = frames_that_meet(condition, source)
    if len(frames) == 1:
        return _frame_of_series(frames[0], source)
    return Reference(
        mean_of(frames, source, mask, options), None, None, f"the mean of the frames with {condition}"
    )


def read_image(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Return the image in a file, or with ``FILE[3]`` the one at index 3 of a file that holds many."""
    with _opened_at(path) as (text, source, index):
        if index is None:
            raise InputError(f"{text} holds {len(source)} frames; name one of them, such as '{text}[0]'")
        return source.read(index)


def read_mean(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Return what `read_image` does, or of a stack, folder or pattern the mean of all its frames.

    For darks and flats: the noise of a single one would be in every frame, and stand still.
    """
    with _opened_at(path) as (text, source, index):
        if index is not None:
            return source.read(index)
        log.info("%s: the mean of its %d frames is taken", text, len(source))
        total = np.zeros(source.shape)
        for frame in source:
            total += frame
        return total / len(source)


@contextmanager
def _opened_at(path: str | os.PathLike[str]) -> Iterator[tuple[str, FrameSource, int | None]]:
    """Open an image file: its name, its frames, and which of these is meant; None where many are there."""
    text, index = _split_index(os.fspath(path))
    with open_frames(text) as source:
        if index is None and len(source) != 1:
            yield text, source, None
        else:
            yield text, source, _checked_index(index or 0, source, text)


_WORD = re.compile(r"\w+|[-+]?[\d.]+")
"""A single word, or a number that is no index."""


_SLIP = re.compile(r"(\w+)\s*=\s*([-+]?[\d.]+)")
"""A condition with one sign too few."""


def _ensure_a_file(reference: str | os.PathLike[str]) -> None:
    """Refuse a single word, or what is nearly a condition, that is no file: no image may be meant."""
    if not isinstance(reference, str) or Path(reference).exists():
        return
    if slip := _SLIP.fullmatch(reference):
        raise InputError(
            f"reference is '{reference}', which is no file; a condition is '{slip[1]}=={slip[2]}'"
        )
    if _WORD.fullmatch(reference):
        raise InputError(
            f"reference is '{reference}', which is no file; it is first, mean, the index of a frame "
            "(-1: the last), an image file, or a condition such as 'delay<0'"
        )


def _ensure_no_name(reference: str | os.PathLike[str], source: FrameSource) -> None:
    """Refuse what is no file and the name of a frame, with the number of that frame."""
    name = os.fspath(reference)
    file, _ = split_location(_split_index(name)[0])
    if os.path.exists(name) or os.path.exists(file):  # noqa: PTH110 (whatever was typed)
        return
    frame = next((frame for frame in range(len(source)) if source.name(frame) == name), None)
    if frame is not None:
        raise InputError(
            f"reference is '{name}', which is no file here; "
            f"the frame that is called so has the index {frame}: --reference {frame} (reference={frame})"
        )


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
            f"reference is {index!r}; it is 'first', 'mean', the index of a frame, an image file "
            "or a 2-D array"
        ) from None
    frame = _checked_index(frame, source, "the series")
    name = f"the reference, frame {frame} ({source.name(frame)}),"
    try:
        image = source.read(frame)
    except FrameError as error:
        raise InputError(f"{name} cannot be used: {error}; {_advice(frame, source)}") from error
    return Reference(image, frame, source_text(source.name(frame)), name)


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
        raise FlatReferenceError(f"{reference.name} {what}; {_advice(reference.frame, source)}")


def _valid_values(image: NDArray[Any], mask: NDArray[np.bool_] | None) -> NDArray[Any]:
    valid = ~np.ma.getmaskarray(image)
    if mask is not None:
        valid &= mask
    values = np.ma.getdata(image)[valid]
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values


def _advice(frame: int | None, source: FrameSource) -> str:
    """Return what to try instead."""
    if frame is None or len(source) == 1:
        return "try another image, or look at the mask"
    other = (frame + 1) % len(source)
    return f"try another frame, --reference {other} (reference={other}), or look at the mask"
