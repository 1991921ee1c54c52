"""Zarr v3 with OME-Zarr metadata, written in whole shards.

A shard is one file that holds many chunks. Written frame by frame it is read, decoded and written
again for every frame; so a batch of planes is a shard.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import cached_property
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import MissingExtraError
from maskreg.outputs.stack import StackWriter, part_of, to_disk


class ZarrStack(StackWriter):
    """A Zarr group with an array per layer, a chunk per plane; see `StackWriter`."""

    def _create(self) -> None:
        zarr = _zarr()
        told = self.description
        self._group = zarr.open_group(part_of(self.path), mode="w-", zarr_format=3)
        for layer in told.layers:
            self._array(layer.name, layer.dtype)
        texts = {}
        for name, values in told.coordinates.items():
            column = told.numbers(name)
            if column is not None:
                array = self._group.create_array(
                    name, shape=column.shape, dtype=column.dtype, dimension_names=(told.axis,)
                )
                array[...] = column
            else:  # Zarr v3 has no settled type for text yet
                texts[name] = [None if value is None else str(value) for value in values]
        self._group.attrs.update({**told.attributes, **texts, "ome": self._ome()})

    def _array(self, name: str, dtype: np.dtype[Any]) -> None:
        told = self.description
        axes = ("y", "x") if told.count is None else (told.axis, "y", "x")
        layout: dict[str, Any] = {"chunks": told.shape}
        if told.count is not None:
            layout = {"chunks": (1, *told.shape), "shards": (told.planes_a_batch(), *told.shape)}
        self._group.create_array(name, shape=told.full_shape(), dtype=dtype, dimension_names=axes, **layout)

    def _reopen(self, done: int) -> None:
        for layer in self.description.layers:
            shards = part_of(self.path) / layer.name / "c"
            for shard in shards.glob("*"):  # one that was not finished
                if int(shard.name) * self.description.planes_a_batch() >= done:
                    shutil.rmtree(shard)

    def _write(self, begin: int, stacks: Mapping[str, NDArray[Any]]) -> None:
        self._shards.write(begin, stacks)

    def shards(self) -> ZarrShards:
        """Return what lets other processes write whole shards."""
        return self._shards

    @cached_property
    def _shards(self) -> ZarrShards:
        return ZarrShards(part_of(self.path).absolute(), self.description.planes_a_batch())

    def _close(self) -> None:
        """Do nothing: a store holds no file open."""

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


class ZarrShards:
    """The layers of a Zarr group, of which every batch of planes is a shard, a file that one process writes.

    Parameters
    ----------
    folder : Path
        Of the group, absolute.
    planes : int
        Of a shard.
    """

    def __init__(self, folder: Path, planes: int) -> None:
        self._folder = folder
        self._planes = planes

    def __reduce__(self) -> tuple[type[ZarrShards], tuple[Path, int]]:
        return ZarrShards, (self._folder, self._planes)

    def write(self, begin: int, stacks: Mapping[str, NDArray[Any]]) -> None:
        """Write the planes from `begin` on, (n, rows, cols) for each layer, safely onto the disk."""
        for name, stack in stacks.items():
            array = self._group[name]
            single = array.ndim == 2
            where, pixels = (..., stack[0]) if single else (slice(begin, begin + len(stack)), stack)
            _to_its_end(array.__setitem__, where, pixels)
            shard = self._folder / name / "c"
            if not single:
                shard /= str(begin // self._planes)
            for file in shard.rglob("*"):  # none where every pixel has the array's fill value
                if file.is_file():
                    to_disk(file)

    @cached_property
    def _group(self) -> Any:
        return _zarr().open_group(self._folder, mode="r+", zarr_format=3)


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
