"""Frames that lie in a file as in memory are read as NumPy reads them, whatever their byte order."""

from __future__ import annotations

import numpy as np
import pytest

from maskreg.frames import plain


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", ">i4", ">u8", "<f4", ">f4", ">f8"])
@pytest.mark.parametrize("turned_at_once", [8, 64, 2**21])
@pytest.mark.parametrize("offset", [0, 3, 384])
def test_the_values_are_those_of_numpy_in_native_order(dtype, turned_at_once, offset, tmp_path, monkeypatch):
    monkeypatch.setattr(plain, "_TURNED_AT_ONCE", turned_at_once)
    rng = np.random.default_rng(offset)
    expected = rng.integers(0, 256, (7, 13, np.dtype(dtype).itemsize), np.uint8).view(dtype)[..., 0]
    path = tmp_path / "frames.raw"
    path.write_bytes(bytes(offset) + expected.tobytes() + b"what follows")
    read = plain.read_plain(path, offset, expected.shape, np.dtype(dtype))
    assert read.dtype.isnative
    assert read.dtype == np.dtype(dtype).newbyteorder("=")
    assert read.astype(dtype).tobytes() == expected.tobytes()
    assert read.flags.owndata
    assert read.flags.writeable


def test_a_frame_without_pixels_is_empty(tmp_path):
    (tmp_path / "empty.raw").write_bytes(b"")
    assert plain.read_plain(tmp_path / "empty.raw", 0, (0, 5), np.dtype(">u2")).shape == (0, 5)
