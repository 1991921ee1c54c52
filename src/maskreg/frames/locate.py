"""Which files an argument means (a file, a folder, a pattern, a list of them), and their order."""

from __future__ import annotations

import difflib
import fnmatch
import glob
import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from maskreg.errors import FrameError, InputError
from maskreg.frames.location import Location, split_location
from maskreg.frames.order import natural_key
from maskreg.frames.registry import known_suffixes, no_reader, reader_for

log = logging.getLogger(__name__)

PathLike = str | os.PathLike[str]

_OF_A_RUN = "run.sqlite"
"""What lies in a folder that holds no frames, but what was made of them."""

_LOOKED_AT = 2000
"""Most files below a folder that are looked at for a hint: there may be a whole disk below it."""


def find_files(paths: PathLike | Sequence[PathLike]) -> tuple[list[Location], Path]:
    """Return the files that `paths` means, in natural order, and the root of their names.

    Parameters
    ----------
    paths : path, or sequence of paths
        Each is a file, a folder (all files in it that a reader knows; not those below it,
        not hidden ones, no pictures such as PNG beside other formats) or a pattern such as
        ``run/*.tif`` or ``run/**/*.tif``, and may say
        behind ``::`` what in each file is meant. What is meant twice is taken once.

    Returns
    -------
    files : list of Location
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
    files = {file for some, _ in found for file in some}
    in_order = sorted(files, key=lambda file: (natural_key(file.path), file.inside))
    if all(len(some) == 1 for some, _ in found):
        _warn_of_another_order([some[0] for some, _ in found], in_order)
    return in_order, Path(os.path.commonpath([root for _, root in found]))


def _warn_of_another_order(given: list[Location], in_order: list[Location]) -> None:
    """Say so where files were listed in an order of their own: who counts on it takes one for another."""
    if list(dict.fromkeys(given)) != in_order:
        log.warning(
            "files come in the natural order of their names, not in that of the list: the first is %s "
            "(the table names each)",
            in_order[0].path.name,
        )


def means(text: str, path: Path) -> bool:
    """Whether an argument means `path` too, or would if that were there: itself, or as one of its frames."""
    name, inside = _split(text)
    given, path = Path(os.path.realpath(name)), Path(os.path.realpath(path))  # patterns stay as they are
    if path == given or (_is_readable(Location(given, inside)) and given in path.parents):
        return True
    if given.is_dir():
        return path.parent == given and reader_for(Location(path)) is not None
    if "**" in given.parts:
        return fnmatch.fnmatchcase(str(path), _as_pattern(given))
    return len(path.parts) == len(given.parts) and fnmatch.fnmatchcase(str(path), _as_pattern(given))


def _split(text: str) -> tuple[str, str]:
    """Return a file or pattern, and what in it is meant; a name that is there is meant as a whole."""
    # unlike Path.exists, this one takes whatever was typed
    if os.path.exists(text) or (glob.has_magic(text) and any(glob.iglob(text, recursive=True))):  # noqa: PTH110, PTH207
        return text, ""
    return split_location(text)


def is_path_like(value: Any) -> bool:
    """Whether `value` is a path, or a list of nothing but paths."""
    if isinstance(value, list | tuple):
        return all(isinstance(item, str | os.PathLike) for item in value)
    return isinstance(value, str | os.PathLike)


def _expand(text: str) -> tuple[list[Location], Path]:
    """Return the files that one argument means, and the root of their names."""
    name, inside = _split(text)
    # not resolved: a link is called by its own name, and may point out of the root
    location = Location(Path(os.path.abspath(name)), inside)  # noqa: PTH100
    path = location.path
    if _is_readable(location):
        return [location], path.parent
    if path.is_dir():
        return _files_in(location), path
    if path.exists():
        raise FrameError(f"{name}: {no_reader(location)}")
    if glob.has_magic(name):
        return _matching(location, name)
    raise FrameError(f"{name}: {_what_is_missing(path)}")


def _files_in(folder: Location) -> list[Location]:
    if (folder.path / _OF_A_RUN).is_file():
        raise FrameError(f"{folder.path}: this is a run folder; name the frames it was made of")
    files = _readable(folder.path.iterdir(), folder.inside)
    if len(files) == 1:
        _warn_of_frames_below(files[0])
    if not files:
        looked_at = list(islice(folder.path.rglob("*"), _LOOKED_AT))
        if not looked_at:
            raise FrameError(f"{folder.path}: this folder is empty")
        below = len(_readable(looked_at, folder.inside))
        least = "at least " if len(looked_at) == _LOOKED_AT else ""
        hint = (
            f"the folders below it hold {least}{below}: try '{folder.path.name}/**/*'"
            if below
            else f"known are {known_suffixes()}"
        )
        raise FrameError(f"{folder.path}: no file in this folder can be read; {hint}")
    return files


def _warn_of_frames_below(only: Location) -> None:
    """Say so where a folder holds one file, and one below it many: a mask beside the folder of its frames."""
    folder = only.path.parent
    entries = [entry for entry in islice(folder.glob("*/*"), _LOOKED_AT) if entry.is_file()]
    per_folder = Counter(frame.path.parent for frame in _readable(entries, only.inside))
    below, count = per_folder.most_common(1)[0] if per_folder else (folder, 0)
    if count > 1:
        log.warning(
            "%s is all that %s holds; %s in it holds %d: is that meant?",
            only.path.name,
            folder.name,
            below.name,
            count,
        )


def _matching(pattern: Location, text: str) -> tuple[list[Location], Path]:
    root = _root_of(pattern.path)
    if not root.exists():
        raise FrameError(f"{text}: {_what_is_missing(root)}")
    # unlike Path.glob, this one takes absolute patterns and leaves hidden files out
    matches = [Path(match) for match in glob.glob(_as_pattern(pattern.path), recursive=True)]  # noqa: PTH207
    files = _readable(matches, pattern.inside)
    if not files:
        why = (
            f"matches nothing that can be read; {no_reader(Location(matches[0]))}"
            if matches
            else "matches nothing"
        )
        raise FrameError(f"{text}: the pattern {why}{_about_index(text)}")
    return files, root


def _root_of(pattern: Path) -> Path:
    """Return the folder before any wildcard; brackets in the name of a folder that is there are none."""
    return next(parent for parent in pattern.parents if parent.exists() or not glob.has_magic(str(parent)))


def _as_pattern(path: Path) -> str:
    """Return a pattern whose folders that are there stand for themselves."""
    root = _root_of(path)
    return str(Path(glob.escape(str(root))) / path.relative_to(root))


def _about_index(text: str) -> str:
    """Return what to say where one frame of a file is named, which a series does not take."""
    file = re.sub(r"\[[-\d:]*\]$", "", text)
    return f"; all frames of a file are meant by '{file}'" if file != text and Path(file).exists() else ""


def _readable(paths: Iterable[Path], inside: str) -> list[Location]:
    """Return the files that are frames; pictures beside other formats are previews of these."""
    locations = [Location(path, inside) for path in paths if not path.name.startswith(".")]
    readable = [location for location in locations if _is_readable(location)]
    return [location for location in readable if not _is_picture(location)] or readable


def _is_picture(location: Location) -> bool:
    return bool(getattr(reader_for(location), "is_picture", False))


def _is_readable(location: Location) -> bool:
    """Whether there is such a file, and a reader for it."""
    reader = reader_for(location)
    return reader is not None and (location.path.is_dir() if reader.is_folder else location.path.is_file())


def _what_is_missing(path: Path) -> str:
    """Return which part of `path` does not exist, and what else it may have meant."""
    missing = next(part for part in (*reversed(path.parents), path) if not part.exists())
    what = "no such file or folder" if missing == path else f"there is no folder '{missing}'"
    if missing.name == "~":
        return f"{what}; in Python the home folder is os.path.expanduser('~')"
    names = [entry.name for entry in missing.parent.iterdir()] if missing.parent.is_dir() else []
    close = difflib.get_close_matches(missing.name, names, n=1)
    return f"{what}; did you mean '{close[0]}'?" if close else what
