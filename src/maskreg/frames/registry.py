"""Which reader opens which file. A new format is a file in `formats` and a line here.

A laboratory's own format comes from outside, by an entry point: see `plugins`. Ours are asked
first, so that no other package can change how a format of ours is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

from maskreg.errors import FrameError, MaskregError
from maskreg.frames.file import relative_name
from maskreg.frames.location import Location
from maskreg.frames.passing import once_more
from maskreg.frames.plugins import Plugin, plugins
from maskreg.frames.source import FrameSource, one_line


@dataclass(frozen=True)
class Reader:
    """A file format that can be read.

    Parameters
    ----------
    kind : str
        What people call such a file, with its article: "a TIFF".
    suffixes : tuple of str
        How the names of such files end, in lower case, with the dot.
    target : str
        ``module:Class`` below `maskreg.frames.formats`, imported when a file is opened. The class is
        called with the file, the root of its names (two `pathlib.Path`) and, if there is one,
        the part behind ``::``. It may raise any exception when the file is not what its name
        says.
    is_folder : bool
        Whether such a "file" is a folder.
    is_picture : bool
        Whether it is more likely a preview, where there are files of other formats beside it.
    """

    kind: str
    suffixes: tuple[str, ...]
    target: str
    is_folder: bool = False
    is_picture: bool = False

    def load(self) -> Any:
        """Return the class that reads."""
        module, _, name = self.target.partition(":")
        return getattr(import_module(f"maskreg.frames.formats.{module}"), name)


READERS = (
    Reader("TIFF", (".tif", ".tiff", ".btf", ".tf8"), "tiff:TiffFrames"),
    Reader("NPY", (".npy",), "npy:NpyFrames"),
    Reader("HDF5", (".h5", ".hdf5", ".hdf", ".nxs", ".nx5", ".hspy"), "hdf5:Hdf5Frames"),
    Reader("Zarr", (".zarr",), "zarr:ZarrFrames", is_folder=True),
    Reader("MRC", (".mrc", ".mrcs", ".mrc.gz", ".mrc.bz2"), "mrc:MrcFrames"),
    Reader("MIB", (".mib",), "mib:MibFrames"),
    Reader("EDF", (".edf",), "fabio:FabioFrames"),
    Reader("CBF", (".cbf",), "fabio:FabioFrames"),
    Reader("DM3 or DM4", (".dm3", ".dm4"), "rosettasciio:RosettaFrames"),
    Reader("EMD", (".emd",), "rosettasciio:RosettaFrames"),
    Reader("SER", (".ser",), "rosettasciio:RosettaFrames"),
    Reader("TVIPS", ("_000.tvips",), "rosettasciio:RosettaFrames"),
    Reader("PNG", (".png",), "picture:PictureFrames", is_picture=True),
    Reader("JPEG", (".jpg", ".jpeg"), "picture:PictureFrames", is_picture=True),
    Reader("BMP", (".bmp",), "picture:PictureFrames", is_picture=True),
    Reader("PGM", (".pgm",), "picture:PictureFrames", is_picture=True),
)
"""No suffix belongs to two of them."""

RAW = Reader("raw binary", (), "raw:RawFrames")
"""Reads a file of any name whose layout is given behind ``::``."""


def reader_for(location: Location) -> Reader | Plugin | None:
    """Return the reader for a file, by its name and what is said of its inside, or None."""
    if re.match(r"\w+=", location.inside):
        return RAW
    name = location.path.name.lower()
    ours = next((reader for reader in READERS if name.endswith(reader.suffixes)), None)
    return ours or next((plugin for plugin in plugins() if name.endswith(plugin.suffixes)), None)


def open_file(location: Location, root: Path) -> FrameSource:
    """Return the frames of one file; their names are relative to `root`.

    Raises
    ------
    FrameError
        When there is no reader for such a file, or it cannot make sense of it.
    MissingExtraError
        When an optional package is needed and not installed.
    """
    reader = reader_for(location)
    if reader is None:
        raise FrameError(f"{location.path}: {no_reader(location)}")
    name = relative_name(location.path, root)
    try:
        source = once_more(lambda: reader.load()(location.path, root, *filter(None, [location.inside])))
    except MaskregError:
        raise
    except Exception as error:  # a parser that is fed broken bytes may raise anything
        why = "it is empty" if _is_empty(location.path) else one_line(error)
        raise FrameError(f"{name}: is no readable {reader.kind} file: {why}") from error
    if not isinstance(source, FrameSource):
        raise FrameError(
            f"{name}: the reader {reader.target} gives no FrameSource but {type(source).__name__}"
        )
    return source


def _is_empty(path: Path) -> bool:
    try:
        return path.is_file() and not path.stat().st_size
    except OSError:  # what is wrong is known already
        return False


def no_reader(location: Location) -> str:
    """Return why there is no reader, and what to try."""
    suffix = location.path.suffix
    if suffix.lower() in (".raw", ".bin", ".dat"):
        layout = f"{location.path.name}::shape=512x512,dtype=uint16"
        return f"raw binary needs a layout, such as '{layout}'"
    return f"no reader for '{suffix}' files; known are {known_suffixes()}"


def known_suffixes() -> str:
    """Return the suffixes that can be read, for a message; packed files are known to be told as such."""
    suffixes = [reader.suffixes for reader in READERS] + [plugin.suffixes for plugin in plugins()]
    names = set(chain.from_iterable(suffixes))
    return ", ".join(sorted(name for name in names if not name.endswith((".gz", ".bz2"))))
