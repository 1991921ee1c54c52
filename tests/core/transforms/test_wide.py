"""Transforms eight columns at a time are those of SciPy; so are sums at lags, and the NCC made of these."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.fft

from maskreg.compat.skimage import cross_correlate_masked
from maskreg.core.lags import spectra
from maskreg.core.machine.kept import Kept
from maskreg.core.ncc import lag_sums
from maskreg.core.ncc.all_sums import PAIRS
from maskreg.core.ncc.coefficients import fill_ncc, plain_ncc
from maskreg.core.ncc.deviations import Deviations
from maskreg.core.ncc.lag_sums import Transform, Workspace
from maskreg.core.transforms.butterfly import Complex, butterfly
from maskreg.core.transforms.wide import LINE, aligned, stages_of_columns, stages_of_rows, wide_length


@pytest.mark.parametrize("n", [2, 3, 4, 5, 7, 8])
def test_a_butterfly_is_a_transform(n: int) -> None:
    rng = np.random.default_rng(n)
    z = rng.normal(size=(n, 7)) + 1j * rng.normal(size=(n, 7))
    for zeros in range(n // 2 + 1):
        z[n - zeros :] = 0
        x: list[Any] = [Complex(one.real, one.imag) for one in z[: n - zeros]]
        y = butterfly(x + [None] * zeros)
        np.testing.assert_allclose([one.re + 1j * one.im for one in y], np.fft.fft(z, axis=0), atol=1e-14)


def test_a_length_is_a_multiple_of_eight_with_small_factors_and_no_more_than_the_next_power_of_two() -> None:
    for least in range(1, 3000, 7):
        length = wide_length(least)
        assert length % 8 == 0
        assert least <= length < 2 * max(least, 16)
        for factor in (2, 3, 5, 7):
            while length % factor == 0:
                length //= factor
        assert length == 1


@pytest.mark.parametrize("limit", [0, 3, 183, 366, 511])
def test_a_window_is_no_longer_than_no_lag_needs_that_meets_another(limit: int) -> None:
    window = lag_sums.window_of_lags((512, 512), (512, 500), [(-limit, limit + 1)] * 2)
    assert window == (wide_length(min(512 + limit, 1023)), wide_length(min(512 + limit, 1011)))


def test_every_frequency_is_left_in_a_place_of_its_own() -> None:
    for length in range(16, 2100, 8):
        if wide_length(length) != length:
            continue
        of_columns, of_rows = stages_of_columns(length, np.float64), stages_of_rows(length, np.float32)
        assert sorted(of_columns.places) == list(range(length))
        assert np.prod(of_columns.radices) == length == 8 * np.prod(of_rows.radices)
        for count in {1, length // 3, length // 2, length * 4 // 7, length - 1, length}:
            radix = of_columns.radices[0]
            part = length // radix
            assert count <= part * of_columns.taken(count) <= max(count + part - 1, part * (radix + 1) // 2)


def test_what_is_stored_past_the_cache_begins_with_a_line() -> None:
    for k in range(20):
        found = aligned((3, 2 + k), np.float32)
        assert found.shape == (3, 2 + k)
        assert found.ctypes.data % LINE == 0


SHAPES = [
    ((20, 31), (25, 18), (48, 64), [(-20, 17), (-17, 30)]),
    ((33, 70), (33, 70), (80, 144), [(-32, 33), (-69, 70)]),  # an odd number of pairs of vectors
    ((9, 17), (9, 17), (24, 40), [(-8, 9), (-16, 17)]),  # an odd number of vectors
    ((32, 60), (30, 64), (56, 112), [(-23, 24), (-46, 47)]),
    ((41, 7), (41, 7), (56, 56), [(-15, 16), (-6, 7)]),
    ((60, 100), (70, 120), (96, 168), [(-20, 20), (-40, 40)]),
    ((30, 50), (40, 60), (48, 64), [(-3, 7), (0, 5)]),  # more than half is not zero, and few lags
    ((1, 1), (1, 1), (16, 16), [(0, 1), (0, 1)]),
    ((5, 3), (1, 40), (16, 48), [(0, 5), (-39, 3)]),
    ((100, 90), (90, 100), (200, 192), [(-89, 100), (-99, 90)]),
    ((64, 128), (64, 128), (128, 256), [(-63, 64), (-127, 128)]),
    ((250, 120), (250, 120), (500, 240), [(100, 249), (-119, -7)]),
    ((12, 25), (30, 9), (48, 48), [(-30, 18), (-9, 39)]),  # all lags that the window has
]


def whole(pixels: np.ndarray) -> Deviations:
    return Deviations(pixels.astype(float), np.ones(pixels.shape, bool))


def images(shapes: list[tuple[int, int]], window: tuple[int, int], dtype: Any) -> list[Transform]:
    rng = np.random.default_rng(11)
    made = [rng.normal(size=shape).astype(dtype) for shape in shapes]
    linear = 0.5, 0.25, 3.0
    masks = [rng.random(shape) < 0.8 for shape in shapes]
    of = [
        Transform(Deviations(x, mask, *linear), window, np.dtype(dtype))
        for x, mask in zip(made, masks, strict=True)
    ]
    return [*of, Transform(Deviations(made[0], masks[0], *linear), window, np.dtype(dtype), squared=True)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("shape", "other", "window", "spans"), SHAPES)
def test_sums_at_lags_are_those_of_whole_transforms_in_any_parts_and_of_any_threads(
    monkeypatch: pytest.MonkeyPatch, shape, other, window, spans, dtype
) -> None:
    every = images([shape, other, shape], window, dtype)
    pairs: list[lag_sums.Pair] = [(0, 1), (2, 1), (0, 0), (0, 1, 2, 1), (3, 1)]
    pixels = [one.pixels.array(dtype) ** (2 if one.squared else 1) for one in every]
    bytes_seen = set()
    for nbytes, threads in ((1, 3), (2**11, 2), (2**20, 1)):
        monkeypatch.setattr(lag_sums, "PART_BYTES", nbytes)
        with scipy.fft.set_workers(threads):
            got = lag_sums.lag_sums(every, pairs, window, spans, dtype)
        bytes_seen.add(got.tobytes())
    assert len(bytes_seen) == 1
    crop = np.ix_(*(np.arange(low, high) % n for (low, high), n in zip(spans, window, strict=True)))
    for pair, values in zip(pairs, got, strict=True):
        whole = [spectra.transform(pixels[k].astype(float), window) for k in pair]
        sums = spectra.cross(*whole[:2], window)
        sums = sums - spectra.cross(*whole[2:], window) if len(pair) == 4 else sums
        norm = sum(
            np.linalg.norm(pixels[i]) * np.linalg.norm(pixels[j])
            for i, j in zip(pair[::2], pair[1::2], strict=True)
        )
        assert np.abs(values - sums[crop]).max() <= 4 * np.finfo(dtype).eps * norm


def test_each_pair_has_the_same_bytes_whatever_else_is_asked_for() -> None:
    window, spans = (96, 160), [(-39, 40), (-69, 70)]
    every = images([(40, 70), (40, 70)], window, np.float64)
    together = lag_sums.lag_sums(every, [(0, 1), (2, 1), (1, 1)], window, spans, np.float64)
    kept = [lag_sums.transforms([one])[0] for one in every]
    for pair, values in zip([(0, 1), (2, 1), (1, 1)], together, strict=True):
        assert lag_sums.lag_sums(kept, [pair], window, spans, np.float64)[0].tobytes() == values.tobytes()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("window", [(96, 160), (112, 168), (96, 144), (80, 512)])
def test_rows_that_are_kept_give_the_same_bytes(window: tuple[int, int], dtype: Any) -> None:
    spans = [(-39, 40), (-69, 70)]
    every = images([(40, 70), (40, 70)], window, dtype)
    pairs: list[lag_sums.Pair] = [(0, 1), (1, 0), (0, 1, 2, 2)]
    expected = lag_sums.lag_sums(every, pairs, window, spans, dtype)
    kept = Kept(2**24)
    for count in (1, 2, 3):
        some = [one.kept(kept, str(k)) if k < count else one for k, one in enumerate(every)]
        assert sum(isinstance(one, np.ndarray) for one in some) == count
        assert lag_sums.lag_sums(some, pairs, window, spans, dtype).tobytes() == expected.tobytes()


@pytest.mark.parametrize(("shape", "other", "window", "spans"), SHAPES)
def test_what_is_not_stored_is_not_read(monkeypatch: pytest.MonkeyPatch, shape, other, window, spans) -> None:
    every = images([shape, other], window, np.float64)
    expected = lag_sums.lag_sums(every, [(0, 1)], window, spans, np.float64)
    array = Workspace.array

    def spoiled(workspace: Workspace, size: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
        out = array(workspace, size, dtype)
        out.fill(np.nan)
        return out

    monkeypatch.setattr(Workspace, "array", spoiled)
    assert lag_sums.lag_sums(every, [(0, 1)], window, spans, np.float64).tobytes() == expected.tobytes()


def test_parts_are_equal_and_shared_evenly_by_two_threads() -> None:
    for count, nbytes in ((1, 8), (217, 7000), (1025, 2**15), (3, 2**30)):
        parts = lag_sums._parts(count, nbytes)
        assert [k for part in parts for k in range(count)[part]] == list(range(count))
        sizes = {part.stop - part.start for part in parts}
        assert max(sizes) - min(sizes) <= 1
        assert len(parts) in (1, 3) or len(parts) % 2 == 0


def test_a_workspace_is_used_again_by_one_at_a_time() -> None:
    kept = Kept(10**6)
    first = Workspace([1000, 500], kept)
    a, b = first.array((100,), np.dtype(float)), first.array((5, 20), np.dtype(np.float32))
    assert not np.may_share_memory(a, b)
    assert all(x.ctypes.data % LINE == 0 for x in (a, b, first.array((1000,), np.dtype(float))))
    first.give_back()
    second, third = Workspace([500, 1000], kept), Workspace([1000, 500], kept)
    assert np.may_share_memory(second.array((3,), np.dtype(float)), a)
    assert not np.may_share_memory(third.array((3,), np.dtype(float)), a)


@pytest.mark.parametrize("fill", [fill_ncc, plain_ncc])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("count", [1, 7, 8, 13, 16, 61])
def test_the_ncc_of_some_columns_is_that_of_its_definition(fill: Any, dtype: Any, count: int) -> None:
    rng = np.random.default_rng(count)
    rows, column = 30, 5
    n = rng.integers(0, 40, (rows, count)) + rng.uniform(-0.2, 0.2, (rows, count))
    n[4:8] = 3  # nowhere enough
    sums = [n, *(rng.normal(size=(rows, count)) for _ in range(2, 7))]
    sums[2], sums[4] = np.abs(sums[2]), np.abs(sums[4])
    sums[4][3] = sums[3][3] ** 2 / np.maximum(np.rint(n[3]), 1) + 1e-3  # hardly any variance
    laid = [values.astype(dtype) for values in sums]
    n, a, aa, b, bb, ab = (values.astype(float) for values in laid)
    n = np.rint(n)
    va, vb = aa - a**2 / np.maximum(n, 1), bb - b**2 / np.maximum(n, 1)
    good = (va > 1e-4) & (vb > 1e-4) & (n > 19.5)
    root = np.sqrt(np.where(good, va * vb, 0))
    expected = np.clip((ab - a * b / np.maximum(n, 1)) / np.where(good, root, 1), -1, 1) * good
    for with_root in (False, True):
        inside = slice(column, column + count)
        ncc = np.full((rows, column + count + 4), 7, dtype)
        roots = np.full(ncc.shape if with_root else (0, 0), 7, dtype)
        ncc[:, inside] = roots[:, inside] = 0
        limits = np.array([1e-4, 19.5, root[good].min() * 1.001], dtype)
        assert fill(laid, limits, column, ncc, roots)
        limits[2] /= 1.01
        assert not fill(laid, limits, column, ncc, roots)
        near = 1e-12 if dtype is np.float64 else 2e-3
        np.testing.assert_allclose(ncc[:, inside], expected, atol=near)
        assert (np.delete(ncc, np.r_[inside], axis=1) == 7).all()
        if with_root:
            np.testing.assert_allclose(roots[:, inside], root, atol=near)
            assert (np.delete(roots, np.r_[inside], axis=1) == 7).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("known", [0, 1, 3])
@pytest.mark.parametrize(("shape", "other", "window", "spans"), SHAPES)
def test_the_ncc_of_bands_is_that_of_whole_sums(
    monkeypatch: pytest.MonkeyPatch, shape, other, window, spans, known, dtype
) -> None:
    rng = np.random.default_rng(known)
    a, b = (rng.normal(size=n) for n in (shape, other))
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    mask, other_mask = rng.random(shape) < 0.9, rng.random(other) < 0.8
    # reference and moving of n, and the sums of a, a^2, b, b^2, a b
    every = [
        Transform(whole(x), window, np.dtype(dtype))
        for x in (a * mask, a * a * mask, mask, b * other_mask, b * b * other_mask, other_mask)
    ]
    sums = lag_sums.lag_sums(every, PAIRS[:6], window, spans, dtype)
    outer = np.full((sums.shape[1], sums.shape[2] + 6), 7, dtype)
    enough = 0.3 * np.rint(sums[0].max())
    for faint in (0, 2):
        limits = np.array([4 * np.finfo(dtype).eps, enough + 0.25, faint], dtype)
        ncc, root, plain, plain_root = (outer.copy() for _ in range(4))
        for to in (ncc, root, plain, plain_root):
            to[:, 2:-4] = 0
        expected = plain_ncc(sums, limits, 2, plain, plain_root)
        for nbytes, threads in ((1, 2), (2**20, 1)):
            monkeypatch.setattr(lag_sums, "PART_BYTES", nbytes)
            some = lag_sums.lag_sums_2d(every, PAIRS[known:6], window, spans, dtype)
            kept = dict(enumerate(sums[:known]))
            with scipy.fft.set_workers(threads):
                assert some.fill_ncc(kept, range(known, 6), limits, 2, ncc, root) == expected
            near = 1e-11 if dtype is np.float64 else 2e-3
            np.testing.assert_allclose(ncc, plain, atol=near)
            np.testing.assert_allclose(root, plain_root, atol=near)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("window", [(96, 96), (112, 128), (144, 168), (256, 80)])
def test_whether_a_sum_is_known_changes_no_byte(window: tuple[int, int], dtype: Any) -> None:
    rng = np.random.default_rng(3)
    pixels = rng.normal(size=(6, 40, 40)) / 40
    pixels[[2, 5]] = pixels[[2, 5]] > 0
    every = [Transform(whole(x), window, np.dtype(dtype)) for x in pixels]
    spans = [(-20, 21), (-17, 20)]
    sums = lag_sums.lag_sums(every, PAIRS[:6], window, spans, dtype)
    limits = np.array([-np.inf, 30, 0], dtype)
    found = set()
    for known in range(4):
        ncc = np.zeros(sums.shape[1:], dtype)
        some = lag_sums.lag_sums_2d(every, PAIRS[known:6], window, spans, dtype)
        some.fill_ncc(dict(enumerate(sums[:known])), range(known, 6), limits, 0, ncc, ncc[:0])
        found.add(ncc.tobytes())
    assert len(found) == 1


def test_a_map_of_every_lag_is_that_of_its_definition() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(2, 12, 14))
    masks = rng.random((2, 12, 14)) > 0.2
    found = cross_correlate_masked(a, b, *masks)
    i, j = 15, 10  # the shift of b that is (4, -3): all pixels of a that meet one of b
    here, there = (slice(4, 12), slice(0, 11)), (slice(0, 8), slice(3, 14))
    both = masks[0][here] & masks[1][there]
    expected = np.corrcoef(a[here][both], b[there][both])[0, 1]
    assert found[i, j] == pytest.approx(expected, abs=1e-12)
