"""The contract of every writer of images: planes come in order, and the output appears whole.

A new format implements three methods, `_open`, `_append` and `_finish`, and is a line in `_WRITERS`.
What a user may rely on (an existing output is kept unless told otherwise, nothing half-written
has a final name, every plane that was announced is there) is done once, here.
"""

from __future__ import annotations

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import InputError, RunError

Coordinate = Sequence[Any]

_WRITERS = {
    ".zarr": "maskreg.outputs.zarr_stack:ZarrStack",
    ".h5": "maskreg.outputs.hdf5_stack:Hdf5Stack",
    ".hdf5": "maskreg.outputs.hdf5_stack:Hdf5Stack",
    ".tif": "maskreg.outputs.tiff_stack:TiffStack",
    ".tiff": "maskreg.outputs.tiff_stack:TiffStack",
}


@dataclass(frozen=True)
class Layer:
    """One of the images that every plane consists of: its name and the type of its pixels."""

    name: str
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Description:
    """What is written.

    Attributes
    ----------
    layers : tuple of Layer
        The images of a plane.
    shape : (rows, cols)
        Of each of them.
    count : int or None
        How many planes; None for a single one, which then has no axis of its own.
    axis : str
        What the planes are, by one word: ``frame``, ``delay``.
    coordinates : dict
        By name, a value a plane: numbers or text.
    attributes : dict
        What else to keep beside the images, as JSON has it.
    """

    layers: tuple[Layer, ...]
    shape: tuple[int, int]
    count: int | None
    axis: str = "frame"
    coordinates: Mapping[str, Coordinate] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def planes(self) -> int:
        """How many planes there are."""
        return 1 if self.count is None else self.count

    def full_shape(self) -> tuple[int, ...]:
        """Return the shape of a layer with all its planes."""
        return self.shape if self.count is None else (self.count, *self.shape)


class StackWriter(ABC):
    """Writes planes of images; a context manager, after which the output has its name or is not there.

    Parameters
    ----------
    path : Path
        The output. Until it is whole everything is in ``NAME.part`` beside it.
    description : Description
        What will be written.
    overwrite : bool
        Replace what has this name already, at the end.
    """

    def __init__(self, path: Path, description: Description, *, overwrite: bool = False) -> None:
        self.path = path
        self.description = description
        self._written = 0
        for final in self._files().values():
            if final.exists() and not overwrite:
                raise RunError(f"{final} exists; take another name, or --overwrite (overwrite=True)")

    @abstractmethod
    def _open(self) -> None:
        """Open the parts for writing."""

    @abstractmethod
    def _append(self, number: int, planes: Mapping[str, NDArray[Any]]) -> None:
        """Write the images of plane `number`, by layer."""

    @abstractmethod
    def _finish(self) -> None:
        """Write what is left and close the parts; called after failures too, then only to let go."""

    def _files(self) -> dict[Path, Path]:
        """Return what is written and the names it gets at the end, the most important one last."""
        return {part_of(self.path): self.path}

    def write(self, planes: Mapping[str, NDArray[Any]]) -> None:
        """Write the next plane: an image (rows, cols) for every layer."""
        self._append(self._written, planes)
        self._written += 1

    def __enter__(self) -> Self:
        if not self.path.absolute().parent.is_dir():  # some formats would make it
            raise RunError(f"cannot write {self.path}: there is no folder {self.path.absolute().parent}")
        for part in self._files():
            _remove(part)
        try:
            self._open()
        except OSError as error:
            raise RunError(f"cannot write {self.path}: {error.strerror or error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._finish()
            if kind is None:
                self._name()
        except OSError as problem:
            raise RunError(f"cannot write {self.path}: {problem.strerror or problem}") from problem
        finally:
            for part in self._files():
                _remove(part)

    def _name(self) -> None:
        """Give the parts their names."""
        if self._written != self.description.planes:
            raise RunError(
                f"{self.path}: {self._written} of {self.description.planes} planes came; nothing is kept"
            )
        for part, final in self._files().items():
            if final.is_dir():  # a folder cannot be replaced by renaming another one onto it
                _remove(final)
            part.replace(final)


def open_stack(
    path: str | os.PathLike[str], description: Description, *, overwrite: bool = False
) -> StackWriter:
    """Return the writer for a file name: ``.zarr``, ``.h5``, ``.hdf5``, ``.tif`` or ``.tiff``.

    Raises
    ------
    InputError
        When the suffix is another one.
    RunError
        When the output exists and is not to be overwritten.
    MissingExtraError
        When the package that writes this format is not installed.
    """
    file = Path(path)
    suffix = file.suffix.lower()
    if suffix not in _WRITERS:
        raise InputError(f"{file}: images are written as {', '.join(_WRITERS)}, not '{file.suffix}'")
    module, name = _WRITERS[suffix].split(":")
    writer: StackWriter = getattr(import_module(module), name)(file, description, overwrite=overwrite)
    return writer


def sibling(path: Path, name: str, suffix: str | None = None) -> Path:
    """Return the file beside `path` called after it: of ``merged.tif`` and ``mean``, ``merged_mean.tif``."""
    return path.with_name(f"{path.stem}_{name}{path.suffix if suffix is None else suffix}")


def part_of(path: Path) -> Path:
    """Return the name that `path` has while it is written."""
    return path.with_name(f"{path.name}.part")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
