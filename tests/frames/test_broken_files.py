"""Cut short, empty, of another kind, or with a header that lies: one clear line each."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import format_writers as write
import numpy as np
import pytest
from frame_source_contract import some_frames

from maskreg.errors import FrameError, InputError, MaskregError
from maskreg.frames import open_frames
from maskreg.masks import load_mask

FRAMES = some_frames(4, 16, 32)
ONE_FILE = ["hdf5", "hdf5_chunked", "mrc", "mib", "edf", "emd", "tvips", "dm4", "ser"]
SUFFIXES = [
    ".h5",
    ".nxs",
    ".mrc",
    ".mib",
    ".edf",
    ".cbf",
    ".dm3",
    ".dm4",
    ".emd",
    ".ser",
    "_000.tvips",
    ".png",
]


def needs(suffix: str) -> None:
    if suffix in (".edf", ".cbf"):
        pytest.importorskip("fabio")
    if suffix in (".dm3", ".dm4", ".emd", ".ser", "_000.tvips"):
        pytest.importorskip("rsciio")


def refused(where: str | Path) -> str:
    """Return why opening or reading all frames fails, having taken little memory for it."""
    tracemalloc.start()
    try:
        with pytest.raises(MaskregError) as caught:
            source = open_frames(where)
            for index in range(len(source)):
                source.read(index)
        assert tracemalloc.get_traced_memory()[1] < 2**27
    finally:
        tracemalloc.stop()
    text = str(caught.value)
    assert "\n" not in text
    assert str(Path(where).parent) not in text
    return text


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"no such file at all, whatever it is called\n" * 100])
def test_empty_files_and_other_kinds_are_named(tmp_path: Path, suffix: str, content: bytes) -> None:
    needs(suffix)
    (tmp_path / f"f{suffix}").write_bytes(content)
    assert refused(tmp_path / f"f{suffix}").startswith(f"f{suffix}")


@pytest.mark.parametrize("name", ONE_FILE)
def test_a_file_that_was_cut_short_says_so_in_its_own_words(tmp_path: Path, name: str) -> None:
    path = getattr(write, name)(tmp_path, FRAMES)
    path.write_bytes(path.read_bytes()[: -FRAMES[0].nbytes * 2 // 3])
    assert refused(path).startswith(path.name)


@pytest.mark.parametrize("name", ["mrc", "mib", "edf"])
def test_the_frames_before_the_cut_are_read(tmp_path: Path, name: str) -> None:
    path = getattr(write, name)(tmp_path, FRAMES)
    path.write_bytes(path.read_bytes()[:-600])
    source = open_frames(path)
    assert len(source) == 4
    for index in range(3):
        np.testing.assert_array_equal(source.read(index), FRAMES[index])
    with pytest.raises(FrameError, match=r"\[3\]: cannot be read: the file is cut short"):
        source.read(3)


@pytest.mark.parametrize("behind", [b"\0\0\0\0", b"garbage and more of it"])
def test_a_tiff_that_is_nothing_but_a_header_holds_no_image(tmp_path: Path, behind: bytes) -> None:
    (tmp_path / "f.tif").write_bytes(b"II*\0" + behind)
    said = refused(tmp_path / "f.tif")
    assert said == "f.tif: is no readable TIFF file: it holds no image; was it cut short?"
    with pytest.raises(InputError, match=r"it holds no image; was it cut short\?|cannot be read"):
        load_mask(tmp_path / "f.tif")


def test_a_cbf_whose_pixels_changed_is_no_image(tmp_path: Path) -> None:
    write.cbf(tmp_path, FRAMES[:1])
    content = bytearray((tmp_path / "f0.cbf").read_bytes())
    content[-300] ^= 1
    (tmp_path / "f0.cbf").write_bytes(content)
    assert "the checksum is another one" in refused(tmp_path / "f0.cbf")
    (tmp_path / "f0.cbf").write_bytes(content[:-700])
    assert "cut short" in refused(tmp_path / "f0.cbf")


def patched(path: Path, offset: int, values: bytes) -> Path:
    content = bytearray(path.read_bytes())
    content[offset : offset + len(values)] = values
    path.write_bytes(content)
    return path


def test_an_mrc_header_that_lies_takes_no_memory(tmp_path: Path) -> None:
    path = patched(write.mrc(tmp_path, FRAMES), 0, struct.pack("<3i", 10**6, 10**6, 10**6))
    assert "its header claims 2e+18 bytes" in refused(path)


@pytest.mark.parametrize(
    ("mode", "why"), [(4, r"mode is 4 (complex numbers)"), (101, "4-bit"), (77, "mode is 77")]
)
def test_mrc_modes_that_hold_no_frames_are_named(tmp_path: Path, mode: int, why: str) -> None:
    assert why in refused(patched(write.mrc(tmp_path, FRAMES), 12, struct.pack("<i", mode)))


def test_a_mib_header_that_lies_takes_no_memory(tmp_path: Path) -> None:
    path = write.mib(tmp_path, FRAMES)
    path.write_bytes(path.read_bytes().replace(b",0032,0016,", b",90000,90000,"))
    assert "one frame of 90000 x 90000 px, U16, takes 16200000384" in refused(path)


def test_an_hdf5_shape_that_lies_takes_no_memory(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_dataset("a", (4, 10**6, 10**6), "u2", chunks=(1, 100, 100))
    assert "its header claims 8e+12 bytes" in refused(tmp_path / "f.h5")


def test_zarr_chunks_that_lie_take_no_memory(tmp_path: Path) -> None:
    path = write.zarr_v3(tmp_path, FRAMES)
    meta = json.loads((path / "frames" / "zarr.json").read_text())
    meta["shape"] = [4, 10**6, 10**6]
    (path / "frames" / "zarr.json").write_text(json.dumps(meta))
    assert "its header claims 8e+12 bytes" in refused(path)


def test_a_zarr_chunk_that_was_cut_short_is_the_problem_of_its_frame(tmp_path: Path) -> None:
    path = write.zarr_v3(tmp_path, FRAMES)
    chunk = path / "frames" / "c" / "2" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-7])
    source = open_frames(path)
    np.testing.assert_array_equal(source.read(1), FRAMES[1])
    with pytest.raises(FrameError, match=r"f\.zarr\[2\]: cannot be read: "):
        source.read(2)


@pytest.mark.parametrize(("suffix", "tool"), [(".gz", "gunzip"), (".bz2", "bunzip2")])
def test_a_compressed_mrc_file_is_refused_with_what_to_do(tmp_path: Path, suffix: str, tool: str) -> None:
    (tmp_path / f"f.mrc{suffix}").write_bytes(b"...")
    assert f"unpack it: {tool} f.mrc{suffix}" in refused(tmp_path / f"f.mrc{suffix}")


def test_a_missing_hdf5_filter_names_the_extra(tmp_path: Path) -> None:
    path = write.hdf5_bitshuffle(tmp_path, FRAMES)
    # in a process of its own: filters that were registered once stay
    code = (
        "import sys; sys.modules['hdf5plugin'] = None\n"
        "from maskreg.frames import open_frames\n"
        "try: open_frames(sys.argv[1])\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "f.h5: /entry/data is compressed with HDF5 filter 32008 (bitshuffle), which needs hdf5plugin: "
        'python -m pip install "maskreg[formats]"\n'
    )


@pytest.mark.parametrize(
    ("module", "writer", "package", "extra"),
    [
        ("h5py", "hdf5", "h5py", "app"),
        ("zarr", "zarr_v3", "zarr", "app"),
        ("fabio", "edf", "FabIO", "formats"),
        ("rsciio", "dm4", "RosettaSciIO", "gpl"),
    ],
)
def test_a_missing_package_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, writer: str, package: str, extra: str
) -> None:
    path = getattr(write, writer)(tmp_path, FRAMES)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"^reading {path.name} needs {package}: .*maskreg\[{extra}\]"):
        open_frames(path)
