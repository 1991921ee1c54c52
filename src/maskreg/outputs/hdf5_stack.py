"""HDF5: a dataset per layer, planes one after another in the file."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

from maskreg.errors import MissingExtraError
from maskreg.outputs.description import Layer
from maskreg.outputs.flat_stack import FlatStack, Place
from maskreg.outputs.stack import part_of


class Hdf5Stack(FlatStack):
    """An HDF5 file with a dataset per layer; see `FlatStack`."""

    def _make_files(self) -> None:
        h5py = _h5py()
        told = self.description
        with part_of(self.path).open("wb") as stream:
            stream.truncate(self._nbytes())  # HDF5 crashes where a file may not become so long
        with h5py.File(part_of(self.path), "w") as file:
            file.attrs.update({name: json.dumps(value) for name, value in told.attributes.items()})
            file.attrs["signal"] = told.layers[0].name  # by which NeXus names what is meant by the file alone
            for layer in told.layers:
                self._make_dataset(file, layer)
            for name, values in told.coordinates.items():
                column = told.numbers(name)
                if column is None:
                    texts = ["" if value is None else str(value) for value in values]
                    file.create_dataset(name, data=texts, dtype=h5py.string_dtype(), track_times=False)
                else:
                    file.create_dataset(name, data=column, track_times=False)

    def _make_dataset(self, file: Any, layer: Layer) -> None:
        """Make a dataset that has its place in the file at once, and whose pixels come later."""
        h5py = _h5py()
        early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        early.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        early.set_obj_track_times(False)
        shape = self.description.full_shape()
        file.create_dataset(layer.name, shape, layer.dtype, dcpl=early, track_times=False)

    def _places(self) -> dict[str, Place]:
        part = part_of(self.path)
        with _h5py().File(part, "r", locking="best-effort") as file:
            return {
                layer.name: Place(part, file[layer.name].id.get_offset()) for layer in self.description.layers
            }


def _h5py() -> ModuleType:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(
            'HDF5 output needs h5py: python -m pip install "maskreg[app]"; or write TIFF'
        ) from error
    module: ModuleType = h5py
    return module
