"""What identifies a run: everything that can change a row, and nothing else.

The names of the frames are no part of it, for a series may grow; `maskreg.series.resume` compares
those. The reference goes by its name, because its number changes when frames arrive before it.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg._version import __version__
from maskreg.series.prepared import Prepared


def identity(series: Prepared) -> dict[str, Any]:
    """Return the settings of a run, by the names that the user knows; contents as fingerprints."""
    mask, reference = series.mask, series.reference
    return {
        "maskreg": __version__,
        "shape": list(reference.image.shape),
        "dtype": str(reference.image.dtype),
        "reference": "image" if reference.source is None else reference.source,
        "reference_pixels": _of_array(reference.image),
        "mask": None if mask is None else f"{100 * (1 - mask.mean()):.1f} % ignored ({_of_array(mask)})",
        **asdict(series.options),
    }


def _of_array(array: NDArray[Any]) -> str:
    digest = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
    digest.update(np.ascontiguousarray(np.ma.getdata(array)).view(np.uint8).data)
    digest.update(np.packbits(np.ma.getmaskarray(array)).data)
    return digest.hexdigest()[:16]
