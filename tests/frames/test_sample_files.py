"""Files that came with other packages: nobody of us wrote them."""

from __future__ import annotations

import gzip
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from maskreg.errors import FrameError
from maskreg.frames import open_frames


def shipped(package: str, name: str) -> Path:
    """Return a file of an installed package, whatever of it is importable."""
    pytest.importorskip(package)
    path = Path(str(files(package))) / name
    if not path.is_file():
        pytest.skip(f"this {package} comes without {name}")
    return path


def test_faces_in_npy_by_scikit_image():
    path = shipped("skimage", "data/lfw_subset.npy")
    with open_frames(path) as source:
        assert (len(source), source.shape, source.dtype) == (200, (25, 25), np.float64)
        np.testing.assert_array_equal(source.read(123), np.load(path)[123])


def test_a_head_in_raw_binary_by_matplotlib(tmp_path):
    path = shipped("matplotlib", "mpl-data/sample_data/s1045.ima.gz")
    pixels = gzip.decompress(path.read_bytes())
    (tmp_path / "s1045.raw").write_bytes(pixels)
    with open_frames(f"{tmp_path}/s1045.raw::shape=256x256,dtype=>u2") as source:
        head = source.read(0)
    np.testing.assert_array_equal(head, np.frombuffer(pixels, ">u2").reshape(256, 256))
    # it is a head: smooth, on a dark background
    assert np.corrcoef(head[:, 1:].ravel(), head[:, :-1].ravel())[0, 1] > 0.9
    assert np.median(head[:20]) < 0.1 * np.median(head[100:150, 100:150])


@pytest.mark.parametrize(
    ("package", "name", "message"),
    [
        ("skimage", "data/multipage_rgb.tif", "a frame has two"),
        ("h5py", "tests/data_files/vlen_string_dset.h5", "holds no datasets of two or more axes"),
        ("h5py", "tests/data_files/compound-dtype-complex.h5", "holds no datasets of two or more axes"),
        ("matplotlib", "mpl-data/sample_data/topobathy.npz", "no reader for '.npz' files"),
    ],
)
def test_what_holds_no_frames_is_one_line(package, name, message):
    with pytest.raises(FrameError, match=message) as caught:
        open_frames(shipped(package, name))
    assert "\n" not in str(caught.value)
