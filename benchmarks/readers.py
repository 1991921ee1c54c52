"""Read rates of the contiguous formats, ours beside RosettaSciIO's lazy reader.

    python -m benchmarks.readers [--frames 64] [--size 2048] [--turns 3] [--folder DIR]

Writes the same uint16 frames in each format, reads every frame once a turn, the readers in turns,
and prints the best rate of each. The files are in the page cache, so this is the time of the
reader, not of the disk; a memory map whose frame is copied, its bytes turned round where they are
big-endian, is the floor.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import describe, print_table
from maskreg.frames import open_frames

Read = Callable[[int], object]


class Layout(NamedTuple):
    """Where frames lie in a file."""

    first: int
    """Where the first one begins, bytes."""
    between: int = 0
    """Bytes between two."""
    dtype: str = "<u2"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=64, help="frames in each file (64)")
    parser.add_argument("--size", type=int, default=2048, metavar="PX", help="rows and columns (2048)")
    parser.add_argument("--turns", type=int, default=3, help="turns of each reader (3)")
    parser.add_argument("--folder", type=Path, help="where to put the files (a temporary folder)")
    args = parser.parse_args()
    frames = np.random.default_rng(0).integers(0, 4000, (args.frames, args.size, args.size), "u2")
    print(describe("maskreg", "numpy", "tifffile", "mrcfile", "rosettasciio", "dask"))
    print(f"{args.frames} frames of {args.size} x {args.size} uint16, {frames.nbytes / 1e6:.0f} MB\n")
    rows = []
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for name, write, plugin, layout in _formats():
            path, where = write(Path(folder), frames)
            readers = {
                "ours": open_frames(where).read,
                "mapped": _mapped(path, frames, layout),
                "rosettasciio": _lazy(path, plugin),
            }
            rows.append([name, *_rates(readers, len(frames), frames[0].nbytes, args.turns)])
            path.unlink()
    print_table(["GB/s", "ours", "memory map, copied", "rosettasciio, lazy"], rows)


def _rates(readers: dict[str, Read | None], count: int, nbytes: int, turns: int) -> list[str]:
    """Return the best rate of each reader, GB/s; the readers take turns."""
    best = dict.fromkeys(readers, float("inf"))
    for _ in range(turns):
        for name, read in readers.items():
            if read is not None:
                begin = time.perf_counter()
                for index in range(count):
                    read(index)
                best[name] = min(best[name], time.perf_counter() - begin)
    return [
        "-" if read is None else f"{count * nbytes / best[name] / 1e9:.2f}" for name, read in readers.items()
    ]


def _formats() -> list[tuple[str, Callable[[Path, NDArray], tuple[Path, str]], str, Layout | None]]:
    """Return name, writer, RosettaSciIO's plug-in, and where the frames lie."""
    return [
        ("raw", _raw, "", Layout(0)),
        ("raw, big-endian", _big_endian, "", Layout(0, dtype=">u2")),
        ("NPY", _npy, "numpy", Layout(128)),
        ("MRC", _mrc, "mrc", Layout(1024)),
        ("MIB (big-endian)", _mib, "quantumdetector", Layout(384, 384, ">u2")),
        ("TIFF", _tiff, "tiff", None),
    ]


def _raw(folder: Path, frames: NDArray) -> tuple[Path, str]:
    path = folder / "f.raw"
    frames.tofile(path)
    return path, f"{path}::shape={frames.shape[1]}x{frames.shape[2]},dtype=uint16"


def _big_endian(folder: Path, frames: NDArray) -> tuple[Path, str]:
    path, described = _raw(folder, frames.astype(">u2"))
    return path, described.replace("uint16", ">u2")


def _npy(folder: Path, frames: NDArray) -> tuple[Path, str]:
    np.save(folder / "f.npy", frames)
    return folder / "f.npy", str(folder / "f.npy")


def _mrc(folder: Path, frames: NDArray) -> tuple[Path, str]:
    import mrcfile

    with mrcfile.new(folder / "f.mrc") as file:
        file.set_data(frames)
    return folder / "f.mrc", str(folder / "f.mrc")


def _mib(folder: Path, frames: NDArray) -> tuple[Path, str]:
    rows, cols = frames.shape[1:]
    with (folder / "f.mib").open("wb") as file:
        for number, frame in enumerate(frames, 1):
            text = f"MQ1,{number:06},00384,01,{cols:04},{rows:04},U16,   1x1,01,2026-05-18 16:51:49.971626,"
            text += "0.000555,0,0,0,1.2E+2,5.11E+2,MQ1A,2026-05-18T14:51:49.971626178Z,555000ns,12,"
            file.write(text.encode().ljust(384, b"\0") + frame.astype(">u2").tobytes())
    return folder / "f.mib", str(folder / "f.mib")


def _tiff(folder: Path, frames: NDArray) -> tuple[Path, str]:
    import tifffile

    tifffile.imwrite(folder / "f.tif", frames, photometric="minisblack")
    return folder / "f.tif", str(folder / "f.tif")


def _mapped(path: Path, frames: NDArray, layout: Layout | None) -> Read | None:
    if layout is None:
        return None
    strides = (frames[0].nbytes + layout.between, frames.strides[1], frames.itemsize)
    mapped = np.ndarray(frames.shape, layout.dtype, np.memmap(path, "u1", "r"), layout.first, strides)
    return lambda index: mapped[index].astype("<u2")


def _lazy(path: Path, plugin: str) -> Read | None:
    """Return how RosettaSciIO's lazy array gives a frame; None where it has no reader, or it fails."""
    if not plugin:
        return None
    import importlib

    try:
        reader = importlib.import_module(f"rsciio.{plugin}")
        data = reader.file_reader(str(path), lazy=True)[0]["data"]
        np.asarray(data[0].compute(scheduler="synchronous"))
    except Exception as error:
        print(f"rosettasciio cannot read this {plugin} file: {error!r}")
        return None
    return lambda index: data[index].compute(scheduler="synchronous")


if __name__ == "__main__":
    main()
