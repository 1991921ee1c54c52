"""What is asked of a name before anything is written to it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from maskreg.errors import RunError, UsageError


def free(path: str | Path, overwrite: bool) -> Path:
    """Return the path of a file that is not there, or may be replaced, and that can be written."""
    from maskreg.outputs import ensure_file_writable

    file = Path(path)
    _ensure_no_part_of_a_run(file)
    if file.exists() and not overwrite:
        raise RunError(f"{file} exists; take another name, or --overwrite")
    ensure_file_writable(file)
    return file


def suffix_of(path: str | Path, what: str, *possible: str) -> str:
    """Return the suffix of a file, which must be one of those that are possible for `what`."""
    suffix = Path(path).suffix.lower()
    if suffix not in possible:
        raise UsageError(f"{path}: {what} is written as {', '.join(possible)}; name it so")
    return suffix


def ensure_apart(output: str | Path, inputs: Sequence[str], *inside: str) -> None:
    """Refuse an output that is the input, or that the same arguments would mean the next time.

    Parameters
    ----------
    output : path
        A file, or a run folder.
    inputs : sequence of str
        What names the frames.
    inside : str
        What the output will hold, if it is a folder, that looks like a frame.
    """
    from maskreg.frames.locate import means

    _ensure_no_part_of_a_run(output)
    for text in inputs:
        if any(means(text, path) for path in (Path(output), *(Path(output) / name for name in inside))):
            raise UsageError(f"{output} would be among the frames ({text}); name another place with -o")


def _ensure_no_part_of_a_run(output: str | Path) -> None:
    """Refuse an output among what a run keeps of its frames: it would be taken for that the next time."""
    from maskreg.series import is_run
    from maskreg.series.run_folder.inputs import FOLDER

    folder = Path(os.path.realpath(output)).parent
    if folder.name == FOLDER and is_run(folder.parent):
        raise UsageError(f"{output} is where the run keeps what it was made of; name another place with -o")
