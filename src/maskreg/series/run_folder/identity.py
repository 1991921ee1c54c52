"""What identifies a run: everything that can change a row, and nothing else.

The names of the frames are no part of it, for a series may grow; `maskreg.series.run_folder.resume` compares
those. Nor are the values of metadata, which change no shift: rows that are done get those of now. The
reference goes by its name, because its number changes when frames arrive before it. The mean of all frames
is another reference when there are others: there names and values do count.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg._version import __version__
from maskreg.frames import FrameSource
from maskreg.frames.corrected import Calibration
from maskreg.frames.source import metadata_of
from maskreg.series.before.prepared import Prepared
from maskreg.shifts.row import one_line, plain_metadata


def identity(series: Prepared) -> dict[str, Any]:
    """Return the settings of a run, by the names that the user knows; contents as fingerprints."""
    reference = series.reference
    return {
        "maskreg": __version__,
        "shape": list(reference.image.shape),
        "dtype": str(reference.image.dtype),
        "metadata": _of_metadata(series),
        "reference": _of_reference(series),
        **({"frames_of_the_mean": _of_names(series.source)} if series.mean else {}),
        "reference_pixels": _of_array(reference.image),
        **of_inputs(series.mask, series.by),
        **asdict(series.options),
        "first_look": series.look.describe(),
    }


def of_inputs(mask: NDArray[np.bool_] | None, by: Calibration | None) -> dict[str, str | None]:
    """Return the fingerprints of a mask (True = valid), a dark and a flat."""
    calibration = {"dark": None, "flat": None} if by is None else {"dark": by.dark, "flat": by.flat}
    return {
        "mask": None if mask is None else f"{100 * (1 - mask.mean()):.1f} % ignored ({_of_array(mask)})",
        **{name: None if image is None else _of_array(image) for name, image in calibration.items()},
    }


def _of_reference(series: Prepared) -> str:
    if series.mean:
        return "mean"
    return "image" if series.reference.source is None else series.reference.source


def _of_names(source: FrameSource) -> str:
    names = [source.name(frame) for frame in range(len(source))]
    return f"{len(names)} ({_of_texts(names)})"


def _of_array(array: NDArray[Any]) -> str:
    digest = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
    digest.update(np.ascontiguousarray(np.ma.getdata(array)).view(np.uint8).data)
    digest.update(np.packbits(np.ma.getmaskarray(array)).data)
    return digest.hexdigest()[:16]


def _of_metadata(series: Prepared) -> str | None:
    """Return the columns that the user has told of; of a mean, to which none are added, all values, too."""
    source = series.source
    told = ", ".join(dict.fromkeys(map(one_line, source.told_columns)))
    if series.mean:
        rows = [plain_metadata(metadata_of(source, frame)) for frame in range(len(source))]
        if any(rows):
            told = f"{told or 'of the files'} ({_of_texts(map(json.dumps, rows))})"
    return told or None


def _of_texts(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()[:16]
