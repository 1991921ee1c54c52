"""From what a user names to a source of frames."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from maskreg.errors import InputTypeError
from maskreg.frames.array import ArrayFrames
from maskreg.frames.described import DescribedFrames
from maskreg.frames.file import FileFrames
from maskreg.frames.folder import FolderFrames
from maskreg.frames.lazy import LazyFrames, is_dask, unwrapped
from maskreg.frames.locate import PathLike, find_files, is_path_like
from maskreg.frames.location import files_of
from maskreg.frames.metadata.name_pattern import NamePattern
from maskreg.frames.metadata.name_table import NameTable
from maskreg.frames.metadata.time_order import order_of_time
from maskreg.frames.navigation import MOST_COLOURS
from maskreg.frames.registry import open_file
from maskreg.frames.source import FrameSource, metadata_of
from maskreg.labelled import is_labelled, warn_of_order

log = logging.getLogger(__name__)


def open_frames(
    path_or_pattern: PathLike | Sequence[PathLike],
    *,
    pattern: str | None = None,
    metadata: PathLike | None = None,
) -> FrameSource:
    """Open a series of frames for reading; nothing is ever written to it.

    Parameters
    ----------
    path_or_pattern : path, or list of paths
        A file of any known format, a folder of such files, a pattern (``run/*.tif``,
        ``run/**/*.tif``), or a list of these. Files come in natural order (``f2`` before
        ``f10``), also those of a list; each gives all the frames it holds. Behind ``::`` stands
        what in a file is meant: ``scan.h5::/entry/data``.
    pattern : str, optional
        How file names tell metadata: ``{scan:d}_{delay:f}.tif``.
    metadata : path, optional
        A CSV file of metadata, by file name. Where two sources tell the same column, this one
        counts before `pattern`, and `pattern` before what the file itself says.

    Returns
    -------
    FrameSource
        With `len`, `shape`, `dtype`, `read`, `name` and `metadata`. A context manager. Frames
        come in the order of the metadata column ``time`` (or ``timestamp``) where there is one.

    Raises
    ------
    FrameError
        When there is no such file, or none of its frames can be read, or its name does not
        fit `pattern`. One broken frame is no reason: it raises this when it is read.
    InputError
        When `pattern` or `metadata` make no sense.

    Examples
    --------
    >>> from maskreg.testing import ChromiumScan
    >>> files = ChromiumScan((128, 128), scans=2).write("scan")
    >>> files[3].name
    'scan_1_delay_0.0ps.tif'
    >>> with open_frames("scan/frames/*.tif", pattern="scan_{scan:d}_delay_{delay:f}ps.tif") as frames:
    ...     len(frames), frames.read(0).shape, frames.metadata(0)
    (24, (128, 128), {'scan': 1, 'delay': 0.0})
    """
    if not is_path_like(path_or_pattern):
        raise InputTypeError(
            f"path_or_pattern is of type {type(path_or_pattern).__name__}; give a file, a folder, a pattern, "
            "or a list of these"
        )
    files, root = find_files(path_or_pattern)
    if len(files) > 1:
        source: FrameSource = FolderFrames(files, root)
    else:
        source = open_file(files[0], root)
        if isinstance(source, FileFrames) and source.notice:
            log.warning("%s: %s", source.path.name, source.notice)
        if isinstance(source, FileFrames) and source.is_one_array:
            _warn_of_order(source)
    source.ensure_readable()
    return describe(source, pattern, metadata)


def as_source(frames: Any, *, pattern: str | None = None, metadata: PathLike | None = None) -> FrameSource:
    """Return a source for whatever a user may call "the frames".

    Parameters
    ----------
    frames : FrameSource, path, list of paths, 3-D array, or sequence of 2-D arrays
        See `open_frames` and `maskreg.frames.array.ArrayFrames`. A Dask array, a `DataArray` and a
        hyperspy signal, lazy or not, are 3-D arrays.
    pattern, metadata
        See `open_frames`.
    """
    if isinstance(frames, FrameSource):
        return describe(frames, pattern, metadata)
    if is_path_like(frames):
        return open_frames(frames, pattern=pattern, metadata=metadata)
    array = unwrapped(frames)
    source = LazyFrames(array) if is_dask(array) else ArrayFrames(array)
    source.ensure_readable()
    if is_labelled(frames):
        warn_of_order(frames)
    elif hasattr(array, "ndim"):
        _warn_of_order(source)
    return describe(source, pattern, metadata)


def _warn_of_order(source: FrameSource) -> None:
    """Say so where one array looks as if its last axis were that of the frames, or of colours."""
    count, (rows, cols) = len(source), source.shape
    if count > 1 and cols <= MOST_COLOURS < rows:
        hint = "is this one image in colour? Then convert it to grey"
    elif count == rows > cols:
        hint = "is the last axis that of the frames? Then move it to the front: numpy.moveaxis(frames, -1, 0)"
    else:
        return
    log.warning(
        "%s has %d frames of %d x %d px; %s", source.name(0).rpartition("[")[0], count, rows, cols, hint
    )


def describe(source: FrameSource, pattern: str | None, metadata: PathLike | None) -> FrameSource:
    """Return `source` with more columns, in the order of time; itself if that is no change."""
    if isinstance(source, DescribedFrames) and pattern is None and metadata is None:
        return source
    names = [source.name(index) for index in range(len(source))]
    files = files_of(names, source.root)
    rows = [metadata_of(source, index) for index in range(len(source))]
    told: list[str] = []
    if pattern is not None:
        of_names = NamePattern(pattern)
        _add(rows, of_names.columns(files))
        told += of_names.kinds
    if metadata is not None:
        table = NameTable(metadata)
        _add(rows, table.columns(names, files))
        told += table.names
    order = order_of_time(rows, names)
    if pattern is None and metadata is None and order in (None, list(range(len(source)))):
        return source
    return DescribedFrames(source, rows, order, told)


def _add(rows: list[dict[str, Any]], more: list[dict[str, Any]]) -> None:
    for row, added in zip(rows, more, strict=True):
        row.update(added)
