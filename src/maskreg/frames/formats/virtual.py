"""The files in which a virtual dataset of HDF5 has its pixels.

HDF5 reads zeros where one of them is missing, which would pass for an image.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

_SAME_FILE = "."
_NUMBERED = "%"
"""In the name of files that are numbered as they come: how many there are is told by what is there."""


class VirtualParts:
    """Which files hold which places of a virtual dataset.

    Parameters
    ----------
    dataset : h5py.Dataset
    axes : int
        How many leading axes are the series.
    """

    def __init__(self, dataset: Any, axes: int) -> None:
        self._folder = Path(dataset.file.filename).parent
        parts = [
            (part.file_name, _slab(part.vspace, axes))
            for part in dataset.virtual_sources()
            if part.file_name != _SAME_FILE and _NUMBERED not in part.file_name
        ]
        self._names = [name for name, _ in parts]
        self._slabs = np.array([slab for _, slab in parts], dtype=np.float64).reshape(len(parts), 4, axes)

    def ensure_there(self, position: tuple[int, ...]) -> None:
        """Raise `ValueError` unless all files that hold something at a place of the series are there."""
        start, stride, count, block = np.moveaxis(self._slabs, 1, 0)
        # of a single block HDF5 says any stride
        steps, within = np.divmod(np.array(position) - start, np.maximum(stride, block))
        holds = ((steps >= 0) & (steps < count) & (within < block)).all(axis=1)
        for name in dict.fromkeys(self._names[place] for place in np.flatnonzero(holds)):
            if not any(path.exists() for path in self._paths(name)):
                raise ValueError(f"the file {Path(name).name}, in which its pixels are, is missing")

    def files(self) -> list[Path]:
        """Return the files; of one that is missing a place where it is looked for."""
        return [
            next((path for path in self._paths(name) if path.exists()), self._folder / name)
            for name in dict.fromkeys(self._names)
        ]

    def _paths(self, name: str) -> list[Path]:
        """Return where HDF5 looks for a file."""
        prefix = os.environ.get("HDF5_VDS_PREFIX", "").replace("${ORIGIN}", str(self._folder))
        return [Path(prefix, name), self._folder / name, self._folder / Path(name).name, Path(name)]


def _slab(space: Any, axes: int) -> tuple[tuple[int, ...], ...]:
    """Return start, stride, count and block along the leading axes of what is selected there."""
    import h5py

    if space.get_select_type() == h5py.h5s.SEL_HYPERSLABS and space.is_regular_hyperslab():
        return tuple(numbers[:axes] for numbers in space.get_regular_hyperslab())
    first, last = (ends[:axes] for ends in space.get_select_bounds())
    length = tuple(end - begin + 1 for begin, end in zip(first, last, strict=True))
    return first, length, (1,) * axes, length
