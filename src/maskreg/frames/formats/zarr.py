"""Zarr, format 2 and 3: one array of a store, whose leading axes are the series.

Which array: the one that is named behind ``::``; the store itself if it is an array; the full
resolution of an OME-Zarr image; else the only one with three axes or more; else the only
image. A chunk that is not there is the array's fill value, by the rules of Zarr.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from maskreg.frames.extras import optional_package
from maskreg.frames.formats.chunked import ChunkedFrames
from maskreg.frames.formats.slabs import Slabs
from maskreg.frames.frame import REAL_KINDS
from maskreg.frames.metadata.coordinates import Coordinate, columns_of, may_belong
from maskreg.frames.navigation import Stack, about_channels, as_stack, only_stack
from maskreg.frames.plain import ALWAYS_FINE, PREALLOCATED, check_credible


class ZarrFrames(ChunkedFrames):
    """The frames of one array of a Zarr store in a folder."""

    names_inside = "an array"

    def __init__(self, path: Path, root: Path | None = None, inside: str = "") -> None:
        super().__init__(path, root, inside)
        zarr = optional_package("zarr", package="zarr", extra="app", purpose=f"reading {path.name}")
        node = zarr.open(str(path), mode="r")
        group = node if hasattr(node, "members") else None
        self._array = node if group is None else self._chosen(group)
        self._stack = as_stack(self._array.shape, self._array.dtype)
        self._check_size()
        self._slabs = Slabs(
            self._stack, self._array.chunks, self._array.dtype.itemsize, self._array.__getitem__
        )
        beside = _group_of(self._array, group)
        self._columns = columns_of(self._stack, _coordinates(self._array, self._stack, beside))
        self.notice = about_channels(_axes(self._array, beside), self._array.shape)

    def layout(self) -> str:
        """Return which array is read, its shape, type and chunks."""
        array = self._array
        name, shards = array.path or "/", f", shards {array.shards}" if array.shards else ""
        return (
            f"Zarr v{array.metadata.zarr_format} array {name}, shape {array.shape}, {array.dtype}, "
            f"chunks {array.chunks}{shards}"
        )

    def _chosen(self, group: Any) -> Any:
        if self._inside:
            return self._named(group)
        level = _full_resolution(group)
        if level is not None:
            return level
        found = _arrays(group)
        facts = {f"/{name}": (array.shape, array.dtype) for name, array in found.items()}
        return found[only_stack(facts, "arrays", self.path.name)[1:]]

    def _named(self, group: Any) -> Any:
        try:
            found = group[self._inside.strip("/")]
        except KeyError:
            there = ", ".join(f"/{name}" for name in _arrays(group)) or "none"
            raise ValueError(f"it has no array '{self._inside}'; those with images are: {there}") from None
        if not hasattr(found, "members"):
            return found
        level = _full_resolution(found)
        if level is None:
            raise ValueError(f"'{self._inside}' is a group; name an array in it: {', '.join(found)}")
        return level

    def _check_size(self) -> None:
        """Refuse shapes and chunks that no such store holds; it is weighed only when they are large."""
        array, itemsize = self._array, self._array.dtype.itemsize
        unit = max(prod(array.chunks), prod(self._stack.frame)) * itemsize
        whole = prod(array.shape) * itemsize
        if max(unit, whole) > ALWAYS_FINE:
            size = sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())
            check_credible(whole, size, PREALLOCATED)
            check_credible(unit, size)


def _arrays(group: Any) -> dict[str, Any]:
    """Return the arrays below `group` that may be frames, by path."""
    members = group.members(max_depth=None)
    arrays = {name: item for name, item in sorted(members) if not hasattr(item, "members")}
    return {
        name: array for name, array in arrays.items() if array.ndim >= 2 and array.dtype.kind in REAL_KINDS
    }


def _full_resolution(group: Any) -> Any | None:
    """Return the first level of the first OME-Zarr image of `group`, or None."""
    attributes: Mapping[str, Any] = dict(group.attrs)
    images = attributes.get("ome", attributes).get("multiscales")
    try:
        return group[images[0]["datasets"][0]["path"]] if images else None
    except (KeyError, IndexError, TypeError):
        return None


def _axes(array: Any, group: Any | None) -> list[str]:
    """Return the names of the axes, as the array has them or its OME-Zarr image; none where nothing fits."""
    attributes: Mapping[str, Any] = {} if group is None else dict(group.attrs)
    images = attributes.get("ome", attributes).get("multiscales")
    try:
        told = [axis["name"] for axis in images[0]["axes"]] if images else []
    except (KeyError, IndexError, TypeError):
        told = []
    names = told or _dimension_names(array)
    return [str(name) for name in names] if len(names) == array.ndim else []


def _group_of(array: Any, top: Any | None) -> Any | None:
    """Return the group that `array` lies in, or None for an array that is the store itself."""
    parent = array.path.rpartition("/")[0]
    return top[parent] if top is not None and parent else top


def _coordinates(array: Any, stack: Stack, group: Any | None) -> Iterator[Coordinate]:
    """Yield the arrays beside `array`, with their axis where the dimensions have names."""
    if group is None:
        return
    dimensions = _dimension_names(array)
    for name, item in sorted(group.arrays()):
        if item.path != array.path and may_belong(item.shape, item.dtype, stack):
            own = _dimension_names(item)
            named = own[0] if len(own) == 1 else name
            yield Coordinate(
                name, np.asarray(item[...]), dimensions.index(named) if named in dimensions else None
            )


def _dimension_names(array: Any) -> list[str]:
    """Return the names of the axes: of format 3, or as xarray writes them in format 2."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS", [])
    return list(names)
