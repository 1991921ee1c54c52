"""The bounds, each against another road to the same number."""

import numpy as np
import pytest

from maskreg.errors import InputError
from maskreg.testing import (
    Lines,
    Rings,
    Spots,
    Texture,
    beam_block,
    known_reference_bound,
    pair_bound,
    texture_bound,
)

SHAPE = (96, 96)
DRIFT = (2.3, -1.6)


def divergence(scene, drift, step, mask, dose):
    """Kullback-Leibler divergence between the counts at `drift` and at `drift + step`."""
    here = dose * scene.render(drift)[mask]
    there = dose * scene.render(np.add(drift, step))[mask]
    return np.sum(here * np.log(here / there) - here + there)


@pytest.mark.parametrize("kind", [Rings, Spots, Texture])
def test_information_is_the_curvature_of_the_divergence(kind):
    # D(p(d) || p(d + h)) = h^T F h / 2 + O(h^3); the cubic part cancels between +h and -h
    scene, mask, dose, h = kind(SHAPE), beam_block(SHAPE), 12.0, 0.01
    information = np.linalg.inv(known_reference_bound(scene, DRIFT, mask, dose))

    def curvature(step):
        step = np.array(step)
        return (
            divergence(scene, DRIFT, step, mask, dose) + divergence(scene, DRIFT, -step, mask, dose)
        ) / h**2

    rows, columns, both = curvature((h, 0)), curvature((0, h)), curvature((h, h))
    expected = np.array([[rows, (both - rows - columns) / 2], [(both - rows - columns) / 2, columns]])
    np.testing.assert_allclose(information, expected, rtol=2e-3, atol=2e-3 * rows)


def test_a_pair_without_drift_has_twice_the_covariance():
    scene, mask = Rings(SHAPE), beam_block(SHAPE)
    np.testing.assert_allclose(
        pair_bound(scene, (0, 0), mask, 5.0, 2.0), 2 * known_reference_bound(scene, (0, 0), mask, 5.0, 2.0)
    )


def test_only_pixels_valid_in_both_frames_count():
    scene, mask = Texture(SHAPE), np.zeros(SHAPE, bool)
    mask[20:60, 30:80] = True
    both = np.zeros(SHAPE, bool)
    both[26:60, 30:75] = True  # the content valid in the reference has moved by (6, -5)
    np.testing.assert_allclose(
        pair_bound(scene, (6, -5), mask, 5.0), 2 * known_reference_bound(scene, (6, -5), both, 5.0)
    )


def test_the_bound_falls_with_the_dose_and_rises_with_read_noise():
    scene = Spots(SHAPE)
    np.testing.assert_allclose(pair_bound(scene, DRIFT, None, 50.0), pair_bound(scene, DRIFT, None, 5.0) / 10)
    assert np.trace(pair_bound(scene, DRIFT, None, 5.0, 3.0)) > np.trace(pair_bound(scene, DRIFT, None, 5.0))


def matched_estimate(scene, frame, dose):
    """Maximum likelihood of a small drift about (0, 0), scene known: one step of Fisher scoring."""
    mean, gradient = dose * scene.render(), dose * scene.gradient()
    information = np.einsum("ixy,jxy->ij", gradient, gradient / mean)
    return np.linalg.solve(information, np.einsum("ixy,xy->i", gradient / mean, frame - mean))


def test_the_best_estimate_of_a_known_scene_scatters_as_the_bound_says(rng):
    scene, dose = Rings((64, 64)), 10.0
    mean = dose * scene.render()
    estimates = np.array([matched_estimate(scene, rng.poisson(mean), dose) for _ in range(400)])
    bound = np.sqrt(np.diag(known_reference_bound(scene, (0, 0), None, dose)))
    np.testing.assert_allclose(estimates.std(axis=0), bound, rtol=0.12)


def test_the_texture_bound_meets_the_pair_bound_where_nothing_drowns():
    # averaged over scenes, since one is the ensemble's bound and the other the realisation's
    scenes = [Texture((192, 192), seed) for seed in range(4)]
    pair = np.mean([np.linalg.inv(pair_bound(s, (0, 0), None, 1e7)) for s in scenes], axis=0)
    texture = np.mean([np.linalg.inv(texture_bound(s, (0, 0), None, 1e7)) for s in scenes], axis=0)
    np.testing.assert_allclose(np.diag(pair), np.diag(texture), rtol=0.03)


@pytest.mark.parametrize("dose", [1.0, 10.0, 100.0, 1000.0, 10000.0])
def test_the_texture_bound_never_promises_more_than_the_pair_bound(dose):
    scenes = [Texture((192, 192), seed) for seed in range(4)]
    pair, texture = (
        np.mean([np.linalg.inv(bound(s, DRIFT, None, dose)) for s in scenes], axis=0)
        for bound in (pair_bound, texture_bound)
    )
    assert (np.diag(texture) < 1.03 * np.diag(pair)).all()


def test_the_texture_bound_is_the_fairer_the_lower_the_dose():
    scene = Texture(SHAPE)
    ratios = [
        np.trace(texture_bound(scene, (0, 0), None, dose)) / np.trace(pair_bound(scene, (0, 0), None, dose))
        for dose in (1000.0, 100.0, 10.0, 1.0)
    ]
    assert ratios == sorted(ratios)
    assert ratios[-1] > 3


def test_a_scene_that_fixes_one_direction_has_no_bound():
    with pytest.raises(InputError, match="do not fix the shift"):
        pair_bound(Lines(SHAPE), (0, 0), None, 10.0)


@pytest.mark.parametrize("bound", [known_reference_bound, pair_bound, texture_bound])
def test_noise_that_cannot_be_is_refused(bound):
    """The bound of a texture at a negative dose was a negative variance."""
    scene = Texture((32, 32))
    for dose in (0, -10, float("nan")):
        with pytest.raises(InputError, match=f"dose is {dose}; it must be a positive number"):
            bound(scene, (1, 1), None, dose)
    with pytest.raises(InputError, match="read_noise is -5"):
        bound(scene, (1, 1), None, 10, -5)
