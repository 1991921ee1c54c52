"""The search of many pixels in little memory finds what transforms of every sum find."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.uncompiled import WITHOUT_COMPILER

from maskreg.core.image.detail import BinnedPlane, LocalPlane, plain_between_blocks
from maskreg.core.image.detail_kernels import between_blocks_2d
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import MaskPyramid
from maskreg.core.image.stabilise import Detector
from maskreg.core.lags.common_pixels import CommonPixels, block_side
from maskreg.core.lags.correlate import limited_lags, reference_terms
from maskreg.core.lags.fine import MOST_SPIKES, FineLags, without_spikes
from maskreg.core.lags.lean_maps import BlockSums, HalfMap
from maskreg.core.lags.maxima import likeliest_maxima
from maskreg.core.lags.scores import plain_scores
from maskreg.core.lags.spectra import transformed_pair
from maskreg.core.likelihood import likelihood
from maskreg.core.machine.room import Room, Rooms, share_places
from maskreg.core.plan import Plan, make_plan, window_length
from maskreg.core.search.search import LevelSearch
from maskreg.options import Options
from maskreg.testing import beam_block

EXAMPLES = 2 if WITHOUT_COMPILER else 20

FLOOR = 1e-6

seeds = st.integers(0, 2**32 - 1)
length = st.integers(40, 60) if WITHOUT_COMPILER else st.integers(60, 110)
sides = st.tuples(length, length)


def noise(seed, shape, spikes=0):
    """Return noise behind a beam-block, with a few pixels that outshine all others, and the mask."""
    rng = np.random.default_rng(seed)
    mask = beam_block(shape)
    pixels = rng.standard_normal(shape).astype(np.float32)
    pixels[rng.integers(shape[0], size=spikes), rng.integers(shape[1], size=spikes)] = 300
    return np.where(mask, pixels, np.float32(0)), mask


def plain_and_fine(a, a_mask, b, b_mask, limits=(np.inf, np.inf)):
    shape, other = a.shape, b.shape
    window = tuple(window_length(p, q, None) for p, q in zip(shape, other, strict=True))
    lags = limited_lags(shape, other, None)
    terms = reference_terms(a.astype(np.float64), a_mask, b_mask, window, lags)
    padded = np.zeros((2, *window))
    corner = tuple(slice(0, n) for n in other)
    padded[0][corner], padded[1][corner] = b, b.astype(np.float64) ** 2
    least = 0.05 * float(terms.overlap.max())
    plain = plain_scores(terms, transformed_pair(padded, other), float(padded[1].sum()), FLOOR, least)
    fine = FineLags(a, CommonPixels(a_mask, b_mask, window))
    return plain, terms.overlap, fine, fine(b, FLOOR, limits, least), least


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, sides, sides, st.sampled_from([(0, 0), (3, 0), (0, 4), (2, 2)]))
def test_every_lag_is_that_of_all_transforms_whatever_outshines_the_rest(seed, shape, other, spikes):
    images = noise(seed, shape, spikes[0]), noise(seed + 1, other, spikes[1])
    plain, overlap, fine, found, least = plain_and_fine(*images[0], *images[1])
    enough = overlap >= least
    np.testing.assert_allclose(
        fine.common.overlap[:, :][enough], overlap[enough], rtol=0.03, atol=0.02 * overlap.max()
    )
    known = enough & ~np.isnan(plain.z) & ~np.isnan(found.z)
    assert known.sum() > 0.99 * (enough & ~np.isnan(plain.z)).sum()
    # what enters and leaves within a block at borders of images so small
    off = np.abs(found.z[known] - plain.z[known]) / (1 + np.abs(plain.z[known]))
    assert off.max() < 0.25
    assert np.sqrt((off**2).mean()) < 0.02
    rows, columns = fine.common.sampled
    np.testing.assert_allclose(found.sample, found.z[np.ix_(rows, columns)], rtol=1e-3, atol=1e-4)


PATTERNS = (
    lambda rows, columns: (rows + columns) % 2 == 0,
    lambda rows, columns: rows % 3 > 0,
    lambda rows, columns: (rows % 7 < 4) ^ (columns % 5 < 2),
)


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, sides, sides, st.sampled_from([(0, 0), (3, 2)]), st.sampled_from(PATTERNS))
def test_every_lag_of_masks_with_a_pattern_is_exactly_that_of_all_transforms(
    seed, shape, other, spikes, pattern
):
    (a, a_mask), (b, b_mask) = noise(seed, shape, spikes[0]), noise(seed + 1, other, spikes[1])
    a_mask, b_mask = (mask & pattern(*np.indices(mask.shape)) for mask in (a_mask, b_mask))
    plain, overlap, fine, found, least = plain_and_fine(a * a_mask, a_mask, b * b_mask, b_mask)
    assert fine.common.blocks is None
    for index in np.s_[3, 50], np.s_[40:44, 60:63], np.s_[70:71, :]:
        np.testing.assert_allclose(fine.common.overlap[index], overlap[index], rtol=2e-3)
    np.testing.assert_array_equal(fine.common.sampled_overlap, overlap[np.ix_(*fine.common.sampled)])
    assert fine.common.greatest_overlap == overlap.max()
    known = (overlap >= least) & ~np.isnan(plain.z)
    np.testing.assert_allclose(found.z[known], plain.z[known], rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(found.sample, found.z[np.ix_(*fine.common.sampled)], rtol=1e-3, atol=1e-4)
    lags = limited_lags(shape, other, None)
    expected = likeliest_maxima(plain.ncc, overlap, known, FLOOR, lags)
    assert next(iter(found.best)) == expected[0]
    for index, z in found.best.items():
        assert z == pytest.approx(plain.z[index], rel=1e-4, abs=1e-4)


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(seeds, sides, sides, st.sampled_from([0, 3]), st.sampled_from([np.inf, 20.0]))
def test_the_likeliest_lags_are_told_exactly(seed, shape, other, spikes, limit):
    a, b = noise(seed, shape, spikes), noise(seed + 1, other)
    plain, overlap, _, found, least = plain_and_fine(*a, *b, (limit, limit))
    lags = limited_lags(shape, other, None)
    inside = (np.abs(lags[0]) <= limit)[:, None] & (np.abs(lags[1]) <= limit)
    searched = inside & (overlap >= least) & ~np.isnan(plain.ncc)
    expected = likeliest_maxima(plain.ncc, overlap, searched, FLOOR, lags)
    values = likelihood(plain.ncc, overlap, FLOOR)
    for index, z in found.best.items():
        assert z == pytest.approx(plain.z[index], abs=1e-4)
    # as likely as the likeliest: of two that are nearly equal either may be found
    assert values[next(iter(found.best))] >= 0.9 * values[expected[0]]
    told = [values[index] for index in found.best]
    assert told == sorted(told, reverse=True) or np.allclose(told, sorted(told, reverse=True), rtol=1e-4)


def test_lags_of_pixels_that_outshine_all_others_are_found():
    (a, mask), b = noise(1, (90, 100)), np.zeros((90, 100), np.float32)
    b[:80, :93] = a[10:, 7:]
    b[40, 50] = 1e5
    b[~mask] = 0
    *_, fine, found, _ = plain_and_fine(a, mask, b, mask)
    assert next(iter(found.best)) == (10 - fine.common.overlap.first[0], 7 - fine.common.overlap.first[1])


def test_no_more_than_some_pixels_are_spikes():
    pixels, _ = noise(3, (70, 80))
    spikes, rest, energy = without_spikes(pixels * 0)
    assert spikes[0].size == 0
    assert energy == 0
    pixels.flat[::50] = 1e4
    spikes, rest, energy = without_spikes(pixels)
    assert spikes[0].size == MOST_SPIKES
    assert energy == pytest.approx(float((rest.astype(np.float64) ** 2).sum()))
    rest[spikes[0], spikes[1]] += spikes[2]
    np.testing.assert_array_equal(rest, pixels)


@pytest.mark.parametrize("part", [1.0, 0.99, 0.5])
def test_masks_are_smooth_unless_they_hold_a_pattern(part):
    shape, window = (120, 130), (240, 260)
    mask = beam_block(shape) & (np.random.default_rng(0).random(shape) < part)
    assert CommonPixels(mask, mask, window).blocks is not None
    rows, columns = np.indices(shape)
    for pattern in ((rows + columns) % 2 == 0, rows % 3 == 0, columns % 4 > 0):
        assert CommonPixels(mask & pattern, mask & pattern, window).blocks is None


def test_what_is_known_of_lags_is_indexed_as_an_array():
    half = np.random.default_rng(0).standard_normal((7, 9)).astype(np.float16)
    score = HalfMap(half, {(2, 3): 1.25, (6, 8): -4.0}, 0.5, 2.0)
    whole = half.astype(np.float32)
    whole[2, 3], whole[6, 8] = 1.25, -4.0
    whole = (whole - np.float32(0.5)) / np.float32(2)
    counts = BlockSums(np.arange(35.0).reshape(5, 7).astype(np.float32), (2, 3), 2, (-3, -4), (7, 9))
    overlap = np.array([[counts[i, j] for j in range(9)] for i in range(7)])
    assert overlap[3, 4] == counts.values[2, 3]
    for index in np.s_[2, 3], np.s_[1:4, 2:5], np.s_[0:7, 0:9], np.s_[5:7, 8:9], np.s_[:, :]:
        np.testing.assert_array_equal(score[index], whole[index])
        np.testing.assert_allclose(counts[index], overlap[index])
    points = np.array([[2, 3], [6, 8], [0, 0]]).T
    np.testing.assert_array_equal(score[tuple(points)], whole[tuple(points)])


def test_a_level_of_many_pixels_says_what_it_does_with_all_transforms(monkeypatch):
    shape = (420, 400)
    rng = np.random.default_rng(5)
    scene = rng.standard_normal((460, 440))
    mask = beam_block(shape)
    images = [
        Prepared(
            np.where(mask, view + 2 * rng.standard_normal(shape), 0).astype(np.float32),
            MaskPyramid(mask),
            Detector(False),
        )
        for view in (scene[20:440, 20:420], scene[9:429, 26:426])
    ]
    plan = make_plan(shape, shape)
    assert plan.fine == (1,)
    for faint in (False, True):
        for limit in (None, 15):
            options = Options(max_shift=limit)
            fine = LevelSearch(images[0], mask, plan, 1, options, faint=faint)(images[1])
            with monkeypatch.context() as patch:
                patch.setattr(Plan, "fine", ())
                plain = LevelSearch(images[0], mask, plan, 1, options, faint=faint)(images[1])
            assert fine.best == plain.best == (420 - 1 - 11, 400 - 1 + 6)
            assert fine.score[fine.best] == pytest.approx(float(plain.score[plain.best]), rel=0.03)
            assert fine.line == pytest.approx(plain.line, rel=1e-3)
            assert fine.near(np.array([-11.0, 6.0])) == pytest.approx(
                plain.near(np.array([-11.0, 6.0])), rel=0.03
            )
            assert fine.height(np.array([-11.0, 6.0])) == pytest.approx(
                plain.height(np.array([-11.0, 6.0])), rel=0.03
            )
            assert fine.searched.any()
            window = np.s_[400:415, 395:412]
            np.testing.assert_array_equal(fine.searched[window], plain.searched[window])
            np.testing.assert_allclose(fine.ncc[window], plain.ncc[window], rtol=0.05, atol=2e-3)


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(
    seeds, st.tuples(st.integers(1, 12), st.integers(1, 12)), st.sampled_from([1, 2, 4, 8]), st.integers(0, 3)
)
def test_what_is_known_of_blocks_is_interpolated_as_by_arrays(seed, blocks, side, more):
    coarse = np.random.default_rng(seed).standard_normal(blocks).astype(np.float32)
    shape = tuple(side * n + more for n in blocks)
    found = between_blocks_2d(coarse, side, *shape)
    np.testing.assert_allclose(
        found, plain_between_blocks(coarse, side, *shape), rtol=0, atol=1e-4 * (1 + more)
    )


@pytest.mark.parametrize("sigma", [5.0, 20.0])
def test_a_plane_of_binned_images_is_nearly_that_of_all_pixels(sigma):
    shape = (300, 280)
    rows, columns = np.indices(shape)
    mask = beam_block(shape)
    scene = 0.1 * rows + 20 * np.exp(-((rows - 130) ** 2 + (columns - 160) ** 2) / 2 / 60**2)
    noise_alone = np.random.default_rng(2).standard_normal(shape)
    pixels = np.where(mask, scene + noise_alone - scene.mean(), 0).astype(np.float32)
    found, whole = BinnedPlane(mask, sigma)(pixels)[mask], LocalPlane(mask, sigma)(pixels)[mask]
    most = 0.2 if sigma < 20 else 0.4  # binned by two, and by eight
    assert np.abs(found - whole).max() < most
    assert np.sqrt(((found - whole) ** 2).mean()) < 0.15 * most


def test_blocks_are_few_and_small():
    assert block_side((60, 60), (60, 60)) == 2
    assert block_side((2048, 2048), (2048, 2048)) == 8
    assert block_side((4096, 4096), (64, 64)) == 16


def test_only_so_many_frames_have_a_place_at_once_as_the_plan_has():
    plan = replace(make_plan((2048, 2048), (2048, 2048)))
    assert plan.fine_at_once == 1
    rooms, inside, most, lock = Rooms(), [0], [0], threading.Lock()

    def work():
        with Room(rooms) as room:
            room.take(plan)
            room.take(plan)
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            threading.Event().wait(0.01)
            with lock:
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1
    assert make_plan((1024, 1024), (1024, 1024)).fine_at_once > 1


def test_a_frame_that_must_be_alone_waits_for_the_others_and_they_wait_for_it():
    plan = make_plan((1024, 1024), (1024, 1024))
    rooms, lock, inside, together = Rooms(), threading.Lock(), set(), []
    begun = threading.Barrier(4)

    def work(k):
        alone = k < 2
        with Room(rooms) as room:
            begun.wait()  # all of them, before the first takes its place
            assert room.take(plan, alone=alone)
            assert not room.take(plan, alone=alone)
            with lock:
                inside.add(k)
            threading.Event().wait(0.02)
            with lock:
                together.append((k, set(inside)))
                inside.remove(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert len(together) == 4
    assert all(others == {k} for k, others in together if k < 2)
    with Room(rooms) as room:  # nobody is left
        assert room.take(plan, alone=True)


SCARCE = """
import resource
from pathlib import Path
import numpy as np
from maskreg.core.machine.memory import LARGE, SCARCITY

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / LARGE

SCARCITY.begin()
before = resident()
blocks = [np.ones(2 * LARGE, np.uint8) for _ in range(8)]
full = resident()
last = np.ones(LARGE // 2, np.uint8)  # above them, had they not come from the system
del blocks
print(full - before, resident() - before, last.all())
"""


def test_where_memory_is_scarce_large_blocks_go_back_to_the_system_at_once():
    if not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("GNU's allocator alone is told")
    done = subprocess.run([sys.executable, "-c", SCARCE], capture_output=True, text=True, check=True)
    full, left, _ = done.stdout.split()
    assert float(full) > 14
    assert float(left) < 4


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux")
def test_forked_processes_share_places_and_one_that_dies_leaves_its_own(monkeypatch):
    monkeypatch.setattr("maskreg.core.machine.room._shared", None)
    share_places()
    plan = make_plan((2048, 2048), (2048, 2048))
    context = get_context("fork")
    entered, leave = context.Event(), context.Event()

    def work(wait):
        with Room(Rooms()) as room:
            room.take(plan)
            entered.set()
            leave.wait(wait)

    first = context.Process(target=work, args=(60,))
    first.start()
    assert entered.wait(20)
    entered.clear()
    second = context.Process(target=work, args=(0,))
    second.start()
    assert not entered.wait(0.3)
    first.kill()
    assert entered.wait(20)
    second.join(20)
    assert second.exitcode == 0
    first.join(20)
