"""The same frames in every format: by other libraries where there is one that writes it, else byte by byte.

Each writer takes a folder and (count, rows, cols) frames, and returns what `open_frames` is called with.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

Write = Callable[[Path, NDArray], "str | Path"]


def tiff(folder: Path, frames: NDArray) -> Path:
    tifffile.imwrite(folder / "f.tif", frames, photometric="minisblack")
    return folder / "f.tif"


def ome_tiff(folder: Path, frames: NDArray) -> Path:
    tifffile.imwrite(folder / "f.ome.tif", frames, metadata={"axes": "TYX"}, photometric="minisblack")
    return folder / "f.ome.tif"


def npy(folder: Path, frames: NDArray) -> Path:
    np.save(folder / "f.npy", frames)
    return folder / "f.npy"


def hdf5(folder: Path, frames: NDArray, **options: Any) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "f.h5", "w") as file:
        file.create_dataset("entry/data", data=frames, **options)
    return folder / "f.h5"


def hdf5_chunked(folder: Path, frames: NDArray) -> Path:
    return hdf5(folder, frames, chunks=(1, *frames.shape[1:]), compression="gzip", shuffle=True)


def hdf5_bitshuffle(folder: Path, frames: NDArray) -> Path:
    hdf5plugin = pytest.importorskip("hdf5plugin")
    return hdf5(folder, frames, chunks=(1, *frames.shape[1:]), **hdf5plugin.Bitshuffle(cname="lz4"))


def zarr_v2(folder: Path, frames: NDArray, version: int = 2) -> Path:
    zarr = pytest.importorskip("zarr", minversion="3.1")
    group = zarr.open_group(str(folder / "f.zarr"), mode="w", zarr_format=version)
    array = group.create_array(
        "frames", shape=frames.shape, dtype=frames.dtype, chunks=(1, *frames.shape[1:])
    )
    array[...] = frames
    return folder / "f.zarr"


def zarr_v3(folder: Path, frames: NDArray) -> Path:
    return zarr_v2(folder, frames, 3)


def mrc(folder: Path, frames: NDArray) -> Path:
    mrcfile = pytest.importorskip("mrcfile")
    with mrcfile.new(folder / "f.mrc") as file:
        file.set_data(frames)
        file.set_image_stack()
    return folder / "f.mrc"


def mib(folder: Path, frames: NDArray, kind: str | None = None, depth: str = "12") -> Path:
    """As the manual of the Merlin detector lays it out: 384 bytes of text, then big-endian pixels."""
    rows, cols = frames.shape[1:]
    kind = kind or f"U{8 * frames.dtype.itemsize:02}"
    with (folder / "f.mib").open("wb") as file:
        for number, frame in enumerate(frames, 1):
            first = (
                f"MQ1,{number:06},00384,01,{cols:04},{rows:04},{kind},   1x1,01,2026-05-18 16:51:49.971626,"
            )
            second = f"0.000555,0,0,0,1.2E+2,5.11E+2,MQ1A,2026-05-18T14:51:49.971626178Z,555000ns,{depth},"
            file.write((first + second).encode().ljust(384, b"\0"))
            file.write(mib_pixels(frame, kind, depth))
    return folder / "f.mib"


def mib_pixels(frame: NDArray, kind: str, depth: str) -> bytes:
    if kind != "R64":
        return frame.astype(frame.dtype.newbyteorder(">")).tobytes()
    bits = {"1": 1, "6": 8, "12": 16}[depth]
    words = []
    for pixels in frame.reshape(-1, 64 // bits).tolist():
        words.append(sum(value << (place * bits) for place, value in enumerate(pixels)))
    return struct.pack(f">{len(words)}Q", *words)


def raw(folder: Path, frames: NDArray) -> str:
    with (folder / "f.raw").open("wb") as file:
        file.write(b"?" * 100)
        for frame in frames:
            file.write(frame.astype(frame.dtype.newbyteorder(">")).tobytes() + b"?" * 12)
    rows, cols = frames.shape[1:]
    dtype = f">{frames.dtype.str[1:]}"
    return f"{folder}/f.raw::shape={rows}x{cols},dtype={dtype},offset=100,gap=12,frames={len(frames)}"


def edf(folder: Path, frames: NDArray) -> Path:
    module = pytest.importorskip("fabio.edfimage")
    image = module.EdfImage(data=frames[0])
    for frame in frames[1:]:
        image.append_frame(data=frame)
    image.write(str(folder / "f.edf"))
    return folder / "f.edf"


def cbf(folder: Path, frames: NDArray) -> Path:
    """One frame a file; CBF counts in 32 bits."""
    module = pytest.importorskip("fabio.cbfimage")
    for number, frame in enumerate(frames):
        module.CbfImage(data=frame.astype("i4")).write(str(folder / f"f{number}.cbf"))
    return folder


def png(folder: Path, frames: NDArray) -> Path:
    """One frame a file, of 8 or 16 bits."""
    imagecodecs = pytest.importorskip("imagecodecs")
    for number, frame in enumerate(frames):
        (folder / f"f{number}.png").write_bytes(imagecodecs.png_encode(frame))
    return folder


def emd(folder: Path, frames: NDArray) -> Path:
    module = pytest.importorskip("rsciio.emd")
    module.file_writer(str(folder / "f.emd"), _signal(frames))
    return folder / "f.emd"


def hspy(folder: Path, frames: NDArray) -> Path:
    module = pytest.importorskip("rsciio.hspy")
    signal = {**_signal(frames), "models": {}, "learning_results": {}, "tmp_parameters": {}}
    signal["attributes"] = {"_lazy": False, "ragged": False}
    signal["package_info"] = {"package": "hyperspy", "package_version": "2.2"}
    module.file_writer(str(folder / "f.hspy"), signal, chunks=(1, *frames.shape[1:]))
    return folder / "f.hspy"


def tvips(folder: Path, frames: NDArray) -> Path:
    module = pytest.importorskip("rsciio.tvips")
    module.file_writer(str(folder / "f_000.tvips"), _signal(frames), show_progressbar=False)
    return folder / "f_000.tvips"


def _signal(frames: NDArray) -> dict[str, Any]:
    """Return frames as RosettaSciIO's writers take them."""
    axes = [
        {"name": name, "size": size, "offset": 0.0, "scale": 1.0, "units": "ms" if name == "time" else "nm",
         "navigate": name == "time", "index_in_array": place}
        for place, (name, size) in enumerate(zip(("time", "y", "x"), frames.shape, strict=True))
    ]  # fmt: skip
    metadata = {"General": {"title": "f"}, "Signal": {"signal_type": ""}}
    return {
        "data": frames,
        "axes": axes,
        "metadata": metadata,
        "original_metadata": {},
        "attributes": {"_lazy": False},
    }


def ser(folder: Path, frames: NDArray) -> Path:
    """As TIA lays it out: a header, the frames with theirs, and where they begin; the last row first."""
    kinds = {"u1": 1, "u2": 2, "u4": 3, "i1": 4, "i2": 5, "i4": 6, "f4": 7, "f8": 8}
    count, rows, cols = frames.shape
    dimension = struct.pack("<IddI", count, 0.0, 1.0, 0) + struct.pack("<I", 0) + struct.pack("<I", 0)
    table = 30 + len(dimension)
    first = table + 8 * count
    body, offsets = b"", []
    for frame in frames:
        offsets.append(first + len(body))
        body += struct.pack("<ddIddIHII", 0, 1e-9, 0, 0, 1e-9, 0, kinds[frame.dtype.str[1:]], cols, rows)
        body += frame[::-1].tobytes() + struct.pack("<HHI", 0x4152, 0, 0)
    tags = [offset + len(body) // count - 8 for offset in offsets]
    header = struct.pack("<HHHIIIIII", 0x4949, 0x0197, 0x0210, 0x4122, 0x4152, count, count, table, 1)
    (folder / "f.ser").write_bytes(header + dimension + struct.pack(f"<{2 * count}I", *offsets, *tags) + body)
    return folder / "f.ser"


def dm4(folder: Path, frames: NDArray) -> Path:
    """A DM4 file with the tags that make an image: ImageList, ImageData with Data, DataType, Dimensions."""
    kinds = {"u1": (10, 6), "u2": (4, 10), "i2": (2, 1), "i4": (3, 7), "f4": (6, 2), "f8": (7, 12)}
    code, data_type = kinds[frames.dtype.str[1:]]

    def tag(name: str, info: list[int], payload: bytes) -> bytes:
        inside = b"%%%%" + struct.pack(f">Q{len(info)}Q", len(info), *info) + payload
        return (
            b"\x15" + struct.pack(">H", len(name)) + name.encode() + struct.pack(">Q", len(inside)) + inside
        )

    def group(name: str, members: list[bytes]) -> bytes:
        inside = b"\0\0" + struct.pack(">Q", len(members)) + b"".join(members)
        return (
            b"\x14" + struct.pack(">H", len(name)) + name.encode() + struct.pack(">Q", len(inside)) + inside
        )

    def number(name: str, value: int) -> bytes:
        return tag(name, [5], struct.pack("<I", value))

    sizes = [number("", size) for size in reversed(frames.shape)]
    calibration = [
        group("", [tag("Origin", [6], struct.pack("<f", 0)), tag("Scale", [6], struct.pack("<f", 1)),
                   tag("Units", [20, 4, 0], b"")])
        for _ in frames.shape
    ]  # fmt: skip
    data = group(
        "ImageData",
        [
            group("Calibrations", [group("Dimension", calibration)]),
            tag("Data", [20, code, frames.size], frames.tobytes()),
            number("DataType", data_type),
            group("Dimensions", sizes),
            number("PixelDepth", frames.dtype.itemsize),
        ],
    )
    image = group("", [data, group("ImageTags", []), tag("Name", [20, 4, 1], b"f\0")])
    root = b"\0\0" + struct.pack(">Q", 1) + group("ImageList", [image])
    (folder / "f.dm4").write_bytes(struct.pack(">IQI", 4, len(root), 1) + root + b"\0" * 8)
    return folder / "f.dm4"
