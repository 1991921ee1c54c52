"""Write the aligned frames of a series and which of their pixels are valid."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from maskreg.apply.aligned import AlignedFrames
from maskreg.errors import InputError
from maskreg.frames.seen import sent
from maskreg.outputs import Description, Layer, Shards, StackWriter, open_stack
from maskreg.shifts import FrameRow, ShiftTable
from maskreg.stream import Cluster, Workers

_RESERVED = ("maskreg", "ome", "zarr.json")
"""What the formats themselves, or we, keep beside the images."""

Watch = Callable[[Iterable[Any], int], Iterable[Any]]
"""Is given frames as they come, and how many are done already; hands them on (a progress bar)."""


def unwatched(frames: Iterable[Any], done: int) -> Iterable[Any]:
    """Hand frames on."""
    return frames


def write_aligned(
    aligned: AlignedFrames,
    output: str | os.PathLike[str],
    *,
    workers: Workers = None,
    overwrite: bool = False,
    watch: Watch = unwatched,
) -> None:
    """Write ``frames`` and ``valid``, with shifts, status and metadata as values along the frames.

    Goes on where the same output was left unfinished.

    Parameters
    ----------
    aligned : AlignedFrames
        What is written.
    output : path
        Its suffix says the format, see `maskreg.outputs.open_stack`.
    workers : int or Cluster, optional
        Threads that move frames, all cores unless told; or the cluster whose workers write whole
        shards, which they can of Zarr only. Never changes a byte.
    overwrite : bool
        Replace an output of this name.
    watch : callable
        Is given the frames as they come and how many are done, and hands them on (a progress bar).
    """
    description = Description(
        layers=(Layer("frames", aligned.dtype), Layer("valid", np.dtype(np.bool_))),
        shape=cast("tuple[int, int]", aligned.shape),
        count=len(aligned),
        coordinates=table_coordinates(aligned.table),
        attributes={"maskreg": _how(aligned)},
        made_of=aligned.digest(),
    )
    if isinstance(workers, Cluster):
        _write_on_cluster(aligned, open_stack(output, description, overwrite=overwrite), workers, watch)
        return
    with (
        open_stack(output, description, overwrite=overwrite) as writer,
        closing(aligned.stream(writer.done, workers=workers)) as frames,
    ):
        for image, valid in watch(frames, writer.done):
            writer.write({"frames": image, "valid": valid})


@dataclass(frozen=True)
class _WriteShard:
    """Moves the frames of a shard and writes it: a task of a cluster."""

    aligned: AlignedFrames
    shards: Shards

    def __call__(self, shard: tuple[int, Sequence[FrameRow]]) -> int:
        """Write the shard of some rows, the first of which is this plane, and return how many they are."""
        begin, rows = shard
        images, valid = zip(*(self.aligned.of(row) for row in rows), strict=True)
        self.shards.write(begin, {"frames": np.stack(images), "valid": np.stack(valid)})
        return len(rows)


def _write_on_cluster(aligned: AlignedFrames, opened: StackWriter, cluster: Cluster, watch: Watch) -> None:
    """Have the workers of a cluster write the shards, each by one of them."""
    shards = opened.shards()
    if shards is None:
        raise InputError(f"{opened.path}: one process writes such a file; workers write .zarr side by side")
    with opened as writer:
        task = sent(_WriteShard(aligned.without_rows(), shards), aligned.source)
        items = [(begin, aligned.table.rows[begin:end]) for begin, end in writer.batches()]
        with closing(cluster.map(task, items)) as written:
            for _ in watch(_noted(writer, written), writer.done):
                pass


def _noted(writer: StackWriter, written: Iterable[int]) -> Iterator[None]:
    """Take note of the planes of each shard, and yield once for each of them."""
    for planes in written:
        writer.written(planes)
        yield from [None] * planes


def table_coordinates(table: ShiftTable) -> dict[str, list[Any]]:
    """Return the columns of the table that belong to every frame, metadata too, by name."""
    columns: dict[str, list[Any]] = {
        "shift_row_px": [float(row.registration.shift[0]) for row in table],
        "shift_col_px": [float(row.registration.shift[1]) for row in table],
        "status": [row.registration.status.label for row in table],
        "source": [row.source for row in table],
    }
    keys = dict.fromkeys(key for row in table for key in row.metadata)
    for key, name in names_in_output(keys, (*columns, "frames", "valid")).items():
        columns[name] = [row.metadata.get(key) for row in table]
    return columns


def names_in_output(keys: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """Return what columns of metadata are called in an output, beside images and values of other names.

    HDF5, Zarr and file systems take a slash for a group or a folder, and dots for the one around it.
    """
    used, names = {*taken, *_RESERVED}, {}
    for key in keys:
        name = re.sub(r"[\\/]", "_", key)
        if name in used or name.startswith("__") or not name.strip("."):
            name = f"metadata_{name}"
        while name in used:
            name += "_"
        used.add(name)
        names[key] = name
    return names


def _how(aligned: AlignedFrames) -> dict[str, Any]:
    """Return what was done to the frames, as JSON has it."""
    fill = aligned.fill
    return {
        "order": aligned.moving.order,
        "fill": "NaN" if fill != fill else fill,
        "include": sorted(aligned.moving.include),
    }
