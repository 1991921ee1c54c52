"""Zarr v3 with OME-Zarr metadata, written in whole shards.

A shard is one file that holds many chunks. Written frame by frame it is read, decoded and written
again for every frame; so planes are collected until a shard is full.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from threading import Thread
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import MissingExtraError
from maskreg.outputs.stack import StackWriter, part_of

SHARD_BYTES = 64_000_000
"""About so much of a layer makes a shard, before compression; as much is held in memory."""


class ZarrStack(StackWriter):
    """A Zarr group with an array per layer, a chunk per plane; see `StackWriter`."""

    def _open(self) -> None:
        zarr = _zarr()
        told = self.description
        self._group = zarr.open_group(part_of(self.path), mode="w-", zarr_format=3)
        self._arrays = {layer.name: self._array(layer.name, layer.dtype) for layer in told.layers}
        self._filling: list[Mapping[str, NDArray[Any]]] = []
        self._begin = 0
        texts = {}
        for name, values in told.coordinates.items():
            column = np.asarray(values)
            if column.dtype.kind in "biuf":
                array = self._group.create_array(
                    name, shape=column.shape, dtype=column.dtype, dimension_names=(told.axis,)
                )
                array[...] = column
            else:  # Zarr v3 has no settled type for text yet
                texts[name] = [None if value is None else str(value) for value in values]
        self._group.attrs.update({**told.attributes, **texts, "ome": self._ome()})

    def _array(self, name: str, dtype: np.dtype[Any]) -> Any:
        told = self.description
        axes = ("y", "x") if told.count is None else (told.axis, "y", "x")
        layout: dict[str, Any] = {"chunks": told.shape}
        if told.count is not None:
            layout = {"chunks": (1, *told.shape), "shards": (self._planes_a_shard(), *told.shape)}
        return self._group.create_array(
            name, shape=told.full_shape(), dtype=dtype, dimension_names=axes, **layout
        )

    def _planes_a_shard(self) -> int:
        """Return how many planes a shard holds; all layers have the same, so that they are full at once."""
        rows, cols = self.description.shape
        largest = max(layer.dtype.itemsize for layer in self.description.layers)
        return max(1, min(self.description.planes, SHARD_BYTES // (rows * cols * largest)))

    def _append(self, number: int, planes: Mapping[str, NDArray[Any]]) -> None:
        self._filling.append(planes)
        if len(self._filling) == self._planes_a_shard():
            self._write_shard()

    def _write_shard(self) -> None:
        if not self._filling:
            return
        end = self._begin + len(self._filling)
        for name, array in self._arrays.items():
            planes = [filled[name] for filled in self._filling]
            if self.description.count is None:
                _to_its_end(array.__setitem__, ..., planes[0])
            else:
                _to_its_end(array.__setitem__, slice(self._begin, end), np.stack(planes))
        self._begin, self._filling = end, []

    def _finish(self) -> None:
        if self._written == self.description.planes:
            self._write_shard()

    def _ome(self) -> dict[str, Any]:
        """Return the metadata that make every layer an image of the OME-Zarr specification, version 0.5."""
        axes = [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
        if self.description.count is not None:
            axes.insert(0, {"name": self.description.axis, "type": "time"})
        scale = [{"type": "scale", "scale": [1.0] * len(axes)}]
        return {
            "version": "0.5",
            "multiscales": [
                {
                    "name": layer.name,
                    "axes": axes,
                    "datasets": [{"path": layer.name, "coordinateTransformations": scale}],
                }
                for layer in self.description.layers
            ],
        }


def _to_its_end(task: Callable[..., None], *arguments: Any) -> None:
    """Do a task to its end, also when interrupted: Zarr's own threads would go on writing after us."""
    future: Future[None] = Future()

    def work() -> None:
        try:
            task(*arguments)
            future.set_result(None)
        except BaseException as error:
            future.set_exception(error)

    thread = Thread(target=work, name="maskreg-shard")
    thread.start()
    try:
        thread.join()
    except BaseException:
        thread.join()  # a shard takes a part of a second
        raise
    future.result()


def _zarr() -> ModuleType:
    try:
        import zarr
    except ImportError as error:
        raise MissingExtraError(
            'Zarr output needs zarr: python -m pip install "maskreg[app]"; or write TIFF'
        ) from error
    module: ModuleType = zarr
    return module
