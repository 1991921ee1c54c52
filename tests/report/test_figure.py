import builtins

import numpy as np
import pytest
from PIL import Image
from tests.cases import cases

from maskreg.errors import InputError, MissingExtraError
from maskreg.report import colour, draw_alignment_figure
from maskreg.report.figure import _MARGIN, PANEL, _corner
from maskreg.report.panel import (
    Binning,
    binned,
    brightness_panel,
    contrast,
    difference_panel,
    symmetric_limit,
)
from maskreg.testing import Rings, beam_block, simulate_pair


def drawn(path, shape=(128, 128), **options):
    mask = beam_block(shape, "small")
    rng = np.random.default_rng(3)
    reference, moving, _ = simulate_pair(Rings(shape), (5, -4), 50.0, mask, rng)
    aligned = np.roll(moving, (-5, 4), axis=(0, 1))
    aligned_mask = np.roll(mask, (-5, 4), axis=(0, 1))
    arguments = {"title": "rings", "path": path, "shift": (-5.0, 4.0), "uncertainty": (0.01, 0.02)}
    return draw_alignment_figure(reference, moving, aligned, mask, aligned_mask, **(arguments | options))


def cut_out(picture, row, column):
    top, left = _corner(row, column, PANEL, PANEL)
    return picture[top : top + PANEL, left : left + PANEL]


def test_the_picture_is_a_small_png_of_two_rows_and_three_columns(tmp_path):
    path = drawn(tmp_path / "figure.png")
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert 3 * PANEL + 2 * _MARGIN < picture.width < 1600
        assert 2 * PANEL < picture.height < 1200
    assert path.stat().st_size < 600_000


def test_the_same_input_gives_the_same_bytes(tmp_path):
    first, second = (drawn(tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
    assert first == second


def test_alignment_empties_the_difference_and_the_block_is_hatched(tmp_path):
    with Image.open(drawn(tmp_path / "figure.png")) as image:
        indices = np.asarray(image)
    zero = colour.DIFFERENCE + colour.LEVELS // 2

    def excursion(panel):
        inside = panel[(panel >= colour.DIFFERENCE) & (panel < colour.HATCH)].astype(float)
        return np.std(inside - zero)

    assert excursion(cut_out(indices, 1, 2)) < 0.5 * excursion(cut_out(indices, 0, 2))
    hatch = np.isin(cut_out(indices, 1, 0), [colour.HATCH, colour.HATCH + 1])
    assert hatch.mean() == pytest.approx(1.0 - beam_block((128, 128), "small").mean(), abs=0.01)
    assert not np.isin(cut_out(indices, 0, 0), [colour.HATCH, colour.HATCH + 1]).any()


def test_the_shift_and_the_title_are_optional_text_that_changes_the_picture(tmp_path):
    with_shift = drawn(tmp_path / "a.png").read_bytes()
    assert drawn(tmp_path / "b.png", shift=None).read_bytes() != with_shift
    assert drawn(tmp_path / "c.png", title="other").read_bytes() != with_shift


def test_difference_scale_is_symmetric_and_white_at_zero():
    panel = difference_panel(np.array([[-3.0, -1.5, 0.0, 1.5, 3.0, 99.0]]), 3.0)[0].astype(int)
    middle = colour.DIFFERENCE + colour.LEVELS // 2
    assert panel[2] == middle
    assert panel[0] + panel[4] == panel[1] + panel[3] == 2 * middle
    assert panel[5] == panel[4] == colour.HATCH - 1
    assert colour.palette()[middle].min() > 245
    negative, positive = colour.difference_scale()[[0, -1]].astype(int)
    assert negative[2] > negative[0] and positive[0] > positive[2]


def luminance(colours):
    return (np.asarray(colours) / 255.0) ** 2.2 @ [0.2126, 0.7152, 0.0722]


def test_scales_are_told_apart_by_lightness_alone():
    assert np.all(np.diff(luminance(colour.brightness_scale())) > 0)
    arms = luminance(colour.difference_scale())
    half = colour.LEVELS // 2
    assert np.all(np.diff(arms[: half + 1]) > 0) and np.all(np.diff(arms[half:]) < 0)
    np.testing.assert_allclose(arms, arms[::-1], atol=0.06)


def test_the_palette_is_full_and_no_index_means_two_things():
    assert colour.palette().shape == (256, 3)
    assert colour.grey(np.array([0, 255], np.uint8)).tolist() == [colour.GREY, 255]


@pytest.mark.parametrize(("shape", "size"), [((100, 60), 40), ((7, 9), 40), ((64, 64), 64), ((3, 1), 9)])
def test_binning_keeps_the_mean_and_the_proportions(shape, size):
    image = np.random.default_rng(0).uniform(size=shape)
    small = binned(image, np.ones(shape, bool), size)
    assert max(small.shape) == size
    assert small.mean() == pytest.approx(image.mean())


def test_images_of_every_length_are_binned_to_every_size():
    """Of 240 x 300 px to 440 the last edge was rounded below 240, and there was no report."""
    for length in (1, 8, 240, 300, 2048):
        for size in cases([*range(1, 900, 11), 440], [*range(1, 900)]):
            picture = binned(np.ones((length, 1)), np.ones((length, 1), bool), size)
            assert np.allclose(picture, 1.0)


def test_binning_images_in_a_row_is_binning_each():
    rng = np.random.default_rng(3)
    masks = rng.random((3, 40, 70)) > 0.3
    binning = Binning((40, 70), 31)
    for mask in (masks[0], masks[0], masks[1], masks[2], masks[0]):
        image = rng.random((40, 70))
        np.testing.assert_array_equal(binning(image, mask), binned(image, mask, 31))
    masks[0] &= ~masks[0]  # a mask that is changed in place is another one
    assert np.isnan(binning(image, masks[0])).all()


def test_binning_uses_valid_pixels_only():
    image = np.ones((40, 40))
    valid = np.ones((40, 40), bool)
    image[3, 3], valid[3, 3] = 1e9, False
    image[20:, 20:], valid[20:, 20:] = np.nan, False
    small = binned(image, valid, 20)
    assert np.array_equal(np.isnan(small), np.pad(np.ones((10, 10), bool), ((10, 0), (10, 0))))
    assert np.nanmax(small) == pytest.approx(1.0)


def test_contrast_and_limit_are_robust_and_defined_for_nothing():
    image = np.linspace(0.0, 1.0, 10_000).reshape(100, 100)
    image[0, 0] = 1e9
    assert contrast([image]) == pytest.approx((0.005, 0.995), abs=1e-3)
    assert symmetric_limit([3.3 * image, -image]) == 4.0
    empty = np.full((4, 4), np.nan)
    assert contrast([empty]) == (0.0, 1.0)
    assert symmetric_limit([empty]) == symmetric_limit([np.zeros((4, 4))]) == 1.0


def test_a_flat_image_is_drawn_without_a_warning():
    assert (brightness_panel(np.full((4, 4), 7.0), 7.0, 7.0) == colour.BRIGHTNESS).all()


def test_images_of_any_proportion_are_drawn(tmp_path):
    image = np.random.default_rng(0).uniform(size=(30, 90))
    path = draw_alignment_figure(image, image, image, None, None, title="wide", path=tmp_path / "wide.png")
    with Image.open(path) as picture:
        assert picture.height < picture.width / 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones(4), np.ones(4), np.ones(4), None, None), "reference has 1 axes"),
        ((np.ones((4, 4)), np.ones((4, 5)), np.ones((4, 4)), None, None), r"moving has shape \(4, 5\)"),
        ((np.ones((4, 4)),) * 3 + (np.ones((2, 2), bool), None), r"mask has shape \(2, 2\)"),
    ],
)
def test_unusable_arguments_are_named(arguments, message, tmp_path):
    with pytest.raises(InputError, match=message):
        draw_alignment_figure(*arguments, title="", path=tmp_path / "never.png")


def test_without_pillow_the_error_names_the_extra(monkeypatch, tmp_path):
    real_import = builtins.__import__

    def no_pillow(name, *rest, **named):
        if name == "PIL":
            raise ImportError(name)
        return real_import(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", no_pillow)
    with pytest.raises(MissingExtraError, match=r"maskreg\[app\]"):
        drawn(tmp_path / "never.png")
