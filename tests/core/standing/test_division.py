"""Which parts go with the scene, which stand still, and which do neither."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from tests.core.uncompiled import WITHOUT_COMPILER

from maskreg.core.standing.division import (
    FIRST_STANDING,
    compiled_likely_steps,
    compiled_shared_out,
    divided,
    likeliest_standing,
    more_likely,
    plain_likely_steps,
    plain_shared_out,
    robust,
)
from maskreg.core.standing.parts import Parts
from maskreg.core.standing.pulled import LIKELY, SURE


def some_parts(rng, step, standing, neither, noise=1.0, number=200, to_rest=(0.8, -0.5)):
    """Parts that go with a step, some that stand, some that do neither; and their distance from standing."""
    root = rng.normal(size=(number, 2, 2)) * rng.exponential(12, (number, 1, 1))
    matrices = root @ root.transpose(0, 2, 1)
    kind = rng.random(number)
    truth = np.where((kind < standing)[:, None], to_rest, step)
    truth[kind > 1 - neither] += rng.normal(0, 2, (np.count_nonzero(kind > 1 - neither), 2))
    errors = np.sqrt(noise) * np.einsum("tij,tj->ti", root, rng.normal(size=(number, 2)))
    pixels = np.full(number, 256.0)
    parts = Parts(np.einsum("tij,tj->ti", matrices, truth) + errors, matrices, noise * pixels, pixels)
    return parts, parts.off(np.array(to_rest))


@pytest.mark.parametrize(("standing", "neither"), [(0.0, 0.0), (0.3, 0.0), (0.3, 0.1), (0.1, 0.2)])
@pytest.mark.parametrize("noise", [1.0, 1e-4])
def test_the_parts_that_go_tell_the_step_and_how_well(standing, neither, noise):
    rng, step = np.random.default_rng(3), np.array([0.02, 0.03])
    chi_squared = []
    for _ in range(40):
        parts, stand = some_parts(rng, step, standing, neither, noise)
        found = divided(parts, stand)
        assert abs(found.standing - standing) < 0.15
        error = found.estimate.step - step
        chi_squared.append(error @ np.linalg.solve(found.estimate.covariance, error))
    assert scipy.stats.kstest(chi_squared, scipy.stats.chi2(2).cdf).pvalue > 1e-3


def test_few_parts_far_off_hardly_move_the_robust_step_and_all_of_them_do():
    rng = np.random.default_rng(4)
    parts, _ = some_parts(rng, np.zeros(2), 0.0, 0.05)
    assert robust(parts).sigmas < SURE
    parts, _ = some_parts(rng, np.array([0.3, 0.1]), 0.0, 0.05)
    found = robust(parts)
    assert found.sigmas > SURE
    np.testing.assert_allclose(found.step, [0.3, 0.1], atol=0.05)


def test_what_has_no_reason_is_notmore_likely():
    rng = np.random.default_rng(5)
    for _ in range(40):
        # errors of many sizes, as a second kind of part would make them
        parts, stand = some_parts(rng, np.zeros(2), 0.0, 0.0)
        heavy = replace(parts, scores=parts.scores * rng.choice([1, 3], (len(stand), 1)))
        stand = heavy.off(np.array([0.8, -0.5]))
        some, none = divided(heavy, stand), divided(heavy, None)
        assert more_likely(heavy, stand, some, none.step) < LIKELY


def parts_along(ndim, rng, number=100):
    """Parts of any number of axes, of which a third stands, and their distance from standing."""
    root = rng.normal(size=(number, ndim, ndim)) * rng.exponential(12, (number, 1, 1))
    matrices = root @ root.transpose(0, 2, 1)
    truth = np.where(rng.random((number, 1)) < 0.3, 0.7, 0.02) * np.ones(ndim)
    scores = np.einsum("tij,tj->ti", matrices, truth)
    scores += np.einsum("tij,tj->ti", root, rng.normal(size=(number, ndim)))
    parts = Parts(scores, matrices, np.full(number, 256.0), np.full(number, 256.0))
    return parts, parts.off(np.full(ndim, 0.7))


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_compiled_and_plain_agree(ndim):
    for seed in range(2 if WITHOUT_COMPILER else 10):
        rng = np.random.default_rng(seed)
        parts, stand = parts_along(ndim, rng)
        for distances, standing in ((stand, FIRST_STANDING), (np.full(len(stand), np.inf), 0.0)):
            one, other = (
                way(parts, distances, np.zeros(ndim), standing)
                for way in (compiled_shared_out, plain_shared_out)
            )
            for ours, theirs in zip(one, other, strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)
        steps = rng.normal(size=(9, ndim))
        one, other = (way(parts, stand, steps) for way in (compiled_likely_steps, plain_likely_steps))
        np.testing.assert_allclose(one, other, rtol=1e-9)


def test_an_axis_that_nothing_tells_of_is_left_alone():
    rng = np.random.default_rng(6)
    parts, _ = some_parts(rng, np.array([0.02, 0.0]), 0.2, 0.0)
    flat = np.diag([1.0, 0.0])
    known = Parts(parts.scores @ flat, flat @ parts.matrices @ flat, parts.squares, parts.pixels)
    for share in (compiled_shared_out, plain_shared_out):
        step = share(known, known.off(np.array([0.8, 0.0])), np.zeros(2), FIRST_STANDING)[-1]
        assert abs(step[0] - 0.02) < 0.02
        assert abs(step[1]) < 1e-6


@pytest.mark.parametrize("standing", [0.0, 0.1, 0.3])
def test_so_many_stand_as_is_likeliest(standing):
    rng, step = np.random.default_rng(7), np.array([0.02, 0.03])
    parts, stand = some_parts(rng, step, standing, 0.0, number=2000)
    assert abs(likeliest_standing(parts, stand, step, 1.0) - standing) < 0.05
