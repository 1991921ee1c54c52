"""Which dataset, array, image or layout of a file is meant, and the coordinates beside it."""

from __future__ import annotations

from pathlib import Path

import format_writers as write
import h5py
import numpy as np
import pytest
import tifffile
from frame_source_contract import some_frames

from maskreg.errors import FrameError
from maskreg.frames import FrameSource, open_frames

FRAMES = some_frames(6, 16, 32)


def column(source: FrameSource, name: str) -> list[object]:
    return [source.metadata(index).get(name) for index in range(len(source))]


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """An HDF5 file with two stacks."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["entry/one"] = FRAMES[:2]
        file["entry/two"] = FRAMES[2:]
        file["entry/mask"] = np.ones((16, 32))
        file["entry/text"] = "a note"
        file["entry/nowhere"] = h5py.SoftLink("/gone")
        file["entry/round"] = h5py.SoftLink("/entry")
    return tmp_path / "f.h5"


def test_a_dataset_is_named_behind_two_colons(several: Path) -> None:
    source = open_frames(f"{several}::/entry/two")
    assert (len(source), source.name(1)) == (4, "f.h5::/entry/two[1]")
    np.testing.assert_array_equal(source.read(0), FRAMES[2])
    both = open_frames([f"{several}::/entry/one", f"{several}::entry/two"])
    assert len({both.name(index) for index in range(6)}) == 6


def test_what_is_not_clear_is_listed(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["entry/one"], file["entry/two"] = FRAMES[:2], FRAMES[2:]
    with pytest.raises(FrameError) as caught:
        open_frames(tmp_path / "f.h5")
    assert str(caught.value) == (
        "f.h5: is no readable HDF5 file: it holds 2 datasets that may be frames: "
        "/entry/one (2, 16, 32) uint16, /entry/two (4, 16, 32) uint16; name one, such as 'f.h5::/entry/one'"
    )


@pytest.mark.parametrize(
    ("inside", "why"),
    [
        (
            "/entry/tow",
            "has no dataset '/entry/tow'; those with images are: /entry/mask, /entry/one, /entry/two",
        ),
        ("/entry", "'/entry' is a group; name a dataset in it: mask, nowhere, one"),
        ("/entry/text", "pixels are of type object"),
        ("/entry/nowhere", "has no dataset '/entry/nowhere'"),
    ],
)
def test_a_wrong_name_says_what_is_there(several: Path, inside: str, why: str) -> None:
    with pytest.raises(FrameError, match=why) as caught:
        open_frames(f"{several}::{inside}")
    assert "\n" not in str(caught.value)


def test_nexus_tells_its_default_and_its_axes(several: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(several, "a") as file:
        file.attrs["default"] = "entry"
        file["entry"].attrs["default"] = "scan"
        data = file.create_group("entry/scan")
        data.attrs["signal"] = "counts"
        data.attrs["axes"] = ["cycle", "delay", ".", "."]
        data["counts"] = FRAMES.reshape(2, 3, 16, 32)
        data["cycle"], data["delay"] = [1, 2], [-1.5, 0.0, 2.5]
        data["other"] = np.arange(32)
    source = open_frames(several)
    assert len(source) == 6
    assert "/entry/scan/counts, shape (2, 3, 16, 32)" in source.layout()
    np.testing.assert_array_equal(source.read(4), FRAMES[4])
    assert source.metadata(4) == {"cycle": 2, "delay": 0.0}
    assert column(source, "delay") == [-1.5, 0.0, 2.5] * 2


def test_arrays_beside_the_frames_are_columns_where_their_length_leaves_no_doubt(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["frames"] = some_frames(6, 16, 6)
        file["delay"] = np.arange(6.0)
        file["label"] = [f"s{k}" for k in range(6)]
        file["rows"] = np.arange(16.0)
    assert open_frames(tmp_path / "f.h5").metadata(2) == {}  # six is also the number of columns
    with h5py.File(tmp_path / "f.h5", "a") as file:
        del file["frames"]
        file["frames"] = FRAMES
    assert open_frames(tmp_path / "f.h5").metadata(2) == {"delay": 2.0, "label": "s2"}


@pytest.mark.parametrize(
    ("places", "held"),
    [
        ([np.s_[:3], np.s_[3:]], {3, 4, 5}),
        ([np.s_[::2], np.s_[1::2]], {1, 3, 5}),
        ([np.s_[:, :2], np.s_[:, 2:]], {0, 1, 2, 3, 4, 5}),
        ([np.s_[:3], np.s_[3:, 0:0], np.s_[4:5]], {4}),
        ([np.s_[...]], {0, 1, 2, 3, 4, 5}),
    ],
    ids=["one after another", "in turns", "side by side", "not all", "a file for all"],
)
def test_a_frame_of_a_virtual_dataset_whose_file_is_missing_is_no_image(
    tmp_path: Path, places: list[tuple[slice, ...]], held: set[int]
) -> None:
    frames = np.arange(1, 97, dtype=np.uint16).reshape(6, 4, 4)
    whole = h5py.VirtualLayout(frames.shape, frames.dtype)
    for number, place in enumerate(places):
        part = frames[place]
        with h5py.File(tmp_path / f"part{number}.h5", "w") as file:
            file["pixels"] = part
        if part.size:
            whole[place] = h5py.VirtualSource(f"part{number}.h5", "pixels", shape=part.shape)
    with h5py.File(tmp_path / "whole.h5", "w") as file:
        file.create_virtual_dataset("frames", whole)
    source = open_frames(tmp_path / "whole.h5")
    np.testing.assert_array_equal(source.read(4), frames[4])
    missing = tmp_path / f"part{len(places) - 1}.h5"
    missing.unlink()
    for index in range(6):
        if index in held:
            with pytest.raises(FrameError, match=rf"{missing.name}, in which its pixels are, is missing"):
                source.read(index)
        else:
            source.read(index)


def test_dimension_scales_tell_the_axis(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["frames"] = FRAMES.reshape(2, 3, 16, 32)[:, :2]
        file["delay"], file["power"] = [5.0, 6.0], [7.0, 8.0]
        file["delay"].make_scale("delay")
        file["frames"].dims[1].attach_scale(file["delay"])
    source = open_frames(tmp_path / "f.h5")
    assert column(source, "delay") == [5.0, 6.0, 5.0, 6.0]
    assert column(source, "power") == [None] * 4  # two axes of length two: in doubt


@pytest.mark.parametrize("version", [2, 3])
def test_zarr_dimensions_tell_the_axis(tmp_path: Path, version: int) -> None:
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(str(tmp_path / "f.zarr"), mode="w", zarr_format=version)
    names = ["delay", "y", "x"]
    if version == 3:
        array = group.create_array("frames", shape=(6, 6, 32), dtype="u2", dimension_names=names)
    else:
        array = group.create_array("frames", shape=(6, 6, 32), dtype="u2")
        array.attrs["_ARRAY_DIMENSIONS"] = names
    array[...] = FRAMES[:, :6]
    group.create_array("delay", data=np.arange(6.0))
    group.create_array("y", data=np.arange(6.0))
    source = open_frames(tmp_path / "f.zarr")
    assert source.metadata(3) == {"delay": 3.0}
    assert open_frames(f"{tmp_path}/f.zarr::/frames").name(3) == "f.zarr::/frames[3]"
    with pytest.raises(FrameError, match="has no array '/farmes'; those with images are: /frames"):
        open_frames(f"{tmp_path}/f.zarr::/farmes")


def test_ome_zarr_means_its_full_resolution(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(str(tmp_path / "f.zarr"), mode="w", zarr_format=3)
    for level, step in (("0", 1), ("1", 2)):
        group.create_array(level, data=FRAMES[:, ::step, ::step])
    group.attrs["ome"] = {"multiscales": [{"datasets": [{"path": "0"}, {"path": "1"}]}]}
    assert open_frames(tmp_path / "f.zarr").shape == (16, 32)


def test_channels_in_a_series_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Frames of two channels were registered to each other, and their differences reported as jumps."""
    zarr = pytest.importorskip("zarr")
    pixels = some_frames(6, 8, 9).reshape(3, 2, 8, 9)
    tifffile.imwrite(tmp_path / "tc.ome.tif", pixels, metadata={"axes": "TCYX"})
    tifffile.imwrite(tmp_path / "ct.ome.tif", pixels, metadata={"axes": "CTYX"})
    tifffile.imwrite(tmp_path / "ij.tif", pixels, imagej=True, metadata={"axes": "TCYX"})
    image = zarr.open_group(tmp_path / "ome.zarr", mode="w")
    image.create_array("0", data=pixels)
    axes = [{"name": name} for name in "tcyx"]
    image.attrs["ome"] = {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}
    for name in ("tc.ome.tif", "ij.tif", "ome.zarr"):
        caplog.clear()
        first = open_frames(tmp_path / name)[::2]
        assert [message.partition(";")[2] for message in caplog.messages] == [
            " in Python open_frames(...)[::2] is the first of them alone"
        ]
        np.testing.assert_array_equal(first.read(1), pixels[1, 0])
    caplog.clear()
    open_frames(tmp_path / "ct.ome.tif")
    assert "ct.ome.tif: its 3 channels are frames of one series" in caplog.text
    assert caplog.text.rstrip().endswith("write one of them to a file of its own")
    caplog.clear()
    tifffile.imwrite(tmp_path / "tz.ome.tif", pixels, metadata={"axes": "TZYX"})
    tifffile.imwrite(tmp_path / "split.tif", pixels[0, 0], description="ImageJ=1.53\nimages=6\nchannels=2\n")
    open_frames(tmp_path / "tz.ome.tif")
    open_frames(tmp_path / "split.tif")
    assert caplog.messages == []


def test_what_gdal_calls_no_data_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name, dtype, told in (("zero", "u2", "0"), ("nan", "f4", "nan")):
        tag = (42113, "s", 0, told, True)
        tifffile.imwrite(tmp_path / f"{name}.tif", np.eye(8, dtype=dtype), extratags=[tag])
        open_frames(tmp_path / f"{name}.tif")
    assert caplog.messages == [
        "zero.tif: 0 stands for no data in it (GDAL_NODATA); such pixels count unless a mask, "
        "--ignore-below or --ignore-above leaves them out"
    ]


def test_an_ome_tiff_of_two_images_wants_to_know_which(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "f.ome.tif", ome=True) as file:
        file.write(FRAMES, metadata={"axes": "TYX"}, photometric="minisblack")
        file.write(FRAMES[:2, :8], metadata={"axes": "TYX"}, photometric="minisblack")
    with pytest.raises(FrameError, match=r"it holds 2 images that may be frames: 0 \(6, 16, 32\) uint16, 1 "):
        open_frames(tmp_path / "f.ome.tif")
    source = open_frames(f"{tmp_path}/f.ome.tif::1")
    assert (len(source), source.shape, source.name(1)) == (2, (8, 32), "f.ome.tif::1[1]")
    np.testing.assert_array_equal(source.read(1), FRAMES[1, :8])


def test_one_file_of_an_ome_tiff_set_says_that_there_are_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write.ome_tiff(tmp_path, FRAMES)
    with tifffile.TiffFile(tmp_path / "f.ome.tif") as tif:
        text = tif.ome_metadata.replace('SizeT="6"', 'SizeT="9"').replace(
            "</Pixels>",
            '<TiffData FirstT="6" PlaneCount="3" IFD="0">'
            '<UUID FileName="g.ome.tif">urn:uuid:0</UUID></TiffData></Pixels>',
        )
        text = text.replace(
            '<TiffData IFD="0" PlaneCount="6"/>', '<TiffData FirstT="0" IFD="0" PlaneCount="6"/>'
        )
    tifffile.tiffcomment(tmp_path / "f.ome.tif", text)
    source = open_frames(tmp_path / "f.ome.tif")
    assert len(source) == 6
    assert "f.ome.tif: 1 more files belong to its OME-TIFF set" in caplog.text


@pytest.mark.parametrize(("depth", "top"), [("1", 2), ("6", 64), ("12", 4096)])
def test_raw_words_of_the_merlin_detector_are_unpacked(tmp_path: Path, depth: str, top: int) -> None:
    frames = np.random.default_rng(5).integers(0, top, (3, 8, 128)).astype("u2" if depth == "12" else "u1")
    source = open_frames(write.mib(tmp_path, frames, "R64", depth))
    assert (len(source), source.dtype) == (3, frames.dtype)
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(source.read(index), frame)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b",01,0128,", b",04,0128,", "raw .* from 4 chips"),
        (b"555000ns,12", b"555000ns,24", "counters of 24 bits"),
        (b"R64", b"R65", "of the kind 'R65'"),
        (b",00384,", b",00001,", "header"),
    ],
)
def test_mib_files_that_are_not_understood_say_why(tmp_path: Path, old: bytes, new: bytes, why: str) -> None:
    path = write.mib(tmp_path, FRAMES[:, :8].repeat(4, axis=2), "R64")
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(FrameError, match=rf"^f\.mib: is no readable MIB file: .*{why}"):
        open_frames(path)


def test_a_frame_without_its_header_is_not_read(tmp_path: Path) -> None:
    path = write.mib(tmp_path, FRAMES)
    content = bytearray(path.read_bytes())
    content[2 * (384 + 1024)] = 0
    path.write_bytes(content)
    with pytest.raises(FrameError, match=r"f\.mib\[2\]: cannot be read: there is no header"):
        open_frames(path).read(2)


def test_longer_mib_headers_are_believed(tmp_path: Path) -> None:
    path = write.mib(tmp_path, FRAMES)
    parts = [path.read_bytes()[k * 1408 : (k + 1) * 1408] for k in range(6)]
    longer = [part[:384].replace(b",00384,", b",00768,").ljust(768, b"\0") + part[384:] for part in parts]
    path.write_bytes(b"".join(longer))
    np.testing.assert_array_equal(open_frames(path).read(5), FRAMES[5])


@pytest.mark.parametrize(
    ("layout", "why"),
    [
        ("shape=16x32", "has no dtype"),
        ("dtype=uint16", "has no shape"),
        ("shape=16,dtype=uint16", "shape=16 is not ROWSxCOLS"),
        ("shape=16x32,dtype=text", "dtype=text is no type of real numbers"),
        ("shape=16x32,dtype=uint16,ofset=3", "'ofset=3' is no part of a layout"),
        ("shape=16x32,dtype=uint16,offset=-3", "offset=-3 is not a whole number"),
        ("shape=16x33,dtype=uint16", r"are 6144 bytes, or 5\.818 frames of 1056 bytes"),
        ("shape=1600x3200,dtype=uint16", r"or 0\.001 frames"),
        ("shape=16x32,dtype=uint16,frames=0", "frames=0"),
        ("shape=16x32,dtype=uint16,frames=9999999", "frames=9999999"),
    ],
)
def test_a_layout_that_cannot_be_says_why(tmp_path: Path, layout: str, why: str) -> None:
    FRAMES.tofile(tmp_path / "f.bin")
    with pytest.raises(FrameError, match=rf"^f\.bin: is no readable raw binary file: .*{why}"):
        open_frames(f"{tmp_path}/f.bin::{layout}")


def test_raw_files_of_any_name_and_patterns_of_them_are_read(tmp_path: Path) -> None:
    for number in range(3):
        FRAMES[2 * number : 2 * number + 2].tofile(tmp_path / f"scan{number}.xyz")
    source = open_frames(f"{tmp_path}/scan*.xyz::shape=16x32,dtype=uint16")
    assert [source.name(index) for index in (0, 5)] == ["scan0.xyz[0]", "scan2.xyz[1]"]
    np.testing.assert_array_equal(source.read(3), FRAMES[3])


def test_raw_files_without_a_layout_are_told_about_it(tmp_path: Path) -> None:
    FRAMES.tofile(tmp_path / "f.raw")
    with pytest.raises(FrameError, match=r"needs a layout, such as 'f\.raw::shape=512x512,dtype=uint16'"):
        open_frames(tmp_path / "f.raw")


def test_formats_without_parts_refuse_a_name_of_one(tmp_path: Path) -> None:
    path = write.npy(tmp_path, FRAMES)
    with pytest.raises(FrameError, match=r"f\.npy: .*leave '::/data' out"):
        open_frames(f"{path}::/data")


def test_signed_and_unsigned_bytes_of_imod(tmp_path: Path) -> None:
    path = write.mrc(tmp_path, some_frames(2, 8, 16, "i1"))
    content = bytearray(path.read_bytes())
    content[152:160] = (1146047817).to_bytes(4, "little") + (0).to_bytes(4, "little")
    path.write_bytes(content)
    assert open_frames(path).dtype == np.uint8
    content[156] = 1
    path.write_bytes(content)
    assert open_frames(path).dtype == np.int8
