from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from maskreg.errors import InputError, MissingExtraError
from maskreg.masks import load_mask, save_mask

MASK = np.random.default_rng(0).random((12, 17)) > 0.3
SUFFIXES = (".tif", ".tiff", ".png", ".npy", ".PNG")


@pytest.fixture
def png(tmp_path: Path):
    """Write pixels as a PNG file of a mode, and return its path."""
    image = pytest.importorskip("PIL.Image")

    def write(pixels: NDArray, mode: str | None = None) -> Path:
        made = image.fromarray(pixels)
        (made.convert(mode) if mode else made).save(tmp_path / "m.png")
        return tmp_path / "m.png"

    return write


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_saved_is_loaded(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"m{suffix}"
    save_mask(path, MASK)
    loaded = load_mask(path)
    assert loaded.dtype == np.bool_
    np.testing.assert_array_equal(loaded, MASK)
    np.testing.assert_array_equal(load_mask(str(path), ignore=True), ~MASK)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_valid_is_saved_as_255(tmp_path: Path) -> None:
    save_mask(tmp_path / "m.tif", MASK)
    saved = tifffile.imread(tmp_path / "m.tif")
    np.testing.assert_array_equal(saved, np.where(MASK, 255, 0))
    assert saved.dtype == np.uint8


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", ">u4", "f4", "f8"])
def test_any_nonzero_number_counts(tmp_path: Path, dtype: str) -> None:
    values = np.where(MASK, 3, 0).astype(dtype)
    np.save(tmp_path / "m.npy", values)
    np.testing.assert_array_equal(load_mask(tmp_path / "m.npy"), MASK)
    if dtype != "?":
        tifffile.imwrite(tmp_path / "m.tif", values)
        np.testing.assert_array_equal(load_mask(tmp_path / "m.tif"), MASK)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "RGBA", "LA", "I;16"])
def test_grey_png_of_every_mode(png, mode: str) -> None:
    pixels = np.where(MASK, 255, 0).astype("u2" if mode == "I;16" else "u1")
    np.testing.assert_array_equal(load_mask(png(pixels, None if mode == "I;16" else mode)), MASK)


def test_a_palette_is_looked_up(png) -> None:
    image = pytest.importorskip("PIL.Image")
    path = png(np.zeros((2, 2), "u1"))
    swapped = image.fromarray(MASK.astype("u1"))
    swapped.putpalette([255, 255, 255, 0, 0, 0])
    swapped.save(path)
    np.testing.assert_array_equal(load_mask(path), ~MASK)


def test_colour_and_transparency_are_refused(png) -> None:
    colour = np.zeros((4, 5, 3), "u1")
    colour[2, 2] = 255, 0, 0
    with pytest.raises(InputError, match=r"m\.png: this mask cannot be read: it is in colour \(3 channels\)"):
        load_mask(png(colour))
    with pytest.raises(InputError, match=r"m\.png: this mask cannot be read: parts of it are transparent"):
        load_mask(png(np.zeros((4, 5, 4), "u1")))


def test_without_pillow_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.png").write_bytes(b"as before")
    monkeypatch.setitem(sys.modules, "PIL", None)
    command = r'pictures such as PNG need Pillow: python -m pip install "maskreg\[app\]"'
    with pytest.raises(MissingExtraError, match=command):
        load_mask(tmp_path / "m.png")
    with pytest.raises(MissingExtraError, match=command):
        save_mask(tmp_path / "m.png", MASK)
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"as before"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"no image"])
def test_rubbish_is_named(tmp_path: Path, suffix: str, content: bytes) -> None:
    (tmp_path / f"m{suffix}").write_bytes(content)
    with pytest.raises(InputError, match=rf"m\{suffix}: this mask cannot be read: ") as caught:
        load_mask(tmp_path / f"m{suffix}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.zeros((3, 4, 5)), r"shape is \(3, 4, 5\); a mask is one image"),
        (np.zeros((3, 4), complex), "complex128; a mask holds real numbers"),
        (np.array([[1.0, np.nan]]), "NaN"),
    ],
)
def test_what_is_no_mask_is_named(tmp_path: Path, array: NDArray, why: str) -> None:
    np.save(tmp_path / "m.npy", array)
    with pytest.raises(InputError, match=rf"m\.npy: .*{why}"):
        load_mask(tmp_path / "m.npy")


def test_an_image_in_place_of_a_mask_is_suspected(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for two in (MASK, 7 * MASK, np.zeros(MASK.shape), np.full(MASK.shape, 255), MASK - 1.0):
        np.save(tmp_path / "m.npy", two)
        load_mask(tmp_path / "m.npy")
    assert caplog.messages == []
    np.save(tmp_path / "m.npy", np.random.default_rng(0).poisson(50, MASK.shape))
    assert load_mask(tmp_path / "m.npy").all()
    assert not load_mask(tmp_path / "m.npy", ignore=True).any()
    assert [message.rpartition(" taken as ")[2] for message in caplog.messages] == ["valid", "ignored"]
    assert "m.npy holds more than two values: is it a mask?" in caplog.text


def test_an_image_saved_as_a_mask_is_suspected(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save_mask(tmp_path / "m.npy", MASK)
    save_mask(tmp_path / "m.npy", 255.0 * MASK)
    assert caplog.messages == []
    save_mask(tmp_path / "m.npy", np.random.default_rng(0).random((12, 17)))
    assert (
        "m.npy holds more than two values: is it a mask? Every pixel that is not 0 is taken as valid"
        in caplog.text
    )


def test_labels_without_a_zero_are_suspected(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    np.save(tmp_path / "m.npy", 1 + MASK)
    assert load_mask(tmp_path / "m.npy").all()
    assert "m.npy holds 1 and 2, and no 0: which of them is valid? Every pixel" in caplog.text


def test_a_stack_is_no_mask(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", np.zeros((5, 8, 8), "u1"))
    with pytest.raises(InputError, match=r"m\.tif: it holds 5 pages; a mask is one image"):
        load_mask(tmp_path / "m.tif")


def test_other_suffixes_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"m\.jpg: a mask is a \.tif, \.tiff, \.png, \.npy file; save it"):
        load_mask(tmp_path / "m.jpg")
    with pytest.raises(InputError, match=r"m\.jpg: a mask is a"):
        save_mask(tmp_path / "m.jpg", MASK)
    with pytest.raises(InputError, match=r"m\.tif: there is no such mask file"):
        load_mask(tmp_path / "m.tif")


def test_only_images_can_be_saved(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mask has shape \(2, 3, 4\); m\.npy takes one image"):
        save_mask(tmp_path / "m.npy", np.ones((2, 3, 4)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "shape"), [("graphite_series", (236, 236)), ("xray_rings_series", (473, 442))]
)
def test_real_masks(shared_data: Path, name: str, shape: tuple[int, int]) -> None:
    mask = load_mask(shared_data / name / "valid_mask.png")
    assert mask.shape == shape
    assert 0.5 < mask.mean() < 1


def test_a_mask_that_stores_white_as_0_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is white in a viewer, and so meant to be valid, was ignored without a word."""
    for photometric in ("minisblack", "miniswhite"):
        tifffile.imwrite(tmp_path / "m.tif", MASK.astype(np.uint8), photometric=photometric)
        np.testing.assert_array_equal(load_mask(tmp_path / "m.tif"), MASK)
    (message,) = caplog.messages
    file = tmp_path / "m.tif"
    assert message == (
        f"{file} stores white as 0: what a viewer shows white is taken as ignored; is that meant?"
    )
    load_mask(tmp_path / "m.tif", ignore=True)
    assert caplog.messages[1].endswith("shows white is taken as valid; is that meant?")


def test_nan_is_saved_as_no_mask(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mask holds NaN, which is neither"):
        save_mask(tmp_path / "m.tif", np.array([[0, 1, np.nan]]))
    assert not any(tmp_path.iterdir())
