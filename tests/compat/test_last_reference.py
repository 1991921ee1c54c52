"""What is kept of the last reference changes no byte of any answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import scipy.fft
import scipy.ndimage
from tests.cases import cases

from maskreg.compat import last_reference, masked
from maskreg.compat.last_reference import LastReference
from maskreg.compat.skimage import cross_correlate_masked, phase_cross_correlation
from maskreg.core.machine.in_parallel import in_parallel
from maskreg.core.machine.kept import Kept
from maskreg.core.ncc import lag_sums

Call = Callable[[], np.ndarray]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(masked, "LAST_REFERENCE", LastReference())
    monkeypatch.setattr(masked, "SMALLEST_SEARCHED", 0)
    yield


def alone(call: Call) -> np.ndarray:
    """Return the answer of a process that has seen no reference."""
    before, masked.LAST_REFERENCE = masked.LAST_REFERENCE, LastReference()
    try:
        return call()
    finally:
        masked.LAST_REFERENCE = before


def scene(rng: np.random.Generator, ndim: int = 2) -> np.ndarray:
    shape = (100, 110) if ndim < 3 else (54, 60, 30)
    smooth = scipy.ndimage.gaussian_filter(rng.normal(size=shape[:ndim]), 1.5)
    return np.round(200 + 40 * smooth / smooth.std()).clip(0, 60000)


def frame(rng: np.random.Generator, whole: np.ndarray, dtype: Any) -> np.ndarray:
    start = rng.integers(0, 12, whole.ndim)
    cut = whole[tuple(slice(s, s + n - 14) for s, n in zip(start, whole.shape, strict=True))]
    return np.asarray(rng.poisson(cut), dtype)


def mask_of(rng: np.random.Generator, shape: tuple[int, ...], kind: str) -> np.ndarray:
    mask = np.ones(shape, bool)
    mask[tuple(slice(n // 3, n // 2) for n in shape)] = False
    return mask & (rng.random(shape) < 0.8) if kind == "scattered" else mask


def calls(reference: np.ndarray, moving: np.ndarray, *masks: np.ndarray) -> list[Call]:
    def shift() -> np.ndarray:
        return phase_cross_correlation(
            reference, moving, reference_mask=masks[0], moving_mask=masks[1], overlap_ratio=0.3
        )[0]

    axes = tuple(range(reference.ndim))
    return [
        shift,
        lambda: cross_correlate_masked(reference, moving, *masks, axes=axes),
        lambda: cross_correlate_masked(reference, moving, *masks, axes=axes, mode="same", overlap_ratio=0.1),
    ]


@pytest.mark.parametrize("kind", ["block", "scattered"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_any_order_of_references_masks_and_types_gives_the_same_bytes(ndim: int, kind: str) -> None:
    rng = np.random.default_rng([ndim, kind == "block"])
    wholes = [scene(rng, ndim) for _ in range(2)]
    references = [frame(rng, w, t) for w, t in zip(wholes, ("u2", "f8"), strict=True)]
    references += [references[0].astype("f4"), references[0].astype("f8")]
    masks = [mask_of(rng, references[0].shape, kind) for _ in range(2)]
    masks[1].flat[:40] = False
    for turn in range(cases(12, 24)):
        # the same one several times, so that it is kept, and now and then another
        which = int(rng.integers(4)) if turn % 4 == 3 else 0
        reference = references[which]
        moving = frame(rng, wholes[which % 2 if which < 2 else 0], rng.choice(["u2", "f4", "f8"]))
        a_mask, b_mask = masks[int(rng.random() < 0.1)], masks[int(rng.random() < 0.3)]
        for call in calls(reference, moving, a_mask, b_mask):
            got, expected = call(), alone(call)
            assert got.dtype == expected.dtype
            assert got.tobytes() == expected.tobytes()


@pytest.mark.parametrize("what", ["pixel", "sign of zero", "reference_mask", "moving_mask"])
@pytest.mark.parametrize("kind", ["block", "scattered"])
def test_what_is_changed_in_place_is_seen(what: str, kind: str) -> None:
    rng = np.random.default_rng(3)
    whole = scene(rng)
    reference = frame(rng, whole, "f8")
    reference[4, 5] = 0.0
    mask = mask_of(rng, reference.shape, kind)
    mask[4, 5] = True
    masks = [mask.copy(), mask.copy()]
    for change in (False, False, False, True, False):
        moving = frame(rng, whole, "f8")
        if change and what == "pixel":
            reference[60:, 60:] = rng.normal(200, 40, reference[60:, 60:].shape)
        elif change and what == "sign of zero":
            reference[4, 5] = -0.0
        elif change:
            masks[what == "moving_mask"][50:70, 5:40] = False
        for call in calls(reference, moving, *masks):
            assert call().tobytes() == alone(call).tobytes()


def test_ignored_pixels_of_the_reference_do_not_matter() -> None:
    rng = np.random.default_rng(4)
    reference, mask = frame(rng, scene(rng), "f8"), mask_of(rng, (86, 96), "block")
    memory = LastReference()
    first = [memory.pair((reference, reference), (mask, mask))[0] for _ in range(3)][-1]
    reference[~mask] = np.nan
    assert memory.pair((reference, reference), (mask.copy(), mask))[0] is first


@pytest.mark.parametrize(("kind", "expected"), [("series", 1), ("pairs", 5), ("masks", 8)])
def test_what_stays_the_same_is_transformed_once(
    monkeypatch: pytest.MonkeyPatch, kind: str, expected: int
) -> None:
    """A series of one reference, pairs behind the same masks, and masks that change, too.

    Of a series so few lags are left that moving's squares are summed.
    """
    rng = np.random.default_rng(5)
    whole = scene(rng)
    frames = [frame(rng, whole, "u2") for _ in range(7)]
    mask = mask_of(rng, (86, 96), "scattered")
    transformed = []
    along_columns = lag_sums._along_columns

    def counted(image: lag_sums.Transform, out: np.ndarray) -> list[Callable[[], None]]:
        transformed.append(image.pixels.mask.shape)
        return along_columns(image, out)

    monkeypatch.setattr(lag_sums, "_along_columns", counted)
    counts = []
    for k in range(6):
        if kind == "masks":
            mask = mask_of(rng, (86, 96), "scattered")
        reference = frames[0 if kind == "series" else k]
        phase_cross_correlation(reference.copy(), frames[k + 1], reference_mask=mask.copy())
        counts.append(len(transformed))
        transformed.clear()
    assert counts[0] == 8
    assert counts[-2:] == [expected] * 2


def test_one_call_leaves_a_copy_and_a_series_a_bounded_memory() -> None:
    rng = np.random.default_rng(6)
    whole = scene(rng)
    reference, mask = frame(rng, whole, "f8"), mask_of(rng, (86, 96), "scattered")
    memory = masked.LAST_REFERENCE
    for turn in range(3):
        for call in calls(reference, frame(rng, whole, "f8"), mask, mask)[: 1 if turn == 0 else 3]:
            call()
            record = memory._record
            assert record is not None
            assert not np.may_share_memory(record.reference.values, reference)
            bounds = (
                (record.kept, last_reference.MOST_KEPT),
                (record.reference.kept, last_reference.MOST_KEPT),
                (record.kept_of_masks, last_reference.MOST_KEPT_OF_MASKS),
            )
            for kept, most in bounds:
                sizes = [size for _, _, size in kept._values.values()]
                assert sum(sizes) <= (most if turn else 0)
                assert bool(sizes) == bool(turn)


@pytest.mark.parametrize("cores", [1, 3])
def test_both_functions_use_the_cores_for_large_images_and_give_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    rng = np.random.default_rng(9)
    whole = scene(rng)
    a, b = (frame(rng, whole, "f8") for _ in range(2))
    mask = mask_of(rng, a.shape, "scattered")
    expected = [call().tobytes() for call in calls(a, b, mask, mask)]
    used = []

    def spy(work: Callable[[int], None], parts: int) -> None:
        used.append(scipy.fft.get_workers())
        in_parallel(work, parts)

    monkeypatch.setattr(lag_sums, "in_parallel", spy)
    monkeypatch.setattr(masked, "SMALLEST_THREADED", 96)
    monkeypatch.setattr(masked, "SMALLEST_THREADED_MAP", 96)
    monkeypatch.setattr(masked, "available_cores", lambda: cores)
    for call, before in zip(calls(a, b, mask, mask), expected, strict=True):
        masked.LAST_REFERENCE.forget()
        assert call().tobytes() == before
        assert set(used) == {cores}
        used.clear()


def test_what_does_not_fit_is_not_kept_and_an_answer_stays_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    whole = scene(rng)
    reference, mask = frame(rng, whole, "f8"), mask_of(rng, (86, 96), "scattered")
    for most in (1, 150_000, 300_000):
        monkeypatch.setattr(last_reference, "MOST_KEPT", most)
        monkeypatch.setattr(last_reference, "MOST_KEPT_OF_MASKS", most)
        masked.LAST_REFERENCE.forget()
        for _ in range(4):
            for call in calls(reference, frame(rng, whole, "f8"), mask, mask):
                assert call().tobytes() == alone(call).tobytes()


def test_threads_with_references_of_their_own_get_their_own_answers() -> None:
    rng = np.random.default_rng(8)
    work = []
    for _ in range(2):
        whole = scene(rng)
        reference, mask = frame(rng, whole, "u2"), mask_of(rng, (86, 96), "scattered")
        work += [calls(reference, frame(rng, whole, "u2"), mask, mask)[:2] for _ in range(8)]
    ready = [call for several in work for call in several]
    expected = [alone(call).tobytes() for call in ready]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            order = rng.permutation(len(ready))
            got = pool.map(lambda k: ready[k]().tobytes(), order)
            assert [expected[k] for k in order] == list(got)


def test_the_last_value_of_a_name_is_kept_for_its_key_and_within_the_limit() -> None:
    kept = Kept(1000)
    a, b = np.zeros(100), np.ones(25)
    assert kept.get("a", 1, lambda: a) is a
    assert kept.get("a", 1, lambda: b) is a
    assert kept.find("a", 2) is None
    assert not kept.takes("b", 201)
    kept.put("b", 0, [b, b])
    assert kept.find("b", 0) is None
    assert kept.get("a", 2, lambda: b) is b
    assert kept.find("a", 1) is None
    kept.put("b", 0, [b, b, b])
    assert len(kept.find("b", 0)) == 3
    assert kept.take("a", 1) is None
    assert kept.take("a", 2) is b
    assert kept.take("a", 2) is None
    assert Kept().get("a", 1, lambda: a) is a
    assert Kept().find("a", 1) is None
