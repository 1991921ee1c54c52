"""EDF and CBF, through FabIO.

The file is opened for each frame, as `FileFrames` promises: a file of many frames has as many
headers, which are read each time.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.frames.extras import optional_package
from maskreg.frames.file import FileFrames
from maskreg.frames.plain import check_credible

_BEFORE_PIXELS = b"\x0c\x1a\x04\xd5"


class FabioFrames(FileFrames):
    """The frames of one file that FabIO reads; of a file that was cut short, those that are in it."""

    def __init__(self, path: Path, root: Path | None = None, inside: str = "") -> None:
        super().__init__(path, root, inside)
        with self._opened() as image:
            self._count = int(image.nframes)

    def __len__(self) -> int:
        return self._count

    def layout(self) -> str:
        """Return the kind of file."""
        return f"{self.path.suffix[1:].upper()}, {self._count} frame{'s' * (self._count != 1)}, by FabIO"

    def _fetch(self, index: int) -> NDArray[Any]:
        with self._opened() as image:
            frame = image.get_frame(index)
            # FabIO fills what is missing with zeros, which would pass for an image
            if getattr(frame, "incomplete_data", False):
                raise ValueError("the file is cut short: parts of this frame are missing")
            check_credible(prod(frame.shape) * np.dtype(frame.dtype).itemsize, self.path.stat().st_size)
            return np.asarray(frame.data)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        fabio = optional_package(
            "fabio", package="FabIO", extra="formats", purpose=f"reading {self.path.name}"
        )
        if self.path.suffix.lower() == ".cbf":
            _check_digest(self.path.read_bytes())
        with fabio.open(str(self.path)) as image:
            yield image


def _check_digest(content: bytes) -> None:
    """Raise unless the pixels of a CBF file are whole and as they were written (FabIO only logs it)."""
    header, found, pixels = content.partition(_BEFORE_PIXELS)
    size = re.search(rb"X-Binary-Size:\s*(\d+)", header)
    if not found or size is None:
        raise ValueError("its header is cut short, or it is none")
    nbytes = int(size[1])
    if len(pixels) < nbytes:
        raise ValueError(f"the file is cut short: its pixels take {nbytes} bytes, {len(pixels)} are there")
    stated = re.search(rb"Content-MD5:\s*(\S+)", header)
    digest = b64encode(md5(pixels[:nbytes], usedforsecurity=False).digest())
    if stated is not None and stated[1] != digest:
        raise ValueError("its pixels are not those that were written: the checksum is another one")
