"""TIFF: a file per layer, a page per plane; BigTIFF where 4 GB do not suffice.

The layer called ``frames`` has the file's own name, every other one adds its own:
``aligned.tif`` and ``aligned_valid.tif``; ``merged_mean.tif``, ``merged_count.tif``. Masks are 0 and
255. What a value a plane belongs to goes into a CSV file beside them.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.outputs.description import Layer
from maskreg.outputs.flat_stack import FlatStack, Place
from maskreg.outputs.stack import part_of, sibling

MAIN_LAYER = "frames"

_CLASSIC_LIMIT = 4_000_000_000
"""Bytes of pixels beyond which a file is a BigTIFF; some are left for the pages' own data."""


class TiffStack(FlatStack):
    """A multi-page TIFF file per layer; see `FlatStack`."""

    def _make_files(self) -> None:
        import tifffile

        told = self.description
        for layer in told.layers:
            dtype = np.dtype(np.uint8) if layer.dtype == np.bool_ else layer.dtype
            nbytes = told.planes * told.shape[0] * told.shape[1] * dtype.itemsize
            with tifffile.TiffWriter(part_of(self._file(layer)), bigtiff=nbytes > _CLASSIC_LIMIT) as writer:
                shape = (told.planes, *told.shape)
                writer.write(None, shape=shape, dtype=dtype, photometric="minisblack", metadata=None)
        if told.coordinates:
            self._write_table(part_of(self._table()))

    def _places(self) -> dict[str, Place]:
        import tifffile

        places = {}
        for layer in self.description.layers:
            part = part_of(self._file(layer))
            with tifffile.TiffFile(part) as file:
                places[layer.name] = Place(part, file.pages.first.dataoffsets[0])
        return places

    def _files(self) -> dict[Path, Path]:
        finals = [self._file(layer) for layer in reversed(self.description.layers)]
        if self.description.coordinates:
            finals.insert(0, self._table())
        return {part_of(final): final for final in finals}

    def _file(self, layer: Layer) -> Path:
        return self.path if layer.name == MAIN_LAYER else sibling(self.path, layer.name)

    def _table(self) -> Path:
        return sibling(self.path, f"{self.description.axis}s", ".csv")

    def _write_table(self, path: Path) -> None:
        columns = self.description.coordinates
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))

    def _stored(self, stack: NDArray[Any]) -> NDArray[Any]:
        return np.where(stack, np.uint8(255), np.uint8(0)) if stack.dtype == np.bool_ else stack
