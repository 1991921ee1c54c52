from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from maskreg.cli.verbs.pair import as_text
from maskreg.registration import Registration, Status

KEYS = {"status", "ok", "reason", "shift_px", "sigma_px", "covariance_px2"} | {
    "score",
    "significance",
    "overlap",
    "rival",
}


@pytest.fixture
def pair(data, scan):
    return [data / "frames" / name for name in scan.names[:2]]


def test_a_pair_in_words(maskreg, pair, data):
    outcome = maskreg("pair", *pair, "--valid", data / "valid_mask.tif")
    assert outcome.code == 0
    assert outcome.out.startswith("ok: the shift is trusted\nshift of B onto A: ")
    assert outcome.err.count("% of the pixels are ignored") == 2


def test_no_shift_has_no_minus_sign():
    answer = Registration(np.array([-1e-5, -2.0]), np.zeros((2, 2)), 1, 9, 1, None, Status.OK)
    assert "shift of B onto A: +0.000 px down (sigma 0.000), -2.000 px right" in as_text(answer)


def test_a_pair_as_json(maskreg, pair, data, scan):
    outcome = maskreg("pair", *pair, "--valid", data / "valid_mask.tif", "--json", "-q")
    answer = json.loads(outcome.out)
    assert set(answer) == KEYS
    assert (answer["status"], answer["ok"], outcome.err) == ("ok", True, "")
    np.testing.assert_allclose(answer["shift_px"], scan.shifts[1], atol=0.15)
    assert len(answer["sigma_px"]) == 2
    assert np.shape(answer["covariance_px2"]) == (2, 2)


def test_no_answer_is_null_and_exit_3(maskreg, pair, tmp_path):
    tifffile.imwrite(tmp_path / "flat.tif", np.ones((192, 192), np.uint16))
    outcome = maskreg("pair", pair[0], tmp_path / "flat.tif", "--json")
    answer = json.loads(outcome.out)
    assert outcome.code == 3
    assert set(answer) == KEYS
    assert (answer["status"], answer["shift_px"], answer["rival"]) == ("flat", [None, None], None)
    words = maskreg("pair", pair[0], tmp_path / "flat.tif")
    assert words.code == 3
    assert words.out.startswith("flat: the valid pixels have no variance")
    assert "shift of B" not in words.out


def test_a_frame_of_a_stack_can_be_named(maskreg, pair, data, tmp_path):
    tifffile.imwrite(tmp_path / "stack.tif", np.stack([tifffile.imread(path) for path in pair]))
    names = [f"{tmp_path / 'stack.tif'}[{index}]" for index in (0, -1)]
    flags = ("--valid", data / "valid_mask.tif", "--json")
    assert maskreg("pair", *names, *flags).out == maskreg("pair", *pair, *flags).out
    outcome = maskreg("pair", tmp_path / "stack.tif", pair[1])
    assert outcome.code == 1
    assert "holds 2 frames; name one of them, such as" in outcome.err


def test_each_image_can_have_a_mask_of_its_own(maskreg, pair, data, tmp_path):
    tifffile.imwrite(tmp_path / "cropped.tif", tifffile.imread(pair[1])[:150])
    common = maskreg("pair", pair[0], tmp_path / "cropped.tif", "--valid", data / "valid_mask.tif")
    assert common.code == 2
    assert "one mask cannot be for both; use --reference-valid" in common.err
    tifffile.imwrite(
        tmp_path / "block.tif", (tifffile.imread(data / "valid_mask.tif")[:150] == 0).astype(np.uint8)
    )
    own = maskreg(
        "pair", pair[0], tmp_path / "cropped.tif",
        "--reference-valid", data / "valid_mask.tif", "--moving-ignore", tmp_path / "block.tif",
    )  # fmt: skip
    assert own.code in (0, 3)
    assert f"{pair[0]}: " in own.err
    assert "cropped.tif: " in own.err


def test_thresholds_look_at_each_image(maskreg, pair):
    outcome = maskreg("pair", *pair, "--ignore-above", "1000", "--ignore-below", "-5", "--grow", "1")
    assert outcome.err.count("% of the pixels are ignored") == 2


def test_a_mask_that_may_be_upside_down_is_a_warning(maskreg, pair, data):
    outcome = maskreg("pair", *pair, "--ignore", data / "valid_mask.tif")
    assert "maskreg: warning: " in outcome.err
    assert "may be upside down" in outcome.err


def test_the_mask_of_one_image_can_be_grown(maskreg, pair, data):
    outcome = maskreg("pair", *pair, "--reference-valid", data / "valid_mask.tif", "--grow", "2")
    assert outcome.code == 0
    assert outcome.err.count("no mask: every pixel counts") == 1


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".h5", ".mrc", ".png"])
def test_a_file_that_is_empty_is_called_so(maskreg, pair, tmp_path, suffix):
    (tmp_path / f"empty{suffix}").touch()
    err = maskreg("pair", pair[0], tmp_path / f"empty{suffix}", "-q").err
    assert f"empty{suffix}: is no readable " in err
    assert "it is empty" in err
    assert "b''" not in err


def test_a_mask_that_ignores_everything_is_named(maskreg, pair, tmp_path):
    masks = {"all.npy": np.ones((192, 192), bool), "none.npy": np.zeros((192, 192), bool)}
    for name, mask in masks.items():
        np.save(tmp_path / name, mask)
    err = maskreg("pair", *pair, "--valid", tmp_path / "all.npy", "--valid", tmp_path / "none.npy", "-q").err
    assert f"{tmp_path / 'none.npy'}: this mask ignores every pixel; use --ignore instead of --valid" in err
