"""The look-alike beside scikit-image itself, and where it is meant to differ."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage

import maskreg
from maskreg.compat.skimage import cross_correlate_masked, phase_cross_correlation

registration = pytest.importorskip("skimage.registration", reason="scikit-image is not installed")
theirs_masked = pytest.importorskip("skimage.registration._masked_phase_cross_correlation")


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def texture(shape: tuple[int, ...], sigma: float = 1.0) -> np.ndarray:
    return 100 + 20 * scipy.ndimage.gaussian_filter(rng().normal(size=shape), sigma)


def cut(whole: np.ndarray, start: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
    return whole[tuple(slice(s, s + n) for s, n in zip(start, shape, strict=True))].copy()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (phase_cross_correlation, registration.phase_cross_correlation),
        (cross_correlate_masked, theirs_masked.cross_correlate_masked),
    ],
)
def test_signatures_are_equal(ours: object, theirs: object) -> None:
    assert inspect.signature(ours) == inspect.signature(theirs)


def own_tests() -> list[str]:
    """scikit-image's tests of these functions, from a folder that is named or from the package."""
    spec = find_spec("skimage")
    assert spec is not None and spec.origin is not None
    named = os.environ.get("SKIMAGE_TESTS")
    folder = Path(named) if named else Path(spec.origin).parent / "registration" / "tests"
    names = ("test_phase_cross_correlation.py", "test_masked_phase_cross_correlation.py")
    return [str(folder / name) for name in names if (folder / name).exists()]


@pytest.mark.timeout(600)
def test_its_own_tests_pass_on_ours(tmp_path: Path) -> None:
    files = own_tests()
    if not files:
        pytest.skip("this scikit-image ships no tests (0.25 does); SKIMAGE_TESTS may name their folder")
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rs",
        "-p",
        "skimage_redirect",
        "-p",
        "no:cacheprovider",
    ]
    command += ["--import-mode=importlib", f"--confcutdir={Path(files[0]).parents[1]}", *files]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", "f8"])
@pytest.mark.parametrize("shape", [(33, 40), (64, 51), (100,), (9, 14, 12)])
@pytest.mark.parametrize("normalization", ["phase", None])
def test_unmasked_answers_are_equal(shape: tuple[int, ...], dtype: str, normalization: str | None) -> None:
    whole = texture(tuple(n + 8 for n in shape)).astype(dtype)
    a, b = cut(whole, (4,) * len(shape), shape), cut(whole, (2,) * len(shape), shape)
    for options in ({}, {"upsample_factor": 7}, {"upsample_factor": 10, "disambiguate": True}):
        expected = registration.phase_cross_correlation(a, b, normalization=normalization, **options)
        shift, error, phase = phase_cross_correlation(a, b, normalization=normalization, **options)
        assert shift.dtype == expected[0].dtype
        tolerance = 2e-3 if dtype == "f4" else 1e-7
        # in single precision rounding decides between two steps that are equally high
        step = 1 / options.get("upsample_factor", np.inf) if dtype == "f4" else 0
        np.testing.assert_allclose(shift, expected[0], atol=max(tolerance, 1.01 * step))
        np.testing.assert_allclose([error, phase], [float(v) for v in expected[1:]], atol=tolerance)


@pytest.mark.parametrize("shape", [(12, 15), (9, 16)])
def test_fourier_space_and_complex_images_are_equal(shape: tuple[int, int]) -> None:
    a, b = texture(shape), np.roll(texture(shape), (2, -3), (0, 1))
    fa, fb = np.fft.fftn(a), np.fft.fftn(b)
    for pair, options in (
        ((fa, fb), {"space": "Fourier", "upsample_factor": 5}),
        ((a + 1j * b, b + 1j * a), {"upsample_factor": 3, "normalization": None}),
    ):
        expected = registration.phase_cross_correlation(*pair, **options)
        got = phase_cross_correlation(*pair, **options)
        for x, y in zip(got, expected, strict=True):
            np.testing.assert_allclose(x, y, atol=1e-9)


@pytest.mark.parametrize("shift", [(20, -9), (-20, 9), (31, 33), (3.25, -30.5)])
def test_disambiguation_is_equal(shift: tuple[float, float]) -> None:
    whole = scipy.ndimage.shift(texture((120, 120), 2), shift, order=3)
    a, b = whole[35:85, 35:85], texture((120, 120), 2)[35:85, 35:85]
    for upsample_factor in (1, 4):
        options = {"disambiguate": True, "upsample_factor": upsample_factor, "normalization": None}
        expected, *_ = registration.phase_cross_correlation(a, b, **options)
        np.testing.assert_allclose(phase_cross_correlation(a, b, **options)[0], expected)


@pytest.mark.parametrize("kind", ["block", "scattered", "two"])
@pytest.mark.parametrize("overlap_ratio", [0.05, 0.3, 0.6])
@pytest.mark.parametrize(
    ("shape", "other"), [((40, 37), (40, 37)), ((230, 200), (220, 231)), ((30, 41, 22), (28, 36, 25))]
)
def test_masked_shifts_are_equal(
    shape: tuple[int, ...], other: tuple[int, ...], kind: str, overlap_ratio: float
) -> None:
    whole = texture(tuple(n + 30 for n in shape), 1.5) + rng().normal(0, 1, tuple(n + 30 for n in shape))
    a, b = cut(whole, (9,) * len(shape), shape), cut(whole, (4, 7, 8)[: len(shape)], other)
    masks = []
    for image, offset in ((a, 0), (b, 3 if kind == "two" else 0)):
        mask = rng().random(image.shape) < 0.7 if kind == "scattered" else np.ones(image.shape, bool)
        mask[tuple(slice(n // 3 + offset, n // 2 + offset) for n in image.shape)] = False
        image[~mask] = np.nan  # harmless in both
        masks.append(mask)
    expected = theirs_masked._masked_phase_cross_correlation(a, b, *masks, overlap_ratio)
    shift, error, phase = phase_cross_correlation(
        a, b, reference_mask=masks[0], moving_mask=masks[1], overlap_ratio=overlap_ratio
    )
    np.testing.assert_array_equal(shift, expected)
    assert shift.dtype == np.float64
    assert np.isnan(error) and np.isnan(phase)


@pytest.mark.parametrize("mode", ["full", "same"])
@pytest.mark.parametrize("axes", [(0, 1), (-2, -1), (2,), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("dtype", ["u1", "f4", "f8"])
def test_maps_are_equal(axes: tuple[int, ...], mode: str, dtype: str) -> None:
    def shape(k: int) -> tuple[int, ...]:
        return tuple(n + k * (axis in axes) for axis, n in enumerate((9, 6, 8)))

    first, second = (10 * rng().normal(size=shape(k)) + (30 if dtype == "u1" else 0) for k in (0, 3))
    a, b = first.astype(dtype), second.astype(dtype)
    m1, m2 = (rng().random(x.shape) < 0.8 for x in (a, b))
    # over two or three pixels, scikit-image's values of bright or float32 images are rounding
    for overlap_ratio in (0, 0.3) if dtype == "f8" else (0.3,):
        options = {"mode": mode, "axes": axes, "overlap_ratio": overlap_ratio}
        expected = theirs_masked.cross_correlate_masked(a, b, m1, m2, **options)
        got = cross_correlate_masked(a, b, m1, m2, **options)
        assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(got, expected, atol=5e-3 if dtype == "f4" else 1e-6)


def test_float32_with_an_offset_is_right_here() -> None:
    whole = texture((90, 90), 1.5)
    a, b = cut(whole, (9, 9), (64, 64)), cut(whole, (4, 12), (64, 64))
    offset = 1e6
    mask = np.ones(a.shape, bool)
    mask[20:30, 20:30] = False
    exact = cross_correlate_masked(a, b, mask, mask)
    shifted = cross_correlate_masked((a + offset).astype("f4"), (b + offset).astype("f4"), mask, mask)
    np.testing.assert_allclose(shifted, exact, atol=0.02)
    theirs = theirs_masked.cross_correlate_masked(
        (a + offset).astype("f4"), (b + offset).astype("f4"), mask, mask
    )
    assert np.abs(theirs - exact).max() > 0.1


def test_nan_in_a_valid_pixel_is_refused_with_and_without_masks() -> None:
    a = texture((40, 40))
    b = a.copy()
    b[3, 4] = np.nan
    mask = np.ones(a.shape, bool)
    with pytest.raises(ValueError, match=r"moving_mask=np\.isfinite"):
        phase_cross_correlation(a, b)
    with pytest.raises(ValueError, match=r"moving_image holds NaN .* mask & np\.isfinite"):
        phase_cross_correlation(a, b, reference_mask=mask)
    with pytest.raises(ValueError, match="arr2 holds NaN"):
        cross_correlate_masked(a, b, mask, mask)


def test_a_moving_mask_alone_is_enough() -> None:
    whole = texture((80, 80))
    a, b = cut(whole, (9, 9), (64, 64)), cut(whole, (4, 12), (64, 64))
    mask = np.ones(b.shape, bool)
    mask[:9] = False
    shift, *_ = phase_cross_correlation(a, b, moving_mask=mask)
    np.testing.assert_array_equal(shift, [-5, 3])


def test_what_means_nothing_warns() -> None:
    flat = np.ones((30, 30))
    image = texture((30, 30))
    with pytest.warns(UserWarning, match="correlate at no shift") as records:
        shift, *_ = phase_cross_correlation(flat, image, reference_mask=flat)
    assert records[0].filename == __file__
    np.testing.assert_array_equal(shift, [0, 0])
    turned = ~np.eye(30, dtype="uint8")
    with pytest.warns(UserWarning, match="reference_mask holds 254 and 255, and no 0") as records:
        phase_cross_correlation(image, image, reference_mask=turned)
    assert records[0].filename == __file__
    with pytest.warns(UserWarning, match="upsample_factor is 10"):
        phase_cross_correlation(image, image, reference_mask=flat, upsample_factor=10)
    stripes = np.tile([0.0, 1.0], (20, 10))
    with pytest.warns(UserWarning, match="shifts correlate equally well"):
        phase_cross_correlation(stripes, stripes, reference_mask=np.ones_like(stripes))


@pytest.mark.parametrize(
    ("arguments", "options", "why"),
    [
        (((4, 5), (5, 4)), {}, r"reference_image has shape \(4, 5\), moving_image has \(5, 4\)"),
        (((4, 5), (4, 5)), {"space": "frank"}, "space is 'frank'"),
        (((4, 5), (4, 5)), {"normalization": "x"}, "normalization is 'x'"),
        (((4, 5), (4, 5)), {"upsample_factor": 0}, "upsample_factor is 0; it must be a positive number"),
        (
            ((4, 5), (4, 5)),
            {"reference_mask": np.ones((4, 5)), "overlap_ratio": np.nan},
            "overlap_ratio is nan; it is a",
        ),
        (((4, 5), (5, 4)), {"reference_mask": np.ones((4, 5))}, "give moving_mask"),
        (((4, 5), (4, 5)), {"reference_mask": np.ones((5, 4))}, r"reference_mask has shape \(5, 4\)"),
        (
            ((4, 5), (4, 5)),
            {"reference_mask": np.ones((4, 5)), "overlap_ratio": 30},
            "overlap_ratio is 30; it is a",
        ),
        (((4, 5), (20,)), {"reference_mask": np.ones((4, 5)), "moving_mask": np.ones(20)}, "number of axes"),
    ],
)
def test_what_is_refused_is_a_value_error_with_the_name(arguments: tuple, options: dict, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        phase_cross_correlation(*(rng().random(shape) for shape in arguments), **options)


def test_that_the_mask_of_a_masked_array_is_ignored_is_told() -> None:
    """scikit-image takes what is under it for pixels, without a word."""
    image = np.random.default_rng(0).random((20, 20))
    with pytest.warns(UserWarning, match="the mask of moving_image is ignored.* moving_mask=~np.ma.getmask"):
        shift, *_ = phase_cross_correlation(image, np.ma.masked_greater(image, 0.9))
    assert (shift == 0).all()


def test_maps_refuse_what_scikit_image_refuses() -> None:
    a = rng().random((4, 5))
    with pytest.raises(ValueError, match="mode is 'valid'"):
        cross_correlate_masked(a, a, a > 0, a > 0, mode="valid")
    with pytest.raises(ValueError, match="complex128"):
        cross_correlate_masked(a * 1j, a, a > 0, a > 0)
    with pytest.raises(ValueError, match="may differ only along axes"):
        cross_correlate_masked(a, a[:3], a > 0, a[:3] > 0, axes=(1,))
    with pytest.raises(ValueError, match=r"m2 has shape \(3, 5\)"):
        cross_correlate_masked(a, a, a > 0, a[:3] > 0)


def test_our_own_answer_is_one_line_away() -> None:
    whole = texture((160, 160), 2)
    a = cut(whole, (20, 20), (128, 128))
    b = cut(scipy.ndimage.shift(whole, (0.4, -0.3), order=5), (26, 15), (128, 128))
    mask = np.ones(a.shape, bool)
    mask[50:80, 60:70] = False
    whole_pixel, *_ = phase_cross_correlation(a, b, reference_mask=mask)
    answer = maskreg.register(a, b, mask, mask)
    np.testing.assert_array_equal(whole_pixel, np.rint([5.6, -4.7]))
    assert answer.ok
    np.testing.assert_allclose(answer.shift, [5.6, -4.7], atol=0.02)


def test_scikit_image_is_never_imported_by_us() -> None:
    code = "import sys, maskreg.compat.skimage, maskreg.compat.skued; sys.exit('skimage' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
