from __future__ import annotations

import builtins
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from frame_source_contract import FrameSourceContract, some_frames
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from maskreg.errors import FrameError, FrameShapeError, MissingExtraError
from maskreg.frames import FrameSource, open_frames

FRAMES = some_frames(10, 32, 48)


def write(path: Path, pixels: NDArray, **options: object) -> None:
    """Write with tifffile, which would take a stack of three or four frames for colours."""
    tifffile.imwrite(path, pixels, **{"photometric": "minisblack", **options})


def paged(path: Path, frames: NDArray, **options: object) -> None:
    """Write each frame with a directory and a description of its own."""
    with tifffile.TiffWriter(path) as tif:
        for frame in frames:
            tif.write(frame, **options)


class TestTiffStack(FrameSourceContract):
    """Contiguous data behind one description, directories at the end of the file."""

    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        write(folder / "frames.tif", frames)
        return open_frames(folder / "frames.tif")


class TestBigTiff(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        write(folder / "frames.btf", frames, bigtiff=True)
        return open_frames(folder / "frames.btf")


class TestBigEndianTiff(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        write(folder / "frames.tif", frames, byteorder=">")
        return open_frames(folder / "frames.tif")


class TestPageByPageTiff(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        paged(folder / "frames.tif", frames, metadata=None)
        return open_frames(folder / "frames.tif")


class TestCompressedTiff(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        write(folder / "frames.tif", frames, compression="zlib", predictor=True)
        return open_frames(folder / "frames.tif")


class TestTiledTiff(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        write(folder / "frames.tif", frames, tile=(16, 16))
        return open_frames(folder / "frames.tif")


class TestStackBehindOneDirectory(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        write(folder / "frames.tif", frames, truncate=True)
        return open_frames(folder / "frames.tif")


class TestVolume(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        write(folder / "frames.tif", frames, volumetric=True)
        return open_frames(folder / "frames.tif")


class TestImageJ(FrameSourceContract):
    dtypes = ("u1", "u2", "f4")  # all that ImageJ knows

    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        if frames.dtype == np.float64:
            frames = frames.astype("f4")
        write(folder / "frames.tif", frames, imagej=True)
        return open_frames(folder / "frames.tif")


@pytest.mark.parametrize("compression", ["lzw", "zstd", "packbits", "lzma"])
def test_what_imagecodecs_decodes_is_read(tmp_path: Path, compression: str) -> None:
    pytest.importorskip("imagecodecs")
    write(tmp_path / "f.tif", FRAMES, compression=compression)
    source = open_frames(tmp_path / "f.tif")
    for index, frame in enumerate(FRAMES):
        np.testing.assert_array_equal(source.read(index), frame)


def test_a_decoder_that_is_missing_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "f.tif", FRAMES, compression="lzw")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    def refuse(page: object, **_: object) -> None:
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", refuse)
    with pytest.raises(
        MissingExtraError, match=r'LZW needs imagecodecs: python -m pip install "maskreg\[app\]"'
    ):
        open_frames(tmp_path / "f.tif")


def test_one_page_is_a_frame_without_an_index(tmp_path: Path) -> None:
    write(tmp_path / "f.tif", FRAMES[0])
    source = open_frames(tmp_path / "f.tif")
    assert (len(source), source.name(0), source.root) == (1, "f.tif", tmp_path)


def test_a_frame_of_a_stack_is_named_with_its_index(tmp_path: Path) -> None:
    write(tmp_path / "f.tif", FRAMES)
    assert open_frames(tmp_path / "f.tif").name(7) == "f.tif[7]"


def test_a_hyperstack_is_read_plane_by_plane(tmp_path: Path) -> None:
    write(tmp_path / "f.tif", FRAMES.reshape(2, 5, 32, 48))
    np.testing.assert_array_equal(open_frames(tmp_path / "f.tif").read(6), FRAMES[6])


def test_a_page_that_keeps_the_description_of_its_stack_is_one_frame(tmp_path: Path) -> None:
    write(tmp_path / "f.tif", FRAMES[0], description='{"shape": [10, 32, 48]}', metadata=None)
    source = open_frames(tmp_path / "f.tif")
    assert len(source) == 1
    np.testing.assert_array_equal(source.read(0), FRAMES[0])


def test_one_bit_pages_are_numbers(tmp_path: Path) -> None:
    write(tmp_path / "f.tif", FRAMES[0] > 30000)
    source = open_frames(tmp_path / "f.tif")
    assert source.dtype == np.uint8
    np.testing.assert_array_equal(source.read(0), FRAMES[0] > 30000)


class TestCutShort:
    """A stack of which the writer was killed: what is in it is read, the rest is named."""

    @staticmethod
    def cut(path: Path, keep: int) -> FrameSource:
        path.write_bytes(path.read_bytes()[:keep])
        return open_frames(path)

    @pytest.mark.parametrize("options", [{}, {"truncate": True}, {"bigtiff": True}, {"byteorder": ">"}])
    def test_contiguous_data(self, tmp_path: Path, options: dict[str, object]) -> None:
        path = tmp_path / "f.tif"
        write(path, FRAMES, **options)
        with tifffile.TiffFile(path) as tif:
            start = tif.pages.first.dataoffsets[0]
        source = self.cut(path, start + FRAMES[0].nbytes * 13 // 2)
        assert len(source) == 10
        for index in range(6):
            np.testing.assert_array_equal(source.read(index), FRAMES[index])
        for index in range(6, 10):
            with pytest.raises(
                FrameError, match=rf"f\.tif\[{index}\]: cannot be read: the file is cut short"
            ):
                source.read(index)

    def test_only_the_directories_are_missing(self, tmp_path: Path) -> None:
        path = tmp_path / "f.tif"
        write(path, FRAMES)
        with tifffile.TiffFile(path) as tif:
            fourth = tif.pages[3].offset
        source = self.cut(path, fourth + 5)
        assert len(source) == 10
        np.testing.assert_array_equal([source.read(index) for index in range(10)], FRAMES)

    @pytest.mark.parametrize("options", [{"metadata": None}, {"compression": "zlib"}])
    def test_page_by_page(self, tmp_path: Path, options: dict[str, object]) -> None:
        path = tmp_path / "f.tif"
        paged(path, FRAMES, **options)
        with tifffile.TiffFile(path) as tif:
            fourth, data = tif.pages[3].offset, tif.pages[3].dataoffsets[0]
        assert data > fourth
        source = self.cut(path, data + 100)
        assert len(source) == 5
        for index in range(3):
            np.testing.assert_array_equal(source.read(index), FRAMES[index])
        with pytest.raises(FrameError, match=r"f\.tif\[3\]: cannot be read: the file is cut short"):
            source.read(3)
        with pytest.raises(FrameError, match=r"f\.tif\[4\]: .*the directory of this page is missing"):
            source.read(4)

    def test_a_compressed_stack_keeps_the_number_of_frames_it_states(self, tmp_path: Path) -> None:
        path = tmp_path / "f.tif"
        write(path, FRAMES, compression="zlib")
        source = self.cut(path, path.stat().st_size // 2)
        assert len(source) == 10
        np.testing.assert_array_equal(source.read(2), FRAMES[2])
        with pytest.raises(FrameError, match="cut short"):
            source.read(9)

    @settings(derandomize=True, deadline=None, max_examples=60)
    @given(keep=st.integers(0, 6000), layout=st.sampled_from(["stack", "paged", "compressed"]))
    def test_wherever_it_is_cut_a_frame_is_right_or_an_error(
        self, tmp_path_factory: pytest.TempPathFactory, keep: int, layout: str
    ) -> None:
        path = tmp_path_factory.mktemp("cut") / "f.tif"
        frames = some_frames(4, 16, 24)
        if layout == "paged":
            paged(path, frames)
        else:
            write(path, frames, compression="zlib" if layout == "compressed" else None)
        try:
            source = self.cut(path, keep)
        except FrameError:
            return
        read = 0
        for index in range(len(source)):
            try:
                frame = source.read(index)
            except FrameError:
                continue
            np.testing.assert_array_equal(frame, frames[index])
            read += 1
        assert read > 0


class TestBroken:
    def test_pages_of_another_shape_are_named(self, tmp_path: Path) -> None:
        with tifffile.TiffWriter(tmp_path / "f.tif") as tif:
            tif.write(FRAMES[0])
            tif.write(FRAMES[1][:16])
            tif.write(FRAMES[2])
        source = open_frames(tmp_path / "f.tif")
        text = r"f\.tif\[1\]: shape \(16, 48\), the reference has \(32, 48\); is this another detector mode\?"
        with pytest.raises(FrameShapeError, match=text):
            source.read(1)
        np.testing.assert_array_equal(source.read(2), FRAMES[2])
        assert source.load(1).shape == (16, 48)

    def test_colour_is_refused(self, tmp_path: Path) -> None:
        write(tmp_path / "f.tif", np.zeros((8, 8, 3), "u1"), photometric="rgb")
        with pytest.raises(FrameError, match=r"f\.tif: .*YXS \(8, 8, 3\).*convert colours to grey"):
            open_frames(tmp_path / "f.tif")

    def test_a_short_stack_that_was_written_as_colours_is_explained(self, tmp_path: Path) -> None:
        write(tmp_path / "f.tif", FRAMES[:3], photometric="rgb", planarconfig="separate")
        with pytest.raises(FrameError, match=r"SYX \(3, 32, 48\).*photometric='minisblack'"):
            open_frames(tmp_path / "f.tif")

    def test_complex_numbers_are_refused(self, tmp_path: Path) -> None:
        write(tmp_path / "f.tif", np.zeros((8, 8), "c8"))
        with pytest.raises(FrameError, match=r"f\.tif: .*complex64; a frame holds real numbers"):
            open_frames(tmp_path / "f.tif")

    @pytest.mark.parametrize("content", [b"", b"II", b"II*\0", b"no image at all", b"II*\0\xff\xff\xff\xff"])
    def test_what_is_no_tiff_is_named(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "f.tif").write_bytes(content)
        with pytest.raises(FrameError, match=r"^f\.tif: is no readable TIFF file: ") as caught:
            open_frames(tmp_path / "f.tif")
        assert "\n" not in str(caught.value)

    def test_a_broken_page_does_not_hide_the_others(self, tmp_path: Path) -> None:
        path = tmp_path / "f.tif"
        write(path, FRAMES, compression="zlib")
        with tifffile.TiffFile(path) as tif:
            start, count = tif.pages[0].dataoffsets[0], tif.pages[0].databytecounts[0]
        content = bytearray(path.read_bytes())
        content[start : start + count] = bytes(count)
        path.write_bytes(content)
        source = open_frames(path)
        assert (len(source), source.shape) == (10, (32, 48))
        with pytest.raises(FrameError, match=r"f\.tif\[0\]: cannot be read"):
            source.read(0)
        np.testing.assert_array_equal(source.read(1), FRAMES[1])

    @pytest.mark.parametrize("compression", [1, 8])
    def test_absurd_sizes_are_refused_before_memory_is_taken(self, tmp_path: Path, compression: int) -> None:
        entries = [
            (256, 4, 10**6),  # ImageWidth
            (257, 4, 10**6),  # ImageLength
            (258, 3, 16),
            (259, 3, compression),
            (262, 3, 1),
            (273, 4, 8),  # StripOffsets
            (277, 3, 1),
            (278, 4, 10**6),  # RowsPerStrip
            (279, 4, 100),  # StripByteCounts
        ]
        directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
        content = b"II*\0" + struct.pack("<I", 108) + bytes(100)
        content += struct.pack("<H", len(entries)) + directory + bytes(4)
        (tmp_path / "f.tif").write_bytes(content)
        with pytest.raises(
            FrameError, match=r"f\.tif: cannot be read: (the file is cut short|its header claims)"
        ):
            open_frames(tmp_path / "f.tif")

    def test_a_description_that_cannot_be_true_is_not_believed(self, tmp_path: Path) -> None:
        write(tmp_path / "f.tif", FRAMES[0], description='{"shape": [99999999, 32, 48]}', metadata=None)
        assert len(open_frames(tmp_path / "f.tif")) == 1

    def test_neither_is_an_absurd_depth(self, tmp_path: Path) -> None:
        path = tmp_path / "f.tif"
        write(path, FRAMES, volumetric=True)
        with tifffile.TiffFile(path) as tif:
            value = tif.pages.first.tags["ImageDepth"].valueoffset
        content = bytearray(path.read_bytes())
        struct.pack_into("<H", content, value, 65535)
        path.write_bytes(content)
        with pytest.raises(FrameError, match=r"f\.tif: cannot be read: its axes are ZYX \(65535, 32, 48\)"):
            open_frames(path)

    def test_directories_in_a_circle_come_to_an_end(self, tmp_path: Path) -> None:
        path = tmp_path / "f.tif"
        paged(path, FRAMES[:3], metadata=None)
        with tifffile.TiffFile(path) as tif:
            first, last = tif.pages[0].offset, tif.pages[2].offset
        content = bytearray(path.read_bytes())
        (tags,) = struct.unpack_from("<H", content, last)
        struct.pack_into("<I", content, last + 2 + 12 * tags, first)
        path.write_bytes(content)
        source = open_frames(path)
        np.testing.assert_array_equal(source.read(2), FRAMES[2])
        with pytest.raises(FrameError, match="directory of this page is missing"):
            source.read(3)


def test_files_are_opened_for_reading_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "f.tif", FRAMES)
    modes = []
    original = builtins.open

    def spy(file: object, mode: str = "r", *args: object, **options: object) -> object:
        modes.append(mode)
        return original(file, mode, *args, **options)

    monkeypatch.setattr("builtins.open", spy)
    open_frames(tmp_path / "f.tif").read(3)
    assert modes
    assert set(modes) <= {"rb", "r"}


@pytest.mark.parametrize("name", ["graphite_series", "xray_rings_series"])
def test_real_series_are_read_as_tifffile_reads_them(shared_data: Path, name: str) -> None:
    path = shared_data / name / "frames.tif"
    expected = tifffile.imread(path)
    source = open_frames(path)
    assert (len(source), *source.shape) == expected.shape
    for index in (0, 1, len(source) - 1):
        np.testing.assert_array_equal(source.read(index), expected[index])
