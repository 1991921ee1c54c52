from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from maskreg.errors import InputError
from maskreg.masks import build_mask, describe_mask, grow, mask_warning, save_mask

SHAPE = (20, 30)
RNG = np.random.default_rng(3)
FIRST, SECOND = RNG.random(SHAPE) > 0.2, RNG.random(SHAPE) > 0.2
IMAGE = RNG.integers(0, 100, SHAPE, dtype="u2")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "first.tif", tmp_path / "second.npy"
    save_mask(paths[0], FIRST)
    save_mask(paths[1], SECOND)
    return paths


def test_nothing_asked_is_none() -> None:
    assert build_mask(SHAPE) is None
    assert build_mask(SHAPE, image=IMAGE, grow=3) is None


def test_all_that_is_asked_is_joined(files: tuple[Path, Path]) -> None:
    mask = build_mask(
        SHAPE,
        valid=[files[0]],
        ignore=[files[1]],
        rects=["0:2,:"],
        disks=["10,10,3"],
        polygons=["15,20 15,25 19,20"],
        above=90,
        below=5,
        image=IMAGE,
    )
    rows, cols = np.mgrid[:20, :30]
    expected = FIRST & ~SECOND & (rows >= 2) & (np.hypot(rows - 10, cols - 10) > 3)
    expected &= (IMAGE <= 90) & (IMAGE >= 5)
    triangle = (rows >= 15) & (cols >= 20) & (5 * (rows - 15) + 4 * (cols - 20) <= 20)
    np.testing.assert_array_equal(mask, expected & ~triangle)


def test_one_path_or_text_need_not_be_in_a_list(files: tuple[Path, Path]) -> None:
    np.testing.assert_array_equal(build_mask(SHAPE, valid=str(files[0])), FIRST)
    np.testing.assert_array_equal(build_mask(SHAPE, ignore=files[0]), ~FIRST)
    assert not build_mask(SHAPE, rects="0:2,:")[:2].any()


def test_it_is_grown_at_the_end(files: tuple[Path, Path]) -> None:
    hole = np.ones(SHAPE, bool)
    hole[5, 5] = hole[6, 20] = False
    np.testing.assert_array_equal(
        build_mask(SHAPE, rects=["5:6,5:6", "6:7,20:21"], grow=2.5), grow(hole, 2.5)
    )


def test_a_mask_of_another_shape_is_named(files: tuple[Path, Path]) -> None:
    text = r"first\.tif: this mask has shape \(20, 30\), the frames have \(30, 20\)"
    with pytest.raises(InputError, match=text):
        build_mask((30, 20), valid=files[0])


def test_limits_need_an_image_of_the_same_shape() -> None:
    with pytest.raises(InputError, match="ignore_above needs an image"):
        build_mask(SHAPE, above=3)
    with pytest.raises(InputError, match=r"image has shape \(3, 4\), the frames have \(20, 30\)"):
        build_mask(SHAPE, below=3, image=np.zeros((3, 4)))


def test_a_mask_that_leaves_nothing_is_refused(files: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match=r"ignore every pixel; is one of them upside down\?"):
        build_mask(SHAPE, valid=files[0], ignore=files[0])


@pytest.mark.parametrize(
    ("ignored", "text"), [(0, "0.0 %"), (42, "4.2 %"), (1000, "100.0 %"), (500, "50.0 %"), (1, "0.1 %")]
)
def test_how_much_is_ignored_is_said(ignored: int, text: str) -> None:
    mask = np.arange(1000) >= ignored
    assert describe_mask(mask) == f"{text} of the pixels are ignored"


def test_a_few_pixels_are_not_rounded_to_none() -> None:
    mask = np.ones((2048, 2048), bool)
    mask[7, 7] = False
    assert describe_mask(mask) == "2.4e-05 % of the pixels are ignored"


def test_above_half_a_warning_says_what_to_try() -> None:
    assert mask_warning(np.arange(100) >= 50) is None
    warning = mask_warning(np.arange(100) >= 51)
    assert warning is not None
    assert warning.startswith("51.0 % of the pixels are ignored: the mask may be upside down: use --ignore")
