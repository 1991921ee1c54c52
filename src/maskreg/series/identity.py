"""What identifies a run: everything that can change its table, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg._version import __version__
from maskreg.series.prepared import Prepared


def identity(series: Prepared) -> dict[str, Any]:
    """Return the settings of a run, by the names that the user knows; contents as fingerprints."""
    source, mask, reference = series.source, series.mask, series.reference
    by = series.by
    calibration = {"dark": None, "flat": None} if by is None else {"dark": by.dark, "flat": by.flat}
    return {
        "maskreg": __version__,
        "frames": len(source),
        "shape": list(source.shape),
        "dtype": str(source.dtype),
        "frame_names": _of_texts(source.name(frame) for frame in range(len(source))),
        "reference": "image" if reference.frame is None else reference.frame,
        "reference_pixels": _of_array(reference.image),
        "mask": None if mask is None else f"{100 * (1 - mask.mean()):.1f} % ignored ({_of_array(mask)})",
        **{name: None if image is None else _of_array(image) for name, image in calibration.items()},
        **asdict(series.options),
    }


def _of_array(array: NDArray[Any]) -> str:
    digest = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
    digest.update(np.ascontiguousarray(np.ma.getdata(array)).view(np.uint8).data)
    digest.update(np.packbits(np.ma.getmaskarray(array)).data)
    return digest.hexdigest()[:16]


def _of_texts(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()[:16]
