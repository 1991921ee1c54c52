"""One contract for all formats, and one law: the same frames give the same table."""

from __future__ import annotations

import io
from pathlib import Path
from typing import ClassVar

import format_writers as write
import numpy as np
import pytest
from frame_source_contract import FrameSourceContract, some_frames
from numpy.typing import NDArray
from scipy import ndimage

from maskreg import align
from maskreg.frames import FrameSource, open_frames


class FormatContract(FrameSourceContract):
    write: ClassVar[write.Write]

    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        return open_frames(type(self).write(folder, frames))

    def test_says_how_it_is_stored_on_one_line(self, source: FrameSource, tmp_path: Path) -> None:
        assert source.layout()
        assert "\n" not in source.layout()
        assert tmp_path.name not in source.layout()


class TestOmeTiff(FormatContract):
    write = staticmethod(write.ome_tiff)


class TestHdf5(FormatContract):
    write = staticmethod(write.hdf5)


class TestHdf5Chunked(FormatContract):
    write = staticmethod(write.hdf5_chunked)


class TestHdf5Bitshuffle(FormatContract):
    write = staticmethod(write.hdf5_bitshuffle)


class TestZarr2(FormatContract):
    write = staticmethod(write.zarr_v2)


class TestZarr3(FormatContract):
    write = staticmethod(write.zarr_v3)


class TestMrc(FormatContract):
    write = staticmethod(write.mrc)
    dtypes = ("i1", "u2", "i2", "f4")


class TestMib(FormatContract):
    write = staticmethod(write.mib)
    dtypes = ("u1", "u2", "u4")


class TestRaw(FormatContract):
    write = staticmethod(write.raw)


class TestEdf(FormatContract):
    write = staticmethod(write.edf)


class TestPng(FormatContract):
    write = staticmethod(write.png)
    dtypes = ("u1", "u2")


class TestEmd(FormatContract):
    why_it_reads_more = "RosettaSciIO reads EMD in blocks of frames"
    write = staticmethod(write.emd)


class TestHspy(FormatContract):
    write = staticmethod(write.hspy)


class TestTvips(FormatContract):
    write = staticmethod(write.tvips)
    dtypes = ("u1", "u2")


class TestDm4(FormatContract):
    write = staticmethod(write.dm4)


class TestSer(FormatContract):
    why_it_reads_more = "RosettaSciIO reads SER files whole"
    write = staticmethod(write.ser)
    dtypes = ("u1", "u2", "i2", "i4", "f4", "f8")


@pytest.fixture(scope="module")
def drifting() -> NDArray:
    """Four uint16 frames of a texture that drifts by whole pixels."""
    rng = np.random.default_rng(3)
    field = ndimage.gaussian_filter(rng.normal(size=(70, 86)), 1.5)
    field = 1000 + 300 * field / field.std()
    places = ((3, 3), (4, 1), (0, 6), (5, 5))
    frames = [field[row : row + 64, col : col + 80] + rng.normal(0, 20, (64, 80)) for row, col in places]
    return np.array(frames).astype("u2")


def table_without_source(frames: object) -> list[str]:
    stream = io.StringIO()
    align(frames, workers=1).table().to_csv(stream)
    return [",".join([line.split(",")[0], *line.split(",")[2:]]) for line in stream.getvalue().splitlines()]


FORMATS = (
    "tiff ome_tiff npy hdf5_chunked hdf5_bitshuffle zarr_v2 zarr_v3 mrc mib raw edf png emd hspy tvips dm4 "
    "ser"
)


@pytest.mark.parametrize("name", FORMATS.split())
def test_the_same_frames_give_the_same_table(drifting: NDArray, tmp_path: Path, name: str) -> None:
    expected = table_without_source(drifting)
    assert sum(",ok," in line for line in expected) == 3
    assert table_without_source(getattr(write, name)(tmp_path, drifting)) == expected


def test_cbf_gives_the_table_of_its_own_type(drifting: NDArray, tmp_path: Path) -> None:
    assert table_without_source(write.cbf(tmp_path, drifting)) == table_without_source(drifting.astype("i4"))


@pytest.mark.parametrize("name", ["npy", "hdf5", "zarr_v2", "zarr_v3"])
def test_leading_axes_are_counted_in_c_order(tmp_path: Path, name: str) -> None:
    frames = some_frames(6, 8, 16)
    if name.startswith("zarr"):
        zarr = pytest.importorskip("zarr")
        zarr.save_array(str(tmp_path / "f.zarr"), frames.reshape(2, 3, 8, 16), zarr_format=int(name[-1]))
        source = open_frames(tmp_path / "f.zarr")
    else:
        source = open_frames(getattr(write, name)(tmp_path, frames.reshape(2, 3, 8, 16)))
    assert len(source) == 6
    assert source.name(4).endswith("[4]")
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(source.read(index), frame)
