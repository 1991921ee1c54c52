"""What a run was made of, kept in its folder, so that the frames can be read again later.

``inputs/where.json`` says where the frames are and what the user typed, ``inputs/valid_mask.tif`` holds
the mask, ``inputs/reference.npy`` the reference as the frames are registered to it, ``inputs/dark.npy``
and ``inputs/flat.npy`` the calibration. None of it identifies the run (contents do, by fingerprints in
the record): a run may be moved, with its frames or without.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import FrameError, InputError, RunError, first_of
from maskreg.frames import FrameSource
from maskreg.frames.corrected import Calibration, calibration
from maskreg.frames.registry import open_file
from maskreg.masks import load_mask, save_mask
from maskreg.outputs import atomic_write, atomic_write_bytes, sibling
from maskreg.series.before.prepared import Prepared
from maskreg.series.frames import open_described
from maskreg.series.run_folder.named import file_of, location_of
from maskreg.series.run_folder.origin import Origin
from maskreg.series.run_folder.unchanged import files_changed_since
from maskreg.shifts import ShiftTable
from maskreg.shifts.row import source_text

RECORD = "run.sqlite"
FOLDER = "inputs"
WHERE = "where.json"
MASK = "valid_mask.tif"
REFERENCE = "reference.npy"

OPEN = 8
"""Files of which the places of the frames are remembered."""

Named = tuple[FrameSource, dict[str, int]]
"""Frames, and the index of each name among them."""

_GONE = (
    "is not among the frames of the input any more; bring it back, "
    "or leave it out: a line with its name in excluded.txt, in the run folder"
)


def keep_inputs(run: Path, series: Prepared, origin: Origin | None) -> None:
    """Write down in the run folder what it is made of."""
    folder, by = run / FOLDER, series.by
    folder.mkdir(exist_ok=True)
    reference = series.reference.image
    _keep_array(folder / REFERENCE, np.ma.filled(reference, 0) if np.ma.isMA(reference) else reference)
    _keep_array(folder / "dark.npy", None if by is None else by.dark)
    _keep_array(folder / "flat.npy", None if by is None else by.flat)
    if series.mask is None:
        (folder / MASK).unlink(missing_ok=True)
    else:
        save_mask(folder / MASK, series.mask)
    root = None if series.source.root is None else series.source.root.absolute()
    where = {
        "relative": root and _seen_from(run, root),
        "absolute": root and root.as_posix(),
        "origin": origin and asdict(origin),
    }
    with atomic_write(folder / WHERE) as stream:
        json.dump(where, stream, indent=1)


def kept_mask(run: Path) -> NDArray[np.bool_] | None:
    """Return the mask of a run, True = valid; None when it has none."""
    file = run / FOLDER / MASK
    return load_mask(file) if file.is_file() else None


def kept_reference(run: Path) -> NDArray[Any] | None:
    """Return the image that the frames of a run are registered to (corrected, where they are)."""
    return _kept_array(run / FOLDER / REFERENCE)


def kept_calibration(run: Path, shape: Sequence[int]) -> Calibration | None:
    """Return dark and flat of a run, whose frames have this shape."""
    dark, flat = (_kept_array(run / FOLDER / name) for name in ("dark.npy", "flat.npy"))
    rows, cols = shape
    return calibration(dark, flat, (rows, cols))


def kept_origin(run: Path) -> Origin | None:
    """Return what the user typed to make a run; None when nobody wrote it down."""
    told = _where(run).get("origin")
    return Origin(**told) if told else None


class FramesOfRun(FrameSource):
    """The frames of a run, found again by their names; a file is opened when a frame of it is read.

    The index of a frame is its number in the table; of a run that is being written there may be
    numbers without a frame yet.

    Parameters
    ----------
    run : Path
        The run folder.
    table : ShiftTable
        Its rows, which name the frames.
    frames : optional
        Where they are now, as `maskreg.align` takes them; by default where they were.
    unusable : str
        Why none may be read, if that is so.
    """

    def __init__(self, run: Path, table: ShiftTable, frames: Any = None, *, unusable: str = "") -> None:
        self.run = run
        self._given = frames
        self._unusable = unusable
        self._file = lru_cache(OPEN)(self._open)
        self.renew(table)

    def renew(self, table: ShiftTable) -> None:
        """Take the names from a newer table of the same run."""
        self._names = {row.frame: row.source for row in table}

    def __len__(self) -> int:
        return max(self._names, default=0) + 1

    def name(self, index: int) -> str:
        """Return the frame's name in the table."""
        return self._names.get(index, f"frame {index}")

    @property
    def folder(self) -> Path | None:
        """The folder that the files are in now."""
        return self._root if self._given is None else self._elsewhere[0].folder

    def describe_changes(self) -> str:
        """Return one line about files that have changed since they were registered; '' if none has."""
        folder = self.folder
        record = self.run / RECORD
        if folder is None or not record.is_file():
            return ""
        changed = files_changed_since(record, folder, self._names.values(), with_times=self._given is None)
        if not changed:
            return ""
        who = first_of(changed, " has", " have")
        return (
            f"{who} changed since the shifts were found; unless frames were only added, or copied, "
            "these are the shifts of others: give the command of align again"
        )

    def __getstate__(self) -> dict[str, Any]:
        if self._given is None:
            _ = self._root  # found here: another process may not see the run folder
        return {name: value for name, value in self.__dict__.items() if name != "_file"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _file=lru_cache(OPEN)(self._open))

    def _fetch(self, index: int) -> Any:
        if self._unusable:
            raise RunError(self._unusable)
        if index not in self._names:
            raise FrameError(f"frame {index}: is not registered yet")
        name = self._names[index]
        source, places = self._file(file_of(name)) if self._given is None else self._elsewhere
        if name not in places:
            raise FrameError(f"{name}: {_GONE}")
        return source.load(places[name])

    def _open(self, file: str) -> Named:
        location = location_of(self._root / file)
        if not location.path.exists():
            raise FrameError(f"{file}: {_GONE}")
        return _named(open_file(location, self._root))

    @cached_property
    def _elsewhere(self) -> Named:
        return _named(open_described(self._given))

    @cached_property
    def _root(self) -> Path:
        """The folder in which the frames are: seen from the run, or where it was."""
        where = _where(self.run)
        absolute = where.get("absolute")
        roots = [self.run.absolute() / str(where["relative"]), Path(absolute)] if absolute else []
        files = dict.fromkeys(map(file_of, self._names.values()))
        for root in roots:
            if any(location_of(root / file).path.exists() for file in files):
                return root
        why = f"{absolute} does not hold them" if absolute else "they were arrays in memory"
        raise RunError(
            f"{self.run}: its frames cannot be found ({why}); say where they are: "
            "--input INPUT, or open_run(run, frames=...)"
        )


def ensure_no_input(
    output: str | os.PathLike[str], layers: Iterable[str], source: FrameSource, table: ShiftTable
) -> None:
    """Refuse to replace a file that frames are read from: nothing would be left of them.

    Raises
    ------
    InputError
        When `output`, or a file beside it for one of its layers, is there, and frames that `table` names
        are in it.
    """
    path = Path(output)
    written = [file for file in (path, *(sibling(path, layer) for layer in layers)) if file.exists()]
    if not written or (folder := source.folder) is None:
        return
    for read in {location_of(folder / file).path for file in {file_of(row.source) for row in table}}:
        for file in written:
            if read.exists() and read.samefile(file):
                raise InputError(f"{file} holds the frames that are to be moved; take another name")


def _seen_from(run: Path, root: Path) -> str:
    """Return the way from a run folder to a root, which also leads there where the run folder is a link."""
    return Path(os.path.relpath(root.parent.resolve() / root.name, run.resolve())).as_posix()


def _named(source: FrameSource) -> Named:
    return source, {source_text(source.name(index)): index for index in range(len(source))}


def _where(run: Path) -> dict[str, Any]:
    """Return what is written down of where a run came from."""
    file = run / FOLDER / WHERE
    try:
        told: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    except (ValueError, OSError) as error:
        raise RunError(f"{file} cannot be read ({error}); give the command of align again") from error
    return told


def _keep_array(file: Path, array: NDArray[Any] | None) -> None:
    """Write an array under its final name when it is whole; no array, no file."""
    if array is None:
        file.unlink(missing_ok=True)
        return
    with atomic_write_bytes(file) as stream:
        np.save(stream, array)


def _kept_array(file: Path) -> NDArray[Any] | None:
    return np.load(file, allow_pickle=False) if file.is_file() else None
