"""TIFF and BigTIFF: one frame a page, or a whole stack behind one page.

A stack is listed by walking from directory to directory, two small reads a page, and a page's
tags are parsed only when its frame is read: a stack of a hundred thousand pages opens in
seconds. Where fewer directories are there than the description states (ImageJ above 4 GB,
tifffile's ``truncate``, a writer that was killed before it wrote them), the frames follow the
first one without gaps and are read from there.
"""

from __future__ import annotations

import importlib.util
import struct
from array import array
from dataclasses import dataclass
from math import isfinite, nan, prod
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from maskreg.errors import MissingExtraError
from maskreg.frames.file import FileFrames
from maskreg.frames.formats.ome import ome_image
from maskreg.frames.navigation import about_channels
from maskreg.frames.plain import check_credible, read_plain

_ROOM = 2**16
"""Bytes that a directory and its description take, generously."""


class TiffFrames(FileFrames):
    """The frames of one TIFF file; of a file that was cut short, those that are in it."""

    names_inside = "the number of an image of OME-TIFF"

    def __init__(self, path: Path, root: Path | None = None, inside: str = "") -> None:
        super().__init__(path, root, inside)
        # the other files of an OME-TIFF set are files of their own
        with tifffile.TiffFile(path, _multifile=False) as tif:
            _ensure_a_page(tif)
            self._notices = [_about_no_data(tif.pages.first)]
            self._list_frames(tif)
            self.notice = "; ".join(filter(None, self._notices))
            self._layout = self._described(tif)
            page = tif.pages.first
            self._size, self._credible = tif.filehandle.size, 2 * page.nbytes + _ROOM
            self._first_pixel = page.dataoffsets[0] if page.dataoffsets else page.offset
            self._plain_size = page.nbytes if _is_plain(page) else 0

    def __len__(self) -> int:
        return self._count

    def layout(self) -> str:
        """Return kind, compression and type of the first page."""
        return self._layout

    def _described(self, tif: Any) -> str:
        page = tif.pages.first
        kind = ("Big" if tif.is_bigtiff else "") + ("OME-TIFF" if tif.is_ome else "TIFF")
        stored = page.compression.name.lower() if page.compression != 1 else "not compressed"
        pages = len(self._directories)
        return f"{kind}, {pages} page{'s' * (pages != 1)}, {stored}"

    def _list_frames(self, tif: Any) -> None:
        self._directories, complete = _walk(tif)
        if tif.is_ome and complete:
            image = ome_image(tif, self._inside, self.path.name)
            self._run, self._directories = None, image.directories
            self._count = len(image.directories)
            if image.others:
                self._notices.append(
                    f"{image.others} more files belong to its OME-TIFF set; name them all to read them"
                )
            self._notices.append(image.channels)
            return
        if self._inside:
            raise ValueError(
                f"it is no whole OME-TIFF, in which images have numbers; leave '::{self._inside}' out"
            )
        self._run = _run_of_frames(tif, self._directories)
        listed = len(self._directories)
        if tif.pages.first.axes == "ZYX" and self._run is not None:
            # one page with a depth axis: its directory is that of no single frame
            self._directories = array("Q")
            self._count = self._run.count
        elif not complete:
            # the directory that is missing stands for at least one frame, which must not vanish
            self._count = max(listed + 1, _stated_count(tif.pages.first))
        elif listed == 1 and self._run is not None and self._run.holds_two(tif.filehandle.size):
            self._count = self._run.count
        else:
            # a page that was split off a stack often keeps the description of the whole
            self._count = listed
        if self._count > 1:
            self._notices.append(_channels_of_imagej(tif.pages.first))

    def _where(self, index: int) -> tuple[int, int] | None:
        if self._run is not None and index < self._run.count:
            return self._run.start(index), self._run.size
        return self._beside_directory(index) if index < len(self._directories) else None

    def _beside_directory(self, index: int) -> tuple[int, int] | None:
        """Return what lies between the directory of a page and the next one, on the side of its pixels.

        Writers are regular: where the pixels of the first page follow its directory, they do everywhere, and
        where there is no room for them between directories, they follow each other.
        """
        places, first = self._directories, self._first_pixel
        if first < places[0]:
            start, end = (places[index - 1] if index else 0), places[index]
        else:
            start, end = places[index], places[index + 1] if index + 1 < len(places) else self._size
        if self._plain_size > end - start:
            return first + index * self._plain_size, self._plain_size
        return (start, end - start) if 0 < end - start <= self._credible else None

    def _fetch(self, index: int) -> NDArray[Any]:
        if index < len(self._directories):
            return self._fetch_page(index)
        if self._run is not None and index < self._run.count:
            return read_plain(self.path, self._run.start(index), self._run.shape, self._run.dtype)
        raise ValueError("the file is cut short: the directory of this page is missing")

    def _fetch_page(self, index: int) -> NDArray[Any]:
        with tifffile.TiffFile(self.path) as tif:
            page = _page_at(tif, self._directories, index)
            if page.axes != "YX":
                raise ValueError(_why_no_frame(page))
            if not _is_plain(page):
                return _decode(page)
            start, dtype = page.dataoffsets[0], _stored_dtype(page)
        return read_plain(self.path, start, page.shape, dtype)


@dataclass(frozen=True)
class _Run:
    """Frames that follow the first one uncompressed and without gaps."""

    count: int
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Bytes of a frame."""
        return prod(self.shape) * self.dtype.itemsize

    def start(self, index: int) -> int:
        """Return how many bytes into the file frame `index` starts."""
        return self.offset + index * self.size

    def holds_two(self, size: int) -> bool:
        """Whether a file of `size` bytes has at least two of the frames."""
        return self.start(2) <= size


def _walk(tif: Any) -> tuple[array[int], bool]:
    """Return where the directories are, and whether the last of them ends the chain as it should."""
    form, size = tif.tiff, tif.filehandle.size
    directories, seen = array("Q"), set()
    offset = tif.pages.first.offset
    while offset:
        following = _following(tif.filehandle, form, offset, size)
        if following is None or offset in seen:
            return directories, False
        directories.append(offset)
        seen.add(offset)
        offset = following
    return directories, True


def _following(file: Any, form: Any, offset: int, size: int) -> int | None:
    """Return the position of the directory after the one at `offset` (0: none), or None if cut off."""
    if offset + form.tagnosize > size:
        return None
    file.seek(offset)
    (tags,) = struct.unpack(form.tagnoformat, file.read(form.tagnosize))
    end = offset + form.tagnosize + tags * form.tagsize
    if end + form.offsetsize > size:
        return None
    file.seek(end)
    following: int = struct.unpack(form.offsetformat, file.read(form.offsetsize))[0]
    return following


def _run_of_frames(tif: Any, directories: array[int]) -> _Run | None:
    """Return the frames behind the first page, if the file states that there are any."""
    page = tif.pages.first
    count = _stated_count(page)
    if count < 2 or page.axes not in ("YX", "ZYX") or not _is_plain(page):
        return None
    if len(directories) > 1 and not _follows_directly(tif, directories):
        return None
    return _Run(count, page.dataoffsets[0], page.shape[-2:], _stored_dtype(page))


def _stated_count(page: Any) -> int:
    """Return how many frames the page's depth or description (tifffile's or ImageJ's) states, at least 1."""
    count = 1
    if page.axes == "ZYX":
        count = page.shape[0]
    elif page.shaped_description:
        shape = tifffile.tifffile.shaped_description_metadata(page.shaped_description)["shape"]
        count = prod(map(int, shape)) // max(1, prod(page.shape))
    elif page.imagej_description:
        stated = tifffile.tifffile.imagej_description_metadata(page.imagej_description).get("images")
        count = stated if isinstance(stated, int) else 1
    try:
        itemsize = page.dtype.itemsize if page.dtype else 1
        check_credible(count * prod(page.shape[-2:]) * itemsize, page.parent.filehandle.size)
    except ValueError:  # a description is free text: what cannot be true is not believed
        return 1
    return max(1, count)


def _follows_directly(tif: Any, directories: array[int]) -> bool:
    """Whether the second page's pixels start where those of the first end."""
    first = tif.pages.first
    try:
        second = _page_at(tif, directories, 1)
    except tifffile.TiffFileError:
        return False
    return bool(second.dataoffsets) and second.dataoffsets[0] == first.dataoffsets[0] + first.nbytes


def _page_at(tif: Any, directories: array[int], index: int) -> Any:
    """Return one page, without tifffile walking to it from the first."""
    tif.filehandle.seek(directories[index])
    return tifffile.TiffPage(tif, index=index)


def _ensure_a_page(tif: Any) -> None:
    """Refuse a file that is nothing but a header; to count pages would mean to walk through all of them."""
    try:
        _ = tif.pages.first
    except IndexError:
        raise ValueError("it holds no image; was it cut short?") from None


def _about_no_data(page: Any) -> str:
    """Return what to say of a value that stands for no data, as GDAL writes it into GeoTIFF; '' for none."""
    tag = page.tags.get("GDAL_NODATA")
    try:
        value = nan if tag is None else float(tag.value)
    except ValueError:
        value = nan
    if not isfinite(value):
        return ""
    return (
        f"{value:g} stands for no data in it (GDAL_NODATA); such pixels count unless a mask, "
        "--ignore-below or --ignore-above leaves them out"
    )


def _channels_of_imagej(page: Any) -> str:
    """Return what to say of the channels of a hyperstack of ImageJ, which are the fastest axis."""
    if not page.imagej_description:
        return ""
    stated = tifffile.tifffile.imagej_description_metadata(page.imagej_description)
    return about_channels("CYX", (stated.get("channels", 1), *page.shape))


def _is_plain(page: Any) -> bool:
    """Whether the page's pixels lie in the file as they are in memory, but for the byte order."""
    return page.is_final and page.dtype is not None


def _why_no_frame(page: Any) -> str:
    hint = "save one page per frame"
    if page.axes == "SYX":
        # tifffile takes a stack of three or four frames for colours unless it is told otherwise
        hint = "write stacks with photometric='minisblack'; of bands save one to a file of its own"
    elif "S" in page.axes:
        hint = "convert colours to grey; of bands save one to a file of its own"
    return f"its axes are {page.axes} {page.shape}; a frame has two ({hint})"


def _stored_dtype(page: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(page.dtype)
    return dtype.newbyteorder(page.parent.byteorder)


def _decode(page: Any) -> NDArray[Any]:
    """Return the pixels of a compressed, tiled or otherwise encoded page."""
    size = page.parent.filehandle.size
    check_credible(page.nbytes, size)
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    # decoders fill what is missing with zeros, which would pass for an image
    if not segments or any(not count or offset + count > size for offset, count in segments):
        raise ValueError(f"the file is cut short: it has {size} bytes, parts of this frame are missing")
    try:
        # one thread a frame: the series already runs as many as there are cores
        return np.asarray(page.asarray(maxworkers=1))
    except ValueError as error:
        if "imagecodecs" in str(error) and importlib.util.find_spec("imagecodecs") is None:
            raise MissingExtraError(
                f"reading TIFF compressed with {page.compression.name} needs imagecodecs: "
                'python -m pip install "maskreg[app]"'
            ) from error
        raise
