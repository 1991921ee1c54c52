"""The compiled climb against its plain twin."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from maskreg.core.image.pyramid import LevelImage, eroded
from maskreg.core.subpixel.settle import plain_settle, settle

STEPS = st.tuples(st.integers(-4, 4), st.integers(-4, 4))


def views(seed, shift, part, noise, shape=(24, 28), moving_shape=(27, 25)):
    """Two views of a smooth scene, the second one shifted, each with noise of its own."""
    rng = np.random.default_rng(seed)
    scene = rng.normal(size=(44, 44))
    for axis in (0, 1):
        scene = (scene + np.roll(scene, 1, axis) + np.roll(scene, -1, axis)) / 2
    images = []
    for size, at in ((shape, (0, 0)), (moving_shape, shift)):
        cut = tuple(slice(8 + s, 8 + s + n) for s, n in zip(at, size, strict=True))
        mask = rng.random(size) < part
        pixels = scene[cut] + noise * rng.normal(size=size)
        images.append(LevelImage(np.where(mask, pixels, 0).astype(np.float32), mask))
    return images


def assert_twins_agree(reference, moving, start, radius, scattered=False, reach=np.inf, few=False):
    safe = eroded(moving.mask, radius)
    (lag, vertex, likelihood), (expected, plain, same) = (
        f(reference, moving, start, safe, radius, reach=reach, scattered=scattered, few=few)
        for f in (settle, plain_settle)
    )
    assert lag == expected
    assert (vertex is None) == (plain is None)
    if vertex is not None:
        np.testing.assert_allclose(vertex, plain, atol=1e-4)
    np.testing.assert_allclose(likelihood, same, rtol=1e-4, atol=1e-6)
    return vertex


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    STEPS,
    STEPS,
    st.sampled_from([0.5, 0.99, 1.0]),
    st.sampled_from([0.0, 0.5, 5.0]),
    st.integers(1, 3),
    st.sampled_from([0.5, 2.0, np.inf]),
)
def test_the_compiled_climb_equals_its_plain_twin(seed, shift, off, part, noise, radius, reach):
    reference, moving = views(seed, shift, part, noise)
    start = tuple(s + o for s, o in zip(shift, off, strict=True))
    assert_twins_agree(reference, moving, start, radius, reach=reach)
    assert_twins_agree(reference, moving, start, radius, scattered=True, reach=reach)
    assert_twins_agree(reference, moving, start, radius, reach=reach, few=True)


def test_a_climb_that_leaves_its_reach_stays_where_it_began():
    reference, moving = views(1, (2, -3), 1.0, 0.05)
    safe = eroded(moving.mask, 1)
    for climb in (settle, plain_settle):
        assert climb(reference, moving, (5, -3), safe, 1, reach=3)[0] == (2, -3)
        lag, vertex, _ = climb(reference, moving, (5, -3), safe, 1, reach=2)
        assert lag == (5, -3)
        assert vertex is None


def test_they_are_compared_where_the_climb_arrives_and_where_nothing_meets():
    reference, moving = views(1, (2, -3), 1.0, 0.05)
    assert assert_twins_agree(reference, moving, (3, -1), 2) is not None
    assert assert_twins_agree(reference, moving, (60, 0), 2) is None
    flat = LevelImage(np.ones_like(moving.pixels), moving.mask)
    assert assert_twins_agree(reference, flat, (0, 0), 1) is None


def test_of_equal_lags_both_take_the_smallest_shift():
    y, x = np.indices((24, 28))
    periodic = ((y + x) % 4).astype(np.float32)
    image = LevelImage(periodic, np.ones(periodic.shape, bool))
    for start in [(1, 0), (5, 3), (0, -2)]:
        assert_twins_agree(image, image, start, 3)
