"""HDF5 and NeXus: one dataset, whose leading axes are the series.

Which dataset: the one that is named behind ``::``; else the one that NeXus calls the default;
else the only one with three axes or more; else the only image. Anything less clear is an
error that lists what is there.

The file is opened for each frame, as `FileFrames` promises (about a millisecond); HDF5 itself
lets one thread read at a time. Chunks that hold many frames are decoded once (`Slabs`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice, product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import MissingExtraError
from maskreg.frames.ahead import ask_for
from maskreg.frames.extras import optional_package
from maskreg.frames.formats.chunked import ChunkedFrames
from maskreg.frames.formats.slabs import Slabs, Slices
from maskreg.frames.formats.virtual import VirtualParts
from maskreg.frames.frame import REAL_KINDS
from maskreg.frames.metadata.coordinates import Coordinate, columns_of, may_belong
from maskreg.frames.navigation import Stack, as_stack, only_stack
from maskreg.frames.plain import PREALLOCATED, check_credible

_MOST_CHUNKS = 16
"""Chunks of a frame that are looked up before it is read."""

WORTH_LOOKING_UP = 2**22
"""Bytes of a frame, decoded, of which the chunks are looked up: that opens the file once more, 0.4 ms."""

_DEEPEST = 12
"""Levels of groups that are searched."""


class Hdf5Frames(ChunkedFrames):
    """The frames of one dataset of an HDF5 file."""

    names_inside = "a dataset"

    def __init__(self, path: Path, root: Path | None = None, inside: str = "") -> None:
        super().__init__(path, root, inside)
        with self._opened() as file:
            dataset = self._chosen(file)
            self._dataset = str(dataset.name)
            self._stack = as_stack(dataset.shape, dataset.dtype)
            self._check_size(dataset)
            self._load_filters(dataset)
            self._layout = f"HDF5 dataset {self._dataset}, {_described(dataset)}"
            self._columns = columns_of(self._stack, _coordinates(dataset, self._stack))
            self._slabs = Slabs(self._stack, dataset.chunks, dataset.dtype.itemsize, self._part)
            self._itemsize = dataset.dtype.itemsize
            self._offset = None if dataset.is_virtual else dataset.id.get_offset()
            axes = len(self._stack.navigation)
            self._parts = VirtualParts(dataset, axes) if dataset.is_virtual else None
            self._chunks = self._chunks_of_a_frame(dataset)

    def layout(self) -> str:
        """Return which dataset is read, its shape, type, chunks and filters."""
        return self._layout

    def others(self) -> list[Path]:
        """Return the files of a virtual dataset."""
        return [] if self._parts is None else self._parts.files()

    def soon(self, index: int) -> None:
        """Ask the system for the bytes of a frame: of its chunks, where they hold nothing else."""
        if not self._chunks:
            super().soon(index)
            return
        with suppress(Exception):  # reading says what is wrong
            for extent in self._chunks_at(self._stack.position(index)):
                ask_for(self.path, *extent)

    def _fetch(self, index: int) -> NDArray[Any]:
        if self._parts is not None:
            self._parts.ensure_there(self._stack.position(index))
        return super()._fetch(index)

    def _where(self, index: int) -> tuple[int, int] | None:
        size = prod(self._stack.frame) * self._itemsize
        return None if self._offset is None else (self._offset + index * size, size)

    def _chunks_of_a_frame(self, dataset: Any) -> list[tuple[int, int]]:
        """Return the corners of a frame's chunks; none where they are small, many, or hold many frames."""
        small = prod(self._stack.frame) * self._itemsize < WORTH_LOOKING_UP
        if small or dataset.is_virtual or not dataset.chunks or self._slabs.held:
            return []
        (rows, cols), (height, width) = self._stack.frame, dataset.chunks[-2:]
        found = list(islice(product(range(0, rows, height), range(0, cols, width)), _MOST_CHUNKS + 1))
        return found if len(found) <= _MOST_CHUNKS else []

    def _chunks_at(self, position: tuple[int, ...]) -> list[tuple[int, int]]:
        """Return where the chunks of a frame that were written begin, and how long they are, bytes."""
        with self._opened() as file:
            dataset = file[self._dataset].id
            found = [dataset.get_chunk_info_by_coord((*position, *corner)) for corner in self._chunks]
        return [(one.byte_offset, one.size) for one in found if one.byte_offset is not None]

    def _part(self, where: Slices) -> NDArray[Any]:
        with self._opened() as file:
            part: NDArray[Any] = file[self._dataset][where]
            return part

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        h5py = optional_package("h5py", package="h5py", extra="app", purpose=f"reading {self.path.name}")
        # where the file system knows no locks, none is needed to read
        with h5py.File(self.path, "r", locking="best-effort") as file:
            yield file

    def _chosen(self, file: Any) -> Any:
        if self._inside:
            return self._named(file)
        default = _nexus_default(file)
        if default is not None:
            return default
        found = dict(_datasets(file))
        facts = {name: (dataset.shape, dataset.dtype) for name, dataset in found.items()}
        return found[only_stack(facts, "datasets", self.path.name)]

    def _named(self, file: Any) -> Any:
        try:
            found = file[self._inside]
        except KeyError:
            there = ", ".join(name for name, _ in _datasets(file)) or "none"
            raise ValueError(f"it has no dataset '{self._inside}'; those with images are: {there}") from None
        if not hasattr(found, "keys"):
            return found
        default = _signal(found)
        if default is None:
            raise ValueError(f"'{self._inside}' is a group; name a dataset in it: {', '.join(found)}")
        return default

    def _check_size(self, dataset: Any) -> None:
        """Refuse shapes that no such file holds; a virtual dataset has its pixels elsewhere."""
        if not dataset.is_virtual and dataset.external is None:
            size = Path(dataset.file.filename).stat().st_size
            check_credible(prod(dataset.shape) * dataset.dtype.itemsize, size, PREALLOCATED)
            unit = dataset.chunks or self._stack.frame
            check_credible(prod(unit) * dataset.dtype.itemsize, size)

    def _load_filters(self, dataset: Any) -> None:
        """Make sure that what the dataset is compressed with can be undone."""
        import h5py

        missing = {code: name for code, name in _filters(dataset) if not h5py.h5z.filter_avail(code)}
        if not missing and not dataset.is_virtual:
            return
        with suppress(ImportError):
            import hdf5plugin  # noqa: F401 (its import adds the filters to HDF5)
        for code, name in missing.items():
            if not h5py.h5z.filter_avail(code):
                raise MissingExtraError(
                    f"{self.path.name}: {dataset.name} is compressed with HDF5 filter {code} ({name}), "
                    'which needs hdf5plugin: python -m pip install "maskreg[formats]"'
                )


def _datasets(group: Any, prefix: str = "", seen: set[Any] | None = None) -> Iterator[tuple[str, Any]]:
    """Yield the datasets below `group` that may be frames, by path, in the order of the file.

    What several links lead to comes once; links may go round in circles.
    """
    seen = set() if seen is None else seen
    for key in group if prefix.count("/") < _DEEPEST else ():
        try:
            item = group[key]
        except (KeyError, OSError):  # a link that leads nowhere
            continue
        name = f"{prefix}/{key}"
        if item.id in seen:  # equal for the same object, whatever led to it
            continue
        seen.add(item.id)
        if hasattr(item, "keys"):
            yield from _datasets(item, name, seen)
        elif getattr(item, "ndim", None) and item.ndim >= 2 and item.dtype.kind in REAL_KINDS:
            yield name, item


def _nexus_default(file: Any) -> Any | None:
    """Return the dataset that the file calls its default, by the rules of NeXus, or None."""
    group = file
    for _ in range(_DEEPEST):
        signal = _signal(group)
        if signal is not None:
            return signal
        default = _text(group.attrs.get("default"))
        if not default or not hasattr(group.get(default), "keys"):
            return None
        group = group[default]
    return None


def _signal(group: Any) -> Any | None:
    """Return the signal of an NXdata group, if it may be frames."""
    name = _text(group.attrs.get("signal"))
    signal = group.get(name) if name else None
    if signal is None or not getattr(signal, "shape", None):
        return None
    return signal if len(signal.shape) >= 2 and signal.dtype.kind in REAL_KINDS else None


def _coordinates(dataset: Any, stack: Stack) -> Iterator[Coordinate]:
    """Yield the arrays beside `dataset`, with their axis where NeXus or dimension scales tell it."""
    group, stated = dataset.parent, _stated_axes(dataset)
    for key in group:
        try:
            item = group[key]
        except (KeyError, OSError):
            continue
        if hasattr(item, "dtype") and item.shape and may_belong(item.shape, item.dtype, stack):
            values = item.asstr()[()] if item.dtype.kind == "O" and _holds_text(item) else item[()]
            if values.dtype.kind in "biufSUT" or _holds_text(item):
                yield Coordinate(key, values, stated.get(key))


def _stated_axes(dataset: Any) -> dict[str, int]:
    """Return which axis of `dataset` the arrays beside it belong to, where the file says so."""
    attributes, stated = dataset.parent.attrs, {}
    for axis, dimension in enumerate(dataset.dims):
        stated.update({scale.name.rpartition("/")[2]: axis for scale in dimension.values()})
    for axis, name in enumerate(np.atleast_1d(attributes.get("axes", []))):
        stated[_text(name)] = axis
    for key, value in attributes.items():
        if key.endswith("_indices") and np.size(value) == 1:
            stated[key.removesuffix("_indices")] = int(np.ravel(value)[0])
    return stated


def _holds_text(item: Any) -> bool:
    import h5py

    return h5py.check_string_dtype(item.dtype) is not None


def _filters(dataset: Any) -> list[tuple[int, str]]:
    """Return number and name of the filters of a dataset."""
    plist = dataset.id.get_create_plist()
    found = [plist.get_filter(place) for place in range(plist.get_nfilters())]
    return [(code, _text(name.split(b";")[0]) or "unnamed") for code, _, _, name in found]


def _described(dataset: Any) -> str:
    chunks = f", chunks {dataset.chunks}" if dataset.chunks else ""
    names = [name for _, name in _filters(dataset)]
    return f"shape {dataset.shape}, {dataset.dtype}{chunks}{', ' if names else ''}{', '.join(names)}"


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
