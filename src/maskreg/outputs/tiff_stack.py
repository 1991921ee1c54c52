"""TIFF: a file per layer, a page per plane; BigTIFF where 4 GB do not suffice.

The layer called ``frames`` has the file's own name, every other one adds its own:
``aligned.tif`` and ``aligned_valid.tif``; ``merged_mean.tif``, ``merged_count.tif``. Masks are 0 and
255. What a value a plane belongs to goes into a CSV file beside them.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.outputs.stack import Layer, StackWriter, part_of, sibling

MAIN_LAYER = "frames"

_CLASSIC_LIMIT = 4_000_000_000
"""Bytes of pixels beyond which a file is a BigTIFF; some are left for the pages' own data."""


class TiffStack(StackWriter):
    """A multi-page TIFF file per layer; see `StackWriter`."""

    def _open(self) -> None:
        import tifffile

        told = self.description
        pixels = told.planes * told.shape[0] * told.shape[1]
        self._writers: dict[str, Any] = {}
        for layer in told.layers:
            self._writers[layer.name] = tifffile.TiffWriter(
                part_of(self._file(layer)), bigtiff=pixels * layer.dtype.itemsize > _CLASSIC_LIMIT
            )
        if told.coordinates:
            self._write_table(part_of(self._table()))

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

    def _append(self, number: int, planes: Mapping[str, NDArray[Any]]) -> None:
        for name, writer in self._writers.items():
            plane = planes[name]
            pixels = np.where(plane, np.uint8(255), np.uint8(0)) if plane.dtype == np.bool_ else plane
            writer.write(pixels, photometric="minisblack", metadata=None, contiguous=False)

    def _finish(self) -> None:
        for writer in self._writers.values():
            writer.close()
