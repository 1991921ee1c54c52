"""How fast aligned frames are written: whole Zarr shards against frame by frame, and the other formats.

    python -m benchmarks.outputs [--size PX] [--frames N]

float32 frames of noise with their masks, from memory to the folder of temporary files; megabytes of
pixels a second, the best of three.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.machine import describe, print_table

ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1024, metavar="PX", help="rows and columns (1024)")
    parser.add_argument("--frames", type=int, default=48, metavar="N", help="frames (48)")
    args = parser.parse_args()

    import numpy as np

    from maskreg.outputs import Description, Layer, zarr_stack

    print(describe("maskreg", "numpy", "zarr", "h5py", "tifffile"))
    rng = np.random.default_rng(0)
    shape = (args.size, args.size)
    frames = [rng.normal(100, 10, shape).astype(np.float32) for _ in range(4)]
    valid = np.ones(shape, bool)
    valid[: args.size // 8] = False
    layers = (Layer("frames", np.dtype("f4")), Layer("valid", np.dtype(bool)))
    told = Description(layers, shape, args.frames)
    rows = []
    for name, suffix, frame_by_frame in (
        ("Zarr, whole shards", ".zarr", False),
        ("Zarr, the same shards, frame by frame", ".zarr", True),
        ("HDF5", ".h5", False),
        ("TIFF", ".tif", False),
    ):
        best = min(
            _seconds(suffix, told, frames, valid, zarr_stack.ZarrStack if frame_by_frame else None)
            for _ in range(ROUNDS)
        )
        megabytes = args.frames * 5 * args.size**2 / 1e6
        rows.append([name, f"{megabytes / best:.0f}", f"{1e3 * best / args.frames:.1f}"])
    print(f"\n{args.frames} frames of {args.size} x {args.size} float32 and their masks\n")
    print_table(["output", "MB/s", "ms a frame"], rows)


def _seconds(suffix, told, frames, valid, frame_by_frame) -> float:
    from maskreg.outputs import open_stack

    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        with open_stack(Path(folder) / f"out{suffix}", told) as writer:
            for number in range(told.planes):
                planes = {"frames": frames[number % len(frames)], "valid": valid}
                if frame_by_frame is None:
                    writer.write(planes)
                else:
                    _write_into_shard(writer, number, planes)
        return time.perf_counter() - begin


def _write_into_shard(writer, number, planes) -> None:
    """Write one frame into its shard at once, as a program does that thinks of no shards."""
    for name, plane in planes.items():
        writer._group[name][number] = plane
    writer._journal.add(number + 1, "")


if __name__ == "__main__":
    main()
