"""Where a run came from: what is needed to look at its frames again.

Beside the record lie ``origin.json`` (the input and the command, with paths of this machine),
``mask_valid.tif`` (nonzero = valid) when there is a mask, and ``reference.npy`` when the reference
is no frame of the series. None of them changes a result, and a run without them is still a run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import RunError
from maskreg.frames import FrameSource, open_frames
from maskreg.masks import load_mask, save_mask
from maskreg.outputs import atomic_write
from maskreg.series.prepared import Prepared

ORIGIN = "origin.json"
MASK = "mask_valid.tif"
REFERENCE = "reference.npy"


@dataclass(frozen=True)
class Origin:
    """What a run was made from.

    Attributes
    ----------
    input : list of str
        Files, folders or patterns, as they were given.
    folder : str
        The folder that they are relative to.
    command : list of str
        The arguments of the command line, without the program's name; empty when it was none.
    reading : dict
        Further keywords of `maskreg.open_frames`.
    """

    input: list[str]
    folder: str
    command: list[str] = field(default_factory=list)
    reading: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def here(cls, input: Sequence[str], command: Sequence[str] = (), **reading: Any) -> Origin:
        """Return the origin of a run that is started in the present folder."""
        return cls([os.fspath(path) for path in input], str(Path.cwd()), list(command), reading)

    def open(self) -> FrameSource:
        """Open the frames again."""
        return open_frames([str(Path(self.folder, path)) for path in self.input], **self.reading)


def write_origin(run: Path, series: Prepared, origin: Origin | None) -> None:
    """Keep in a run folder what is needed to look at its frames again."""
    for name in (ORIGIN, MASK, REFERENCE):
        (run / name).unlink(missing_ok=True)
    if series.mask is not None:
        save_mask(run / MASK, series.mask)
    if series.reference.frame is None:
        _save_image(run / REFERENCE, np.ma.filled(np.ma.asarray(series.reference.image), 0))
    if origin is not None:
        with atomic_write(run / ORIGIN) as stream:
            json.dump(asdict(origin), stream, indent=1)


def read_origin(run: str | os.PathLike[str]) -> Origin | None:
    """Return where a run came from; None when nobody wrote it down."""
    path = Path(run) / ORIGIN
    if not path.is_file():
        return None
    try:
        return Origin(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, OSError) as error:
        raise RunError(f"{path} cannot be read ({error}); remove it, or align again") from error


def mask_of_run(run: str | os.PathLike[str]) -> NDArray[np.bool_] | None:
    """Return the mask of a run, True = valid; None when it has none."""
    path = Path(run) / MASK
    return load_mask(path) if path.is_file() else None


def reference_of_run(run: str | os.PathLike[str], source: FrameSource, reference: Any) -> NDArray[Any] | None:
    """Return the reference of a run: an image of its own, or the frame of that index; else None."""
    path = Path(run) / REFERENCE
    if path.is_file():
        with suppress(ValueError, OSError):  # a picture less is no reason to fail
            return np.asarray(np.load(path, allow_pickle=False))
        return None
    return source.read(reference) if isinstance(reference, int) else None


def _save_image(path: Path, image: NDArray[Any]) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as stream:
            np.save(stream, image)
        part.replace(path)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
