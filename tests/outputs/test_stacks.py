"""The writers, by one contract; and what is particular to each format."""

from __future__ import annotations

import json
import sqlite3
import time

import numpy as np
import pytest
import tifffile
from stack_writer_contract import COUNT, SHAPE, StackWriterContract

from maskreg.errors import InputError, RunError
from maskreg.outputs import Description, Layer, open_stack, zarr_stack
from maskreg.outputs import description as description_module

h5py = pytest.importorskip("h5py")
zarr = pytest.importorskip("zarr")


class TestZarr(StackWriterContract):
    suffix = ".zarr"

    def load(self, path, layer):
        return zarr.open_group(path, mode="r")[layer][...]

    def test_shards_are_whole_and_frames_are_chunks(self, tmp_path, description, planes, monkeypatch):
        monkeypatch.setattr(description_module, "BATCH_BYTES", 2 * 4 * SHAPE[0] * SHAPE[1])
        path = self.written(tmp_path / "out.zarr", description, planes)
        array = zarr.open_group(path, mode="r")["frames"]
        assert (array.shards, array.chunks) == ((2, *SHAPE), (1, *SHAPE))
        assert len(list((path / "frames" / "c").rglob("0"))) >= 1
        np.testing.assert_array_equal(array[...], planes["frames"])

    def test_it_is_ome_zarr_of_version_05(self, tmp_path, description, planes):
        path = self.written(tmp_path / "out.zarr", description, planes)
        told = json.loads((path / "zarr.json").read_text())
        assert (told["zarr_format"], told["node_type"]) == (3, "group")
        ome = told["attributes"]["ome"]
        assert ome["version"] == "0.5"
        for image in ome["multiscales"]:
            (dataset,) = image["datasets"]
            array = zarr.open_group(path, mode="r")[dataset["path"]]
            names = [axis["name"] for axis in image["axes"]]
            assert tuple(names) == array.metadata.dimension_names == ("frame", "y", "x")
            (scale,) = dataset["coordinateTransformations"]
            assert (scale["type"], len(scale["scale"])) == ("scale", array.ndim)

    def test_values_along_the_frames(self, tmp_path, description, planes):
        group = zarr.open_group(self.written(tmp_path / "out.zarr", description, planes), mode="r")
        np.testing.assert_array_equal(group["delay"][...], [-1, 0, 0.5, 1, 2])
        np.testing.assert_array_equal(group["scan"][...], [1, np.nan, 3, np.nan, 5])
        assert group.attrs["source"] == [f"f{i}.tif" for i in range(COUNT)]

    def test_an_interrupt_waits_for_the_shard_that_is_written(self, monkeypatch):
        done, join = [], zarr_stack.Thread.join

        def interrupted(thread, *rest):
            monkeypatch.undo()
            raise KeyboardInterrupt

        monkeypatch.setattr(zarr_stack.Thread, "join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            zarr_stack._to_its_end(lambda: (time.sleep(0.2), done.append(1)))
        assert done == [1]
        assert zarr_stack.Thread.join is join

    def test_what_zarr_raises_is_raised(self):
        with pytest.raises(OSError, match="full"):
            zarr_stack._to_its_end(lambda: (_ for _ in ()).throw(OSError("full")))

    def test_xarray_opens_it(self, tmp_path, description, planes):
        xarray = pytest.importorskip("xarray")
        path = self.written(tmp_path / "out.zarr", description, planes)
        with xarray.open_zarr(path, consolidated=False) as data:
            assert data.frames.dims == ("frame", "y", "x")


class TestHdf5(StackWriterContract):
    suffix = ".h5"

    def load(self, path, layer):
        with h5py.File(path) as file:
            return file[layer][...]

    def test_values_along_the_frames(self, tmp_path, description, planes):
        with h5py.File(self.written(tmp_path / "out.h5", description, planes)) as file:
            np.testing.assert_array_equal(file["delay"][...], [-1, 0, 0.5, 1, 2])
            np.testing.assert_array_equal(file["scan"][...], [1, np.nan, 3, np.nan, 5])
            assert list(file["source"].asstr()) == [f"f{i}.tif" for i in range(COUNT)]
            assert json.loads(file.attrs["maskreg"]) == {"order": 5}


class TestTiff(StackWriterContract):
    suffix = ".tif"

    def load(self, path, layer):
        return tifffile.imread(path if layer == "frames" else path.with_name(f"out_{layer}.tif"))

    def test_a_mask_is_black_and_white(self, tmp_path, description, planes):
        self.written(tmp_path / "out.tif", description, planes)
        assert set(np.unique(tifffile.imread(tmp_path / "out_valid.tif"))) == {0, 255}

    def test_values_along_the_frames(self, tmp_path, description, planes):
        self.written(tmp_path / "out.tif", description, planes)
        lines = (tmp_path / "out_frames.csv").read_text().splitlines()
        assert lines[:3] == ["delay,scan,source", "-1.0,1,f0.tif", "0.0,,f1.tif"]

    def test_what_four_gigabytes_cannot_hold_is_a_bigtiff(self, tmp_path, monkeypatch):
        monkeypatch.setattr("maskreg.outputs.tiff_stack._CLASSIC_LIMIT", 100)
        told = Description((Layer("frames", np.dtype("f4")),), (9, 9), 1)
        with open_stack(tmp_path / "big.tif", told) as writer:
            writer.write({"frames": np.ones((9, 9), np.float32)})
        with tifffile.TiffFile(tmp_path / "big.tif") as file:
            assert file.is_bigtiff


@pytest.mark.parametrize("suffix", [".h5", ".tif"])
def test_what_the_disk_has_no_room_for_is_refused_before_it_is_begun(tmp_path, suffix, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("maskreg.outputs.flat_stack.shutil.disk_usage", lambda folder: usage)
    told = Description((Layer("frames", np.dtype("f4")),), (100, 100), 7)
    with (
        pytest.raises(RunError, match=r"it takes 0\.00028 GB, and 1e-06 GB are free; make room"),
        open_stack(tmp_path / f"out{suffix}", told),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_for_the_journal_is_told_as_full(tmp_path, monkeypatch):
    class Full:
        def execute(self, statement):
            raise sqlite3.OperationalError("database or disk is full")

        def close(self):
            pass

    monkeypatch.setattr("maskreg.outputs.journal.sqlite3.connect", lambda *_, **__: Full())
    told = Description((Layer("frames", np.dtype("f4")),), (9, 9), 1)
    with (
        pytest.raises(
            RunError, match=r"cannot write .*out\.tif: .*disk is full; make room and give the same"
        ),
        open_stack(tmp_path / "out.tif", told),
    ):
        pass


def test_another_suffix_says_which_there_are(tmp_path):
    told = Description((Layer("frames", np.dtype("f4")),), (9, 9), 1)
    with pytest.raises(InputError, match=r"images are written as \.zarr, \.h5, .*; name it so"):
        open_stack(tmp_path / "out.jpg", told)
