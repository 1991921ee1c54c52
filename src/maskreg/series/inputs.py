"""What a run was made of, kept in its folder, so that the frames can be read again later.

``inputs/where.json`` says where the frames are, ``inputs/valid_mask.tif`` holds the mask, and
``inputs/dark.npy`` and ``inputs/flat.npy`` the calibration. None of it identifies the run (contents do,
by fingerprints in the record): a run may be moved, with its frames or without.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import FrameError, RunError
from maskreg.frames import FrameSource, as_source, open_frames
from maskreg.frames.corrected import Calibration, calibration
from maskreg.masks import load_mask, save_mask
from maskreg.outputs import atomic_write
from maskreg.shifts import ShiftTable
from maskreg.shifts.row import one_line

FOLDER = "inputs"


def keep_inputs(
    run: Path, source: FrameSource, mask: NDArray[np.bool_] | None, by: Calibration | None
) -> None:
    """Write down in the run folder what it was made of."""
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    images = {} if by is None else {"dark.npy": by.dark, "flat.npy": by.flat}
    for name in ("dark.npy", "flat.npy"):
        _keep(folder / name, images.get(name))
    if mask is None:
        (folder / "valid_mask.tif").unlink(missing_ok=True)
    else:
        save_mask(folder / "valid_mask.tif", mask)
    root = None if source.root is None else source.root.absolute()
    where = {"relative": root and Path(os.path.relpath(root, run.absolute())).as_posix()}
    with atomic_write(folder / "where.json") as stream:
        json.dump({**where, "absolute": root and root.as_posix()}, stream, indent=1)


def kept_mask(run: Path) -> NDArray[np.bool_] | None:
    """Return the mask of a run."""
    file = run / FOLDER / "valid_mask.tif"
    return load_mask(file) if file.is_file() else None


def kept_calibration(run: Path, shape: tuple[int, int]) -> Calibration | None:
    """Return dark and flat of a run."""
    files = [run / FOLDER / name for name in ("dark.npy", "flat.npy")]
    dark, flat = (np.load(file) if file.is_file() else None for file in files)
    return calibration(dark, flat, shape)


class FramesOfRun(FrameSource):
    """The frames of a run, found again by their names when the first of them is read.

    Parameters
    ----------
    run : Path
        The run folder.
    table : ShiftTable
        Its rows, which name the frames.
    frames : optional
        Where they are now, as `maskreg.align` takes them; by default where they were.
    """

    def __init__(self, run: Path, table: ShiftTable, frames: Any = None) -> None:
        self.run = run
        self._names = [row.source for row in table]
        self._given = frames

    def __len__(self) -> int:
        return len(self._names)

    def name(self, index: int) -> str:
        """Return the frame's name in the table."""
        return self._names[index]

    def _fetch(self, index: int) -> Any:
        source, places = self._found
        if self._names[index] not in places:
            raise FrameError(f"{self._names[index]}: is not among the frames of the input any more")
        return source.load(places[self._names[index]])

    @cached_property
    def _found(self) -> tuple[FrameSource, dict[str, int]]:
        """The frames, and the index of each name among them."""
        if self._given is not None:
            source = as_source(self._given)
            return source, {one_line(source.name(index)): index for index in range(len(source))}
        files = list(dict.fromkeys(_file_of(name) for name in self._names))
        problems = []
        for root in self._roots():
            try:
                return _relative_to(root, open_frames([root / file for file in files]))
            except FrameError as error:
                problems.append(error)
        why = problems[0] if problems else "they were arrays in memory"
        raise RunError(
            f"{self.run}: its frames cannot be found ({why}); say where they are: "
            "--input INPUT, or open_run(run, frames=...)"
        )

    def _roots(self) -> Sequence[Path]:
        """Return the folders in which the frames may be: where they were, from the run or from the root."""
        file = self.run / FOLDER / "where.json"
        where = json.loads(file.read_text("utf-8")) if file.is_file() else {}
        if not where.get("absolute"):
            return []
        return [self.run / where["relative"], Path(where["absolute"])]


def _relative_to(root: Path, source: FrameSource) -> tuple[FrameSource, dict[str, int]]:
    """Return the source, and the index of each frame by its name relative to `root`."""
    # a source names its frames relative to the folder they share, which may lie deeper
    folder = "" if source.root is None else Path(os.path.relpath(source.root, root)).as_posix()
    prefix = "" if folder in ("", ".") else f"{folder}/"
    return source, {one_line(prefix + source.name(index)): index for index in range(len(source))}


def _file_of(name: str) -> str:
    """Return the file that a frame of this name is in: ``stack.tif[3]`` is in ``stack.tif``."""
    return re.sub(r"\[\d+\]$", "", name)


def _keep(file: Path, image: NDArray[Any] | None) -> None:
    if image is None:
        file.unlink(missing_ok=True)
        return
    part = file.with_name(f"{file.name}.part")
    with part.open("wb") as stream:
        np.save(stream, image)
    part.replace(file)
