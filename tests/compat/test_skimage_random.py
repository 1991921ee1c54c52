"""Random small images of every awkward kind: the shift is scikit-image's, proven or not."""

from __future__ import annotations

import warnings
from collections import Counter

import numpy as np
import pytest
import scipy.ndimage

from maskreg.compat import masked
from maskreg.compat.skimage import cross_correlate_masked, phase_cross_correlation
from maskreg.core.ncc.all_sums import AllSums

theirs = pytest.importorskip("skimage.registration._masked_phase_cross_correlation")

KINDS = ("noise", "smooth", "stripes", "half flat", "spikes", "steps", "flat")
MASKS = ("full", "block", "scattered", "tiny", "two blocks")


def scene(rng: np.random.Generator, kind: str, shape: list[int]) -> np.ndarray:
    values = rng.normal(size=shape)
    if kind == "smooth":
        values = scipy.ndimage.gaussian_filter(values, rng.uniform(1, 3))
        values /= values.std()
    elif kind == "stripes":
        values = np.sin(np.indices(shape)[-1] * 2 * np.pi / rng.integers(2, 9))
    elif kind == "half flat":
        values[tuple(slice(0, n // 2) for n in shape)] = 0
    elif kind == "spikes":
        values *= 0.1
        values.flat[rng.integers(values.size, size=3)] = 5
    elif kind == "steps":
        values = np.round(values)
    elif kind == "flat":
        values[:] = 3
    return values


def mask_of(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.ones(shape, bool)
    if kind == "scattered":
        mask = rng.random(shape) < 0.7
    elif kind == "tiny":
        mask[:] = False
        mask[tuple(slice(n // 3, n // 3 + 3) for n in shape)] = True
    elif kind != "full":
        corner = [int(rng.integers(0, max(1, n // 2))) if "two" in kind else n // 3 for n in shape]
        mask[tuple(slice(c, c + max(1, n // 4)) for c, n in zip(corner, shape, strict=True))] = False
    return mask


def pair(rng: np.random.Generator, kind: str, masks: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    ndim = int(rng.choice([1, 2, 2, 2, 3]))
    longest = {1: 60, 2: 50, 3: 11}[ndim]
    shape = tuple(int(n) for n in rng.integers(1 if rng.random() < 0.1 else 5, longest, ndim))
    other = shape if rng.random() < 0.5 else tuple(int(n) for n in rng.integers(5, longest, ndim))
    whole = scene(rng, kind, [max(p, q) + 12 for p, q in zip(shape, other, strict=True)])
    starts = np.full(ndim, 5), rng.integers(0, 12, ndim)
    noise = 0 if kind == "flat" else rng.choice([0, 0.3])
    images, valid = [], []
    for start, lengths in zip(starts, (shape, other), strict=True):
        cut = whole[tuple(slice(s, s + n) for s, n in zip(start, lengths, strict=True))]
        images.append(rng.choice([1, 30]) * (cut + noise * rng.normal(size=lengths)) + rng.choice([0, 100]))
        valid.append(mask_of(rng, masks, lengths))
        if not valid[-1].any():
            valid[-1].flat[0] = True
    if shape == other and "two" not in masks and rng.random() < 0.7:
        valid[1] = valid[0]
    what = rng.random()
    if what < 0.2:
        images = [np.clip(np.round(x + 60), 0, 255).astype("u1") for x in images]
    elif what < 0.35:
        images = [x.astype("f4") for x in images]
    elif what < 0.5:  # bright beside the mask
        images[0].flat[rng.integers(images[0].size)] = 1e4
    elif what < 0.8:  # anything under it
        for image, mask in zip(images, valid, strict=True):
            image[~mask] = rng.choice([np.nan, np.inf, 1e8])
    return images, valid


@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_shift_is_scikit_images(monkeypatch: pytest.MonkeyPatch, kind: str, masks: str) -> None:
    monkeypatch.setattr(masked, "SMALLEST_SEARCHED", 0)
    seen: Counter[str] = Counter()
    proven = masked.greatest_ncc_lag

    def counted(*arguments):
        found = proven(*arguments)
        seen["proven"] += found is not None
        return found

    monkeypatch.setattr(masked, "greatest_ncc_lag", counted)
    for seed in range(8):
        rng = np.random.default_rng([seed, KINDS.index(kind), MASKS.index(masks)])
        (a, b), (a_mask, b_mask) = pair(rng, kind, masks)
        ratio = float(rng.choice([0.05, 0.3, 0.6, 0.9]))
        expected = theirs._masked_phase_cross_correlation(
            np.where(a_mask, a, 0), np.where(b_mask, b, 0), a_mask, b_mask, ratio
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # flat images, equal maxima
            shift, *_ = phase_cross_correlation(
                a, b, reference_mask=a_mask, moving_mask=b_mask, overlap_ratio=ratio
            )
        seen["cases"] += 1
        if np.array_equal(shift, expected):
            seen["equal"] += 1
            continue
        # equal maxima, or what rounding makes of flat images: then either shift is as good
        axes = tuple(range(a.ndim))
        values = cross_correlate_masked(b, a, b_mask, a_mask, axes=axes, overlap_ratio=ratio)
        near = 1e-3 if a.dtype == np.float32 else 1e-6
        best = np.argwhere(values >= max(values.max() - near, 0))
        lags = np.array(a.shape) - 1 - best + (np.array(b.shape) - a.shape) / 2
        assert (lags == shift).all(axis=1).any() or len(best) > 1
        seen["as good"] += 1
    assert seen["equal"] + seen["as good"] == 8
    if kind in ("noise", "smooth") and masks in ("full", "block", "two blocks"):
        assert seen["equal"] >= 7
        assert seen["proven"] >= 2


@pytest.mark.parametrize("ratio", [-1.0, 0.0, 0.1, 0.3, 0.9, 1.0, 1.5])
@pytest.mark.parametrize(
    ("shape", "other"),
    [((30,), (40,)), ((30, 40), (30, 40)), ((9, 40), (30, 12)), ((7, 8, 9), (9, 8, 7)), ((3, 50), (50, 3))],
)
@pytest.mark.parametrize("same", [False, True])
def test_lags_that_are_left_out_are_those_of_too_little_overlap(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], other: tuple[int, ...], ratio: float, same: bool
) -> None:
    rng = np.random.default_rng(len(shape) + shape[0])
    images = rng.normal(size=shape), rng.normal(size=other)
    masks = rng.random(shape) < 0.8, rng.random(other) < 0.7
    narrowed = []
    may_be_enough = masked._may_be_enough

    def every(sums: AllSums, overlap_ratio: float) -> list[tuple[int, int]]:
        narrowed.append(may_be_enough(sums, overlap_ratio))
        return sums.spans

    def mapped() -> np.ndarray:
        return masked.masked_ncc(("a", "b"), images, masks, np.float64, ratio, same=same)

    found = mapped()
    monkeypatch.setattr(masked, "_may_be_enough", every)
    expected = mapped()
    np.testing.assert_array_equal(found == 0, expected == 0)
    np.testing.assert_allclose(found, expected, atol=1e-11)
    if ratio > 0.8 and shape == other and not same:
        assert all(end - first < n for (first, end), n in zip(narrowed[0], expected.shape, strict=True))
