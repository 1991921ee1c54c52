from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskreg.core.plan import (
    CHEAP_PIXELS,
    FEWEST_LEVEL_PIXELS,
    LOOK_PIXELS,
    SHORTEST_SIDE,
    make_plan,
    window_length,
)

lengths = st.integers(1, 3000)


@st.composite
def shape_pairs(draw):
    ndim = draw(st.integers(1, 3))
    return [tuple(draw(lengths) for _ in range(ndim)) for _ in range(2)]


@settings(derandomize=True, deadline=None)
@given(lengths, lengths, st.one_of(st.none(), st.integers(0, 3000)))
def test_no_lag_meets_the_copy_of_another(reference, moving, limit):
    length = window_length(reference, moving, limit)
    lowest, highest = -(moving - 1), reference - 1
    if limit is not None:
        lowest, highest = max(lowest, -limit), min(highest, limit)
    # the copies of the lags asked for lie outside all lags at which the images touch
    assert lowest + length > reference - 1
    assert highest - length < -(moving - 1)
    assert length >= max(reference, moving)


@settings(derandomize=True, deadline=None)
@given(shape_pairs(), st.booleans())
def test_the_levels_are_powers_of_two_and_each_is_large_enough(shapes, exact):
    plan = make_plan(*shapes, exact=exact)
    assert plan.bins == tuple(2**k for k in range(len(plan.bins)))
    smaller = [min(p, q) for p, q in zip(*shapes, strict=True)]
    for b in plan.bins[1:]:
        sides = [n // b for n in smaller]
        assert min(sides) >= SHORTEST_SIDE
        assert math.prod(sides) >= FEWEST_LEVEL_PIXELS
    beyond = [n // (2 * plan.bins[-1]) for n in smaller]
    assert min(beyond) < SHORTEST_SIDE or math.prod(beyond) < FEWEST_LEVEL_PIXELS


@settings(derandomize=True, deadline=None)
@given(shape_pairs())
def test_the_search_starts_at_the_finest_level_that_is_cheap(shapes):
    plan = make_plan(*shapes)

    def pixels(b):
        return max(map(math.prod, shapes)) / b ** len(shapes[0])

    assert plan.start in plan.bins
    assert pixels(plan.start) <= CHEAP_PIXELS or plan.start == plan.bins[-1]
    assert all(pixels(b) > CHEAP_PIXELS for b in plan.fallback)
    assert plan.coarse_first[0] == plan.start
    assert sorted(plan.coarse_first + plan.fallback) == list(plan.bins)
    assert list(plan.fallback) == sorted(plan.fallback, reverse=True)


@settings(derandomize=True, deadline=None)
@given(shape_pairs())
def test_an_exact_search_starts_at_full_resolution(shapes):
    plan = make_plan(*shapes, exact=True)
    assert plan.start == 1
    assert plan.fallback == ()


@settings(derandomize=True, deadline=None)
@given(shape_pairs())
def test_every_window_holds_every_lag_of_its_level(shapes):
    plan = make_plan(*shapes)
    for b in plan.bins:
        for length, p, q in zip(plan.window(b), *shapes, strict=True):
            assert length >= p // b + q // b - 1


@settings(derandomize=True, deadline=None)
@given(shape_pairs())
def test_a_frame_is_planned_at_least_its_own_memory(shapes):
    plan = make_plan(*shapes)
    assert plan.bytes_per_frame >= 4 * math.prod(shapes[1])
    assert plan.bytes_for(2) > plan.bytes_for(1) > plan.bytes_of_reference


@settings(derandomize=True, deadline=None)
@given(shape_pairs(), st.integers(1, 64), st.floats(0, 1e10), st.integers(0, 10**9), st.booleans())
def test_as_many_frames_at_once_are_allowed_as_fit_into_the_memory(shapes, wanted, memory, compared, mean):
    plan = make_plan(*shapes)

    def needed(workers):
        return plan.bytes_for(workers, compared=compared, mean=mean)

    workers = plan.workers_within(memory, wanted, compared=compared, mean=mean)
    assert 1 <= workers <= wanted
    assert workers == 1 or needed(workers) <= memory
    assert workers == wanted or needed(workers + 1) > memory
    assert needed(2) >= needed(1) >= plan.bytes_for(1)


def test_two_frames_of_2048_squared_at_once_are_planned_within_a_gigabyte():
    first_frames = 16 * 2048 * 2048 * 2
    plan = make_plan((2048, 2048), (2048, 2048))
    assert plan.bytes_for(2, compared=first_frames) < 1e9
    # what is kept of a mean while frames are looked for in it does not quite fit
    assert plan.bytes_for(1, compared=first_frames, mean=True) < 1.04e9
    # the first frames are compared before any is registered to what they tell
    assert plan.bytes_for(2, compared=10**10) > 10**10 > plan.bytes_for(2, compared=first_frames)


@settings(derandomize=True, deadline=None)
@given(shape_pairs())
def test_only_levels_of_many_pixels_are_fine_and_few_frames_are_searched_there_at_once(shapes):
    plan = make_plan(*shapes)
    if len(shapes[0]) == 2:
        assert set(plan.fallback) <= set(plan.fine)
        assert make_plan(*shapes, exact=True).fine == plan.fine
    else:
        assert plan.fine == ()
    assert plan.fine_at_once >= 1
    assert bool(plan.bytes_in_doubt(1)) == bool(plan.fine)
    assert plan.bytes_in_doubt(plan.fine_at_once) == plan.bytes_in_doubt(plan.fine_at_once + 5)


def test_a_large_frame_is_searched_coarse_first():
    plan = make_plan((2048, 2048), (2048, 2048))
    assert plan.bins == (1, 2, 4, 8, 16, 32, 64, 128)
    assert plan.coarse_first == (8, 16, 32, 64, 128)
    assert plan.fallback == (4, 2, 1)
    assert plan.window(8) == (512, 512)
    assert plan.looks == (64, 32, 16)
    assert [plan.refined_from(b) for b in (64, 32, 16, 8, 4)] == [8, 8, 8, 8, 4]
    assert [plan.refined_from(b, look=True) for b in plan.looks] == [32, 16, 8]


@settings(derandomize=True, deadline=None)
@given(shape_pairs())
def test_the_first_looks_are_at_levels_coarser_than_the_start(shapes):
    plan = make_plan(*shapes)
    assert list(plan.looks) == sorted(set(plan.looks), reverse=True)
    assert len(plan.looks) <= len(LOOK_PIXELS)
    for b in plan.looks:
        assert b in plan.coarse_first[1:]
        assert max(map(math.prod, shapes)) / b ** len(shapes[0]) <= max(LOOK_PIXELS)
        assert plan.start == plan.refined_from(b) <= plan.refined_from(b, look=True) < b
    assert make_plan(*shapes, exact=True).looks == ()


def test_the_smallest_images_have_one_level():
    for shape in [(1,), (1, 1), (7, 7), (31, 31), (1, 2000), (3, 3, 3)]:
        plan = make_plan(shape, shape)
        assert plan.bins == plan.coarse_first == (1,)
        assert plan.fallback == ()


def test_shapes_of_other_dimensions_are_not_planned():
    with pytest.raises(ValueError, match=r"shorter|longer"):
        make_plan((4, 4), (4,))


def test_the_plan_says_what_it_does():
    text = str(make_plan((2048, 2048), (1024, 2048)))
    for part in (
        "(2048, 2048)",
        "(1024, 2048)",
        "first looks at bins (64, 32, 16)",
        "bins (8, 16",
        "(4, 2, 1)",
        "MB a frame",
    ):
        assert part in text
