"""From what a user names to a source of frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from maskreg.errors import InputTypeError
from maskreg.frames.array import ArrayFrames
from maskreg.frames.folder import FolderFrames
from maskreg.frames.lazy import LazyFrames, is_dask, unwrapped
from maskreg.frames.locate import PathLike, find_files, is_path_like
from maskreg.frames.registry import open_file
from maskreg.frames.source import FrameSource


def open_frames(path_or_pattern: PathLike | Sequence[PathLike]) -> FrameSource:
    """Open a series of frames for reading; nothing is ever written to it.

    Parameters
    ----------
    path_or_pattern : path, or list of paths
        A TIFF or NPY file, a folder of such files, a pattern (``run/*.tif``, ``run/**/*.tif``),
        or a list of these. Files come in natural order (``f2`` before ``f10``), also those of
        a list; each gives all the frames it holds.

    Returns
    -------
    FrameSource
        With `len`, `shape`, `dtype`, `read`, `name` and `metadata`. A context manager.

    Raises
    ------
    FrameError
        When there is no such file, or none of its frames can be read. One broken frame is no
        reason: it raises this when it is read.

    Examples
    --------
    >>> with open_frames("run/*.tif") as frames:  # doctest: +SKIP
    ...     first = frames.read(0)
    """
    if not is_path_like(path_or_pattern):
        raise InputTypeError(
            f"path_or_pattern is of type {type(path_or_pattern).__name__}; give a file, a folder, a pattern, "
            "or a list of these"
        )
    files, root = find_files(path_or_pattern)
    source = open_file(files[0], root) if len(files) == 1 else FolderFrames(files, root)
    source.ensure_readable()
    return source


def as_source(frames: Any) -> FrameSource:
    """Return a source for whatever a user may call "the frames".

    Parameters
    ----------
    frames : FrameSource, path, list of paths, 3-D array, or sequence of 2-D arrays
        See `open_frames` and `maskreg.frames.array.ArrayFrames`. A Dask array, a `DataArray` and a
        hyperspy signal, lazy or not, are 3-D arrays.
    """
    if isinstance(frames, FrameSource):
        return frames
    if is_path_like(frames):
        return open_frames(frames)
    array = unwrapped(frames)
    source = LazyFrames(array) if is_dask(array) else ArrayFrames(array)
    source.ensure_readable()
    return source
