"""HDF5: a dataset per layer, planes one after another in the file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import MissingExtraError
from maskreg.outputs.stack import Layer, StackWriter, part_of


class Hdf5Stack(StackWriter):
    """An HDF5 file with a dataset per layer; see `StackWriter`."""

    def _open(self) -> None:
        h5py = _h5py()
        told = self.description
        self._file = h5py.File(part_of(self.path), "w")
        self._file.attrs.update({name: json.dumps(value) for name, value in told.attributes.items()})
        self._datasets = {layer.name: self._dataset(layer) for layer in told.layers}
        for name, values in told.coordinates.items():
            column = np.asarray(values)
            if column.dtype.kind not in "biuf":
                texts = ["" if value is None else str(value) for value in values]
                self._file.create_dataset(name, data=texts, dtype=h5py.string_dtype(), track_times=False)
            else:
                self._file.create_dataset(name, data=column, track_times=False)

    def _dataset(self, layer: Layer) -> Any:
        told = self.description
        # images of noise do not get smaller; a mask does, to nearly nothing
        packed: dict[str, Any] = {}
        if layer.dtype == np.bool_:
            packed = {
                "compression": "gzip",
                "compression_opts": 1,
                "chunks": (1,) * (told.count is not None) + told.shape,
            }
        return self._file.create_dataset(
            layer.name, told.full_shape(), layer.dtype, track_times=False, **packed
        )

    def _append(self, number: int, planes: Mapping[str, NDArray[Any]]) -> None:
        for name, dataset in self._datasets.items():
            dataset[... if self.description.count is None else number] = planes[name]

    def _finish(self) -> None:
        self._file.close()


def _h5py() -> ModuleType:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(
            'HDF5 output needs h5py: python -m pip install "maskreg[app]"; or write TIFF'
        ) from error
    module: ModuleType = h5py
    return module
