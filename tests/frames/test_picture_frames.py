"""Grey pictures are frames; colour, transparency and previews are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from frame_source_contract import some_frames

from maskreg.errors import FrameError
from maskreg.frames import open_frames

Image = pytest.importorskip("PIL.Image")

PIXELS = some_frames(1, 12, 20, "u1")[0]


def saved(path: Path, pixels: np.ndarray, mode: str | None = None, **options: object) -> Path:
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(path, **options)
    return path


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_a_grey_picture_is_read_however_many_channels_it_has(tmp_path: Path, mode: str) -> None:
    source = open_frames(saved(tmp_path / "a.png", PIXELS, mode))
    np.testing.assert_array_equal(source.read(0), PIXELS)
    assert source.layout() == f"PNG, mode {mode}, by Pillow"


@pytest.mark.parametrize("suffix", [".bmp", ".pgm", ".PNG"])
def test_other_kinds_without_loss_are_read(tmp_path: Path, suffix: str) -> None:
    np.testing.assert_array_equal(open_frames(saved(tmp_path / f"a{suffix}", PIXELS)).read(0), PIXELS)


def test_a_jpeg_is_read_with_its_loss(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(64), np.arange(64)).astype("u1")
    found = open_frames(saved(tmp_path / "a.jpg", smooth, quality=95)).read(0)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - smooth).max() < 4


def test_black_and_white_is_zero_and_one(tmp_path: Path) -> None:
    found = open_frames(saved(tmp_path / "a.png", PIXELS > 100)).read(0)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, PIXELS > 100)


@pytest.mark.parametrize(
    ("pixels", "why"),
    [
        (np.stack([PIXELS, PIXELS, PIXELS // 2], -1), "in colour"),
        (np.stack([PIXELS, PIXELS, PIXELS, PIXELS], -1), "transparent"),
    ],
)
def test_colour_and_transparency_are_refused(tmp_path: Path, pixels: np.ndarray, why: str) -> None:
    with pytest.raises(FrameError, match=rf"a\.png.*{why}"):
        open_frames(saved(tmp_path / "a.png", pixels)).read(0)


def test_the_inks_of_a_jpeg_are_no_transparency(tmp_path: Path) -> None:
    Image.fromarray(np.stack([PIXELS, PIXELS // 2, PIXELS], -1)).convert("CMYK").save(tmp_path / "a.jpg")
    with pytest.raises(FrameError, match=r"a\.jpg.*in colour"):
        open_frames(tmp_path / "a.jpg").read(0)


def test_colour_of_sixteen_bits_is_not_cut_to_eight(tmp_path: Path) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    pixels = np.repeat(some_frames(1, 12, 20, "u2")[0][..., None], 3, axis=2)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels))
    with pytest.raises(FrameError, match="16 bits"):
        open_frames(tmp_path / "a.png").read(0)


def test_several_pictures_in_one_file_are_refused(tmp_path: Path) -> None:
    more = [Image.fromarray(PIXELS // 2)]
    path = saved(tmp_path / "a.png", PIXELS, save_all=True, append_images=more)
    with pytest.raises(FrameError, match="several pictures"):
        open_frames(path).read(0)


def test_a_picture_that_was_cut_short_says_so(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", PIXELS)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(FrameError, match=r"a\.png"):
        open_frames(path).read(0)


def test_pictures_beside_other_formats_are_previews(tmp_path: Path) -> None:
    np.save(tmp_path / "f0.npy", PIXELS)
    saved(tmp_path / "f0.png", PIXELS // 2)
    assert [open_frames(where).name(0) for where in (tmp_path, tmp_path / "*")] == ["f0.npy"] * 2
    assert len(open_frames(tmp_path)) == 1
    assert open_frames(tmp_path / "f0.png").name(0) == "f0.png"
    assert open_frames(tmp_path / "*.png").name(0) == "f0.png"
