"""The contract of every writer of images: planes come in order, and the output appears whole.

Planes are written in batches, and a journal says which of them are on the disk. So a writer that
was stopped, by whatever, goes on behind its last whole batch when the same is written again, and
ends in the same bytes.

A new format implements five small methods, `_files`, `_create`, `_reopen`, `_write` and `_close`,
and is a line in `_WRITERS`. What a user may rely on (an existing output is kept unless told
otherwise, nothing half-written has a final name, every plane that was announced is there) is done
once, here.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import InputError, RunError, not_written
from maskreg.outputs.description import Description
from maskreg.outputs.journal import Journal

log = logging.getLogger(__name__)

_WRITERS = {
    ".zarr": "maskreg.outputs.zarr_stack:ZarrStack",
    ".h5": "maskreg.outputs.hdf5_stack:Hdf5Stack",
    ".hdf5": "maskreg.outputs.hdf5_stack:Hdf5Stack",
    ".tif": "maskreg.outputs.tiff_stack:TiffStack",
    ".tiff": "maskreg.outputs.tiff_stack:TiffStack",
}

STACK_SUFFIXES = tuple(_WRITERS)
"""How the name of an output of images may end."""


class Shards(Protocol):
    """Batches of planes that any process may write, each batch one process; it can be sent to others."""

    def write(self, begin: int, stacks: Mapping[str, NDArray[Any]]) -> None:
        """Write the planes from `begin` on, (n, rows, cols) for each layer, safely onto the disk."""


class StackWriter(ABC):
    """Writes planes of images; a context manager, after which the output has its name or is not there.

    What was begun before and stopped is gone on with: the planes from `done` on are to be written.

    Parameters
    ----------
    path : Path
        The output. Until it is whole everything is in ``NAME.part`` beside it, and its journal in
        ``NAME.part.journal``.
    description : Description
        What will be written.
    overwrite : bool
        Replace what has this name already, at the end.
    """

    def __init__(self, path: Path, description: Description, *, overwrite: bool = False) -> None:
        self.path = path
        self.description = description
        self._overwrite = overwrite
        self._waiting: list[tuple[Mapping[str, NDArray[Any]], str]] = []

    @abstractmethod
    def _create(self) -> None:
        """Make the parts, with all that is not pixels, and open them for writing."""

    @abstractmethod
    def _reopen(self, done: int) -> None:
        """Open the parts for writing; whatever is in them from plane `done` on does not count."""

    @abstractmethod
    def _write(self, begin: int, stacks: Mapping[str, NDArray[Any]]) -> None:
        """Write the planes from `begin` on, (n, rows, cols) for each layer, safely onto the disk."""

    @abstractmethod
    def _close(self) -> None:
        """Close the parts; also called when they were never opened."""

    def _files(self) -> dict[Path, Path]:
        """Return what is written and the names it gets at the end, the most important one last."""
        return {part_of(self.path): self.path}

    @property
    def done(self) -> int:
        """How many planes have been written, in earlier sittings too."""
        return self._journal.done + len(self._waiting)

    @property
    def notes(self) -> list[str]:
        """What was said of the planes that are done, in their order."""
        return [*self._journal.notes, *(note for _, note in self._waiting)]

    def keep(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep what is needed to go on within the next plane; it is gone once that is written."""
        with self._told():
            new = self._scratch.with_name(f"{self._scratch.name}.new")
            with new.open("wb") as stream:
                np.savez(stream, allow_pickle=False, plane=self.done, **arrays)
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(self._scratch)

    def kept(self) -> Mapping[str, NDArray[Any]] | None:
        """Return what was kept for the next plane, or None."""
        if not self._scratch.exists():
            return None
        with np.load(self._scratch) as file:
            return dict(file) if int(file["plane"]) == self.done else None

    @property
    def _scratch(self) -> Path:
        return self.path.with_name(f"{self.path.name}.part.scratch")

    def write(self, planes: Mapping[str, NDArray[Any]], note: str = "") -> None:
        """Write the next plane: an image (rows, cols) for every layer."""
        self._waiting.append((planes, note))
        if len(self._waiting) == self.description.planes_a_batch():
            self._write_batch()

    def shards(self) -> Shards | None:
        """Return what lets other processes write whole batches; None when one process must write all.

        Batches begin at `batches`; who has them written tells `written`, in their order.
        """
        return None

    def batches(self) -> list[tuple[int, int]]:
        """Return the first plane of each batch that is to be written, and the one behind its last."""
        step, planes = self.description.planes_a_batch(), self.description.planes
        return [(begin, min(begin + step, planes)) for begin in range(self.done, planes, step)]

    def written(self, planes: int, note: str = "") -> None:
        """Take note of the next planes, a batch, which another process has written."""
        with self._told():
            self._journal.add(self.done + planes, note)

    def __enter__(self) -> Self:
        if not self.path.absolute().parent.is_dir():  # some formats would make it
            raise RunError(f"cannot write {self.path}: there is no folder {self.path.absolute().parent}")
        with self._told():
            self._journal = Journal(self.path.with_name(f"{self.path.name}.part.journal"), self.path)
            try:
                self._begin()
            except BaseException:
                self._end(keep=self._is_begun())
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        useless = False  # what is there cannot be gone on with, or is the output
        try:
            if kind is None:
                self._write_batch()
                useless = self.done != self.description.planes
                with self._told():
                    self._close()
                    self._name()
                useless = True
        finally:
            self._end(keep=not useless and self._is_begun())

    def _is_begun(self) -> bool:
        """Return whether there is something to go on with."""
        return self._journal.done > 0 or self._scratch.exists()

    def _begin(self) -> None:
        """Open what was begun before, if it can be gone on with, or make the parts anew."""
        told, journal, files = self.description.digest(), self._journal, self._files()
        begun = journal.made_of == told
        named = begun and journal.done == self.description.planes  # stopped while names were given
        for part, final in files.items():
            if final.exists() and not self._overwrite and not (named and not part.exists()):
                raise RunError(f"{final} exists; take another name, or --overwrite (overwrite=True)")
            begun = begun and (part.exists() or (named and final.exists()))
        if begun and named:
            return
        if begun:
            log.info(
                "%s: %d of %d planes are there; going on", self.path, journal.done, self.description.planes
            )
            self._reopen(journal.done)
            return
        if journal.done:
            log.warning("%s: what was begun is of other frames or settings, and is made anew", self.path)
        journal.forget()
        self._clear()
        self._create()
        journal.begin(told)

    def _write_batch(self) -> None:
        """Write what has come since the last batch."""
        if not self._waiting:
            return
        begin, planes = self._journal.done, [planes for planes, _ in self._waiting]
        with self._told():
            self._write(begin, {name: np.stack([each[name] for each in planes]) for name in planes[0]})
            self._journal.add(begin + len(planes), "".join(note for _, note in self._waiting))
        self._waiting = []

    def _name(self) -> None:
        """Give the parts their names."""
        if self.done != self.description.planes:
            raise RunError(
                f"{self.path}: {self.done} of {self.description.planes} planes came; nothing is kept"
            )
        for part, final in self._files().items():
            if not part.exists():  # it has its name from an earlier sitting
                continue
            if final.is_dir():  # a folder cannot be replaced by renaming another one onto it
                _remove(final)
            part.replace(final)

    def _clear(self) -> None:
        """Remove all that is not the output."""
        for part in (*self._files(), self._scratch, self._scratch.with_name(f"{self._scratch.name}.new")):
            _remove(part)

    def _end(self, *, keep: bool) -> None:
        """Let go of everything, and clear away what cannot be gone on with."""
        with self._told():
            self._close()
        if not keep:
            self._clear()
        self._journal.close(remove=not keep)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say in one line why the output cannot be written."""
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise not_written(self.path, error) from error


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
        raise InputError(f"{file}: images are written as {', '.join(STACK_SUFFIXES)}; name it so")
    module, name = _WRITERS[suffix].split(":")
    writer: StackWriter = getattr(import_module(module), name)(file, description, overwrite=overwrite)
    return writer


def sibling(path: Path, name: str, suffix: str | None = None) -> Path:
    """Return the file beside `path` called after it: of ``merged.tif`` and ``mean``, ``merged_mean.tif``."""
    return path.with_name(f"{path.stem}_{name}{path.suffix if suffix is None else suffix}")


def part_of(path: Path) -> Path:
    """Return the name that `path` has while it is written."""
    return path.with_name(f"{path.name}.part")


def to_disk(path: Path) -> None:
    """Force what was written to a file to the disk."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
