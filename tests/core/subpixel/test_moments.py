"""The compiled pass of the refinement against its plain twin, with and without compilation."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskreg.core.frequencies.low_pass import gaussian_low_pass
from maskreg.core.image.fill import filled
from maskreg.core.image.pyramid import eroded
from maskreg.core.image.runs import Region
from maskreg.core.subpixel.moments import moments, plain_moments, plain_projected, projected
from maskreg.core.subpixel.normal_matrices import normal_sums, plain_normal_sums
from maskreg.core.subpixel.refine_kernels import PIECE, SHORT_ROW
from maskreg.core.subpixel.template import make_template

ROW_ROUNDING = 1e-5
"""Sums run along a row in float32: relative to the sum of the moduli."""

FIELDS = ("n", "r", "u", "h", "rr", "ru", "uu", "hr", "hu", "g", "gr", "gu", "s", "gs")


def images(rng, shape, moving_shape, part=0.97):
    """A template, and a moving image with its mask."""
    mask, moving_mask = rng.random(shape) < part, rng.random(moving_shape) < part
    mask.flat[0] = moving_mask.flat[0] = True
    pixels = np.where(mask, rng.normal(size=shape), 0).astype(np.float32)
    moving = np.where(moving_mask, rng.normal(size=moving_shape), 0).astype(np.float32)
    return (
        make_template(pixels, mask, np.ones(shape, np.float32), gaussian_low_pass(1.1), np.zeros(8)),
        moving,
        moving_mask,
    )


def assert_twins_agree(template, moving, usable, shift, near):
    fast, plain = (
        f(template, moving, Region(usable), shift, near, slopes=True) for f in (moments, plain_moments)
    )
    assert fast.n == plain.n
    fields = (template.pixels, template.gradient, template.smooth, moving)
    largest = max(float(np.abs(field).max(initial=0)) for field in fields) + 1
    atol = ROW_ROUNDING * (plain.n + 1) * 3 * largest**2  # interpolation weights sum to 3 at most
    for name in FIELDS:
        np.testing.assert_allclose(getattr(fast, name), getattr(plain, name), rtol=ROW_ROUNDING, atol=atol)
    without = moments(template, moving, Region(usable), shift, near)
    assert without.s is without.gs is None
    np.testing.assert_allclose(without.gu, fast.gu, rtol=ROW_ROUNDING, atol=atol)
    if plain.n:
        one, other = (
            f(template, moving, Region(usable), np.asarray(shift, float), near, 0.8)
            for f in (projected, plain_projected)
        )
        np.testing.assert_allclose(one, other, rtol=ROW_ROUNDING, atol=4 * atol)
    return plain.n


sides = st.tuples(st.integers(1, 26), st.integers(1, 26))
steps = st.one_of(st.integers(-20, 20).map(float), st.floats(-20, 20, width=32))


@settings(derandomize=True, deadline=None, max_examples=120)
@given(
    sides,
    sides,
    st.tuples(steps, steps),
    st.tuples(st.integers(-1, 1), st.integers(-1, 1)),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_the_compiled_pass_equals_its_plain_twin(shape, moving_shape, shift, away, strict, seed):
    template, moving, moving_mask = images(np.random.default_rng(seed), shape, moving_shape)
    moving, usable = (
        (moving, eroded(moving_mask, 3)) if strict else (filled(moving, moving_mask), moving_mask)
    )
    # the pixels of moving are taken at a whole shift at most 1 px away
    near = tuple(
        int(np.rint(s)) + (step if abs(np.rint(s) + step - s) <= 1 else 0)
        for s, step in zip(shift, away, strict=True)
    )
    assert_twins_agree(template, moving, usable, np.array(shift), near)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.25, -4.5), (-2.0, 1.75), (-7.49, 6.51)])
def test_the_twins_are_compared_on_many_pixels(shift):
    template, moving, moving_mask = images(np.random.default_rng(1), (48, 45), (44, 50), 0.995)
    near = tuple(int(s) for s in np.rint(shift))
    assert assert_twins_agree(template, moving, eroded(moving_mask, 3), np.array(shift), near) > 100
    assert assert_twins_agree(template, filled(moving, moving_mask), moving_mask, np.array(shift), near) > 800


@pytest.mark.parametrize("part", [0.5, 0.9, 0.97])
def test_the_twins_agree_on_masks_of_many_runs(part):
    template, moving, moving_mask = images(np.random.default_rng(5), (20, 300), (22, 290), part)
    filled_in = filled(moving, moving_mask)
    for shift in [(0.0, 0.0), (1.25, -7.5), (-3.4, 20.6)]:
        near = tuple(int(np.rint(s)) for s in shift)
        assert assert_twins_agree(template, filled_in, moving_mask, np.array(shift), near) > 400


@pytest.mark.parametrize("shape", [(200,), (40, 44)])
def test_the_slopes_are_by_how_much_the_sums_change_with_the_shift(shape):
    rng = np.random.default_rng(3)
    template, moving, moving_mask = images(rng, shape, shape, 0.999)
    usable, shift = Region(eroded(moving_mask, 3)), np.array([0.3, -1.4][: len(shape)])
    near = tuple(int(np.rint(s)) for s in shift)
    sums = moments(template, moving, usable, shift, near, slopes=True)
    for axis in range(len(shape)):
        step = 1e-3 * np.eye(len(shape))[axis]
        after, before = (plain_moments(template, moving, usable, shift + d, near) for d in (step, -step))
        assert sums.s[axis] == pytest.approx((after.u - before.u) / 2e-3, rel=1e-3, abs=0.05)
        np.testing.assert_allclose(sums.gs[:, axis], (after.gu - before.gu) / 2e-3, rtol=1e-3, atol=0.05)


@pytest.mark.parametrize("shape", [(200,), (40, 44), (18, 17, 19)])
def test_a_pass_at_a_whole_shift_interpolates_nothing(shape):
    rng = np.random.default_rng(2)
    scene = rng.normal(size=[n + 4 for n in shape]).astype(np.float32)
    lag = tuple([3, -2, 1][: len(shape)])
    pixels, moving = (
        np.ascontiguousarray(
            scene[tuple(slice(2 + o, 2 + o + n) for o, n in zip(offset, shape, strict=True))]
        )
        for offset in ([0] * len(shape), [min(2, max(-2, s)) for s in lag])
    )
    lag = tuple(min(2, max(-2, s)) for s in lag)
    template = make_template(
        pixels, np.ones(shape, bool), np.ones(shape, np.float32), gaussian_low_pass(1.5), np.zeros(8)
    )
    sums = moments(template, moving, Region(np.ones(shape, bool)), np.array(lag, float), lag)
    assert sums.n > 50
    assert sums.rr == pytest.approx(sums.ru, rel=1e-6)
    assert sums.uu == pytest.approx(sums.ru, rel=1e-6)
    np.testing.assert_allclose(sums.gu, sums.gr, rtol=1e-5, atol=1e-5 * sums.rr)


@settings(derandomize=True, deadline=None, max_examples=80)
@given(sides, sides, st.tuples(st.integers(-24, 24), st.integers(-24, 24)), st.integers(0, 2**32 - 1))
def test_the_compiled_normal_sums_equal_their_plain_twin(shape, moving_shape, lag, seed):
    rng = np.random.default_rng(seed)
    template, _, usable = images(rng, shape, moving_shape)
    noise = rng.random(shape, np.float32)
    template = replace(template, noise=noise)
    fast, plain = normal_sums(template, usable, lag), plain_normal_sums(template, usable, lag)
    assert fast.n == plain.n
    largest = max(float(np.abs(f).max()) for f in (template.gradient, template.slope)) + 1
    atol = ROW_ROUNDING * (plain.n + 1) * largest**2
    for name in ("v", "vv", "g", "d", "gd", "vgg", "vg"):
        np.testing.assert_allclose(getattr(fast, name), getattr(plain, name), rtol=ROW_ROUNDING, atol=atol)


@pytest.mark.parametrize("width", [SHORT_ROW, SHORT_ROW + 1, SHORT_ROW + 3 * PIECE + 5])
def test_the_twins_agree_on_rows_that_are_summed_in_pieces(width):
    template, moving, moving_mask = images(np.random.default_rng(3), (7, width), (9, width - 4), 0.999)
    for shift in [(0.25, 0.0), (-1.3, 40.6)]:
        near = tuple(int(np.rint(s)) for s in shift)
        filled_in = filled(moving, moving_mask)
        assert assert_twins_agree(template, filled_in, moving_mask, np.array(shift), near) > 400


UNCOMPILED = """
import numpy as np
import numba
assert numba.config.DISABLE_JIT
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import MaskPyramid, halved, plain_halved
from maskreg.core.subpixel.moments import moments, plain_moments
from maskreg.core.subpixel.normal_matrices import normal_sums, plain_normal_sums
from maskreg.core.image.pyramid import eroded
from maskreg.core.image.runs import Region
from maskreg.core.image.stabilise import Detector
from maskreg.core.frequencies.spectrum import gaussian_low_pass
from maskreg.core.subpixel.template import make_template
from maskreg.core.image.windows import plain_window_sums, window_sums

rng = np.random.default_rng(7)
compared = 0
for shape, other, lag, shift in [
    ((11, 12), (12, 10), (1, -1), (0.5, -1.25)),
    ((9, 13), (13, 9), (-2, 2), (-1.75, 2.0)),
    ((10, 10), (10, 10), (0, 0), (0.0, 0.0)),
]:
    mask, usable = rng.random(shape) < 0.95, rng.random(other) < 0.99
    a = np.where(mask, rng.normal(size=shape), 0).astype(np.float32)
    b = np.where(usable, rng.normal(size=other), 0).astype(np.float32)
    safe = eroded(usable, 1)
    fast, plain = (f(a, mask, b, safe, lag, 1) for f in (window_sums, plain_window_sums))
    for name in ("n", "a", "aa", "b", "bb", "ab"):
        np.testing.assert_allclose(getattr(fast, name), getattr(plain, name), rtol=1e-5, atol=1e-3)
    compared += plain.n.min()
    template = make_template(a, mask, np.ones(shape, np.float32), gaussian_low_pass(0.8), np.zeros(8))
    near = tuple(int(s) for s in np.rint(shift))
    fast, plain = (
        f(template, b, Region(usable), np.array(shift), near, slopes=True) for f in (moments, plain_moments)
    )
    for name in ("n", "r", "u", "h", "rr", "ru", "uu", "hr", "hu", "g", "gr", "gu", "s", "gs"):
        np.testing.assert_allclose(getattr(fast, name), getattr(plain, name), rtol=1e-5, atol=1e-3)
    compared += plain.n
    fast, plain = (f(template, usable, lag) for f in (normal_sums, plain_normal_sums))
    for name in ("n", "v", "vv", "g", "d", "gd", "vgg", "vg"):
        np.testing.assert_allclose(getattr(fast, name), getattr(plain, name), rtol=1e-5, atol=1e-3)
    compared += plain.n
    np.testing.assert_allclose(halved(a), plain_halved(a), rtol=0, atol=1e-5)
    counts = rng.poisson(9.0, shape).astype(np.uint8)
    short, long = (Prepared(x, MaskPyramid(mask), Detector(True)) for x in (counts, counts.astype(int)))
    np.testing.assert_allclose(short.pixels, long.pixels, rtol=0, atol=1e-5)
print("compared", int(compared))
"""


def test_the_kernels_give_the_same_without_compilation():
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", UNCOMPILED],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout.split()[-1]) > 200
