"""The aligned frames as Dask and xarray know arrays: nothing is read before it is computed."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from maskreg.apply.aligned import AlignedFrames
from maskreg.apply.write import table_coordinates
from maskreg.errors import MissingExtraError


def as_dask(aligned: AlignedFrames) -> tuple[Any, Any]:
    """Return frames and validity as two Dask arrays (n, rows, cols), a chunk a frame."""
    delayed = _imported("dask", "dask")
    array = _imported("dask.array", "dask")
    both = [delayed.delayed(aligned.__getitem__, nout=2, pure=False)(i) for i in range(len(aligned))]
    stacks = []
    for part, dtype in ((0, aligned.dtype), (1, np.dtype(np.bool_))):
        planes = [array.from_delayed(pair[part], aligned.shape, dtype) for pair in both]
        stacks.append(array.stack(planes))
    return stacks[0], stacks[1]


def as_xarray(aligned: AlignedFrames) -> Any:
    """Return a Dataset of ``frames`` and ``valid`` (frame, y, x), the table's columns along the frames."""
    xarray = _imported("xarray", "xarray")
    frames, valid = as_dask(aligned)
    axes = ("frame", "y", "x")
    columns = {name: ("frame", values) for name, values in table_coordinates(aligned.table).items()}
    return xarray.Dataset({"frames": (axes, frames), "valid": (axes, valid)}, coords=columns)


def _imported(module: str, package: str) -> ModuleType:
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f'a lazy view needs {package}: python -m pip install "maskreg[dask]"'
        ) from error
