"""Which files an argument means (a file, a folder, a pattern, a list of them), and their order."""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from maskreg.errors import FrameError, InputError
from maskreg.frames.order import natural_key
from maskreg.frames.registry import known_suffixes, reader_for

PathLike = str | os.PathLike[str]


def find_files(paths: PathLike | Sequence[PathLike]) -> tuple[list[Path], Path]:
    """Return the files that `paths` means, in natural order, and the root of their names.

    Parameters
    ----------
    paths : path, or sequence of paths
        Each is a file, a folder (all files in it that a reader knows; not those below it,
        not hidden ones) or a pattern such as ``run/*.tif`` or ``run/**/*.tif``. What is
        meant twice is taken once.

    Returns
    -------
    files : list of Path
        At least one, absolute.
    root : Path
        The folder itself, the part of the pattern before any wildcard, the parent of a single
        file; for several of these, what they have in common.

    Raises
    ------
    FrameError
        When something is missing or holds nothing that can be read.
    """
    wanted = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not wanted:
        raise InputError("the list is empty; give at least one frame, file, folder or pattern")
    found = [_expand(os.fspath(path)) for path in wanted]
    files = sorted({file for some, _ in found for file in some}, key=natural_key)
    return files, Path(os.path.commonpath([root for _, root in found]))


def is_path_like(value: Any) -> bool:
    """Whether `value` is a path, or a list of nothing but paths."""
    if isinstance(value, list | tuple):
        return all(isinstance(item, str | os.PathLike) for item in value)
    return isinstance(value, str | os.PathLike)


def _expand(text: str) -> tuple[list[Path], Path]:
    """Return the files that one argument means, and the root of their names."""
    # not resolved: a link is called by its own name, and may point out of the root
    path = Path(os.path.abspath(text))  # noqa: PTH100
    if reader_for(path) and path.exists():
        return [path], path.parent
    if path.is_dir():
        return _files_in(path), path
    if path.exists():
        raise FrameError(f"{text}: no reader for '{path.suffix}' files; known are {known_suffixes()}")
    if glob.has_magic(text):
        return _matching(path, text)
    raise FrameError(f"{text}: {_what_is_missing(path)}")


def _files_in(folder: Path) -> list[Path]:
    files = _readable(folder.iterdir())
    if not files:
        below = len(_readable(folder.rglob("*")))
        hint = (
            f"the folders below it hold {below}: try '{folder.name}/**/*'"
            if below
            else f"known are {known_suffixes()}"
        )
        raise FrameError(f"{folder}: no file in this folder can be read; {hint}")
    return files


def _matching(path: Path, text: str) -> tuple[list[Path], Path]:
    root = next(parent for parent in path.parents if not glob.has_magic(str(parent)))
    if not root.exists():
        raise FrameError(f"{text}: {_what_is_missing(root)}")
    # unlike Path.glob, this one takes absolute patterns and leaves hidden files out
    matches = [Path(match) for match in glob.glob(str(path), recursive=True)]  # noqa: PTH207
    files = _readable(matches)
    if not files:
        why = (
            f"matches nothing that can be read; known are {known_suffixes()}"
            if matches
            else "matches nothing"
        )
        raise FrameError(f"{text}: the pattern {why}")
    return files, root


def _readable(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if not path.name.startswith(".") and reader_for(path) and path.is_file()]


def _what_is_missing(path: Path) -> str:
    """Return which part of `path` does not exist, and what else it may have meant."""
    missing = next(part for part in (*reversed(path.parents), path) if not part.exists())
    what = "no such file or folder" if missing == path else f"there is no folder '{missing}'"
    names = [entry.name for entry in missing.parent.iterdir()] if missing.parent.is_dir() else []
    close = difflib.get_close_matches(missing.name, names, n=1)
    return f"{what}; did you mean '{close[0]}'?" if close else what
