"""What a template says of a refined shift, as the noise grows and where it shows one direction only."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from maskreg.core.frequencies.low_pass import gaussian_low_pass
from maskreg.core.subpixel.normal_matrices import (
    NOISE_DOUBT,
    for_noise,
    normal_matrices,
    shows_all_directions,
)
from maskreg.core.subpixel.template import make_template

SHAPE = (70, 80)
EVERYWHERE = np.ones(SHAPE, bool)


def template_of(pixels, noise=1.0):
    variance = np.full(SHAPE, noise, np.float32)
    return make_template(pixels.astype(np.float32), EVERYWHERE, variance, gaussian_low_pass(1.5), np.zeros(8))


def scene(seed=0, contrast=8.0):
    smooth = gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 2.0)
    return contrast * smooth / smooth.std()


@pytest.mark.parametrize("scale", [1.0, 1 + NOISE_DOUBT, 0.2, np.nan])
def test_noise_no_larger_than_its_doubt_leaves_the_matrices_as_they_are(scale):
    template = template_of(scene())
    normal = normal_matrices(template, EVERYWHERE, (0, 0))
    found, left = for_noise(template, normal, scale)
    assert found is normal
    np.testing.assert_equal(left, scale)


@pytest.mark.parametrize("scale", [1.2, 2.0, 3.7])
def test_noisier_images_have_the_matrices_of_a_noisier_template_and_are_asked_once(scale):
    pixels = scene()
    template = template_of(pixels)
    normal = normal_matrices(template, EVERYWHERE, (2, -3))
    found, left = for_noise(template, normal, scale)
    assert for_noise(template, normal, scale)[0] is found
    assert left == pytest.approx(1, abs=0.02)
    noisier = normal_matrices(template_of(pixels, scale / left), EVERYWHERE, (2, -3))
    for name in ("jacobian", "projected", "noise", "inverse", "doubt"):
        np.testing.assert_allclose(getattr(found, name), getattr(noisier, name), rtol=1e-4, atol=1e-12)
    assert np.trace(found.variance) > np.trace(normal.variance)


def test_where_more_noise_would_hide_a_direction_the_matrices_stay():
    template = template_of(scene(contrast=0.8))
    normal = normal_matrices(template, EVERYWHERE, (0, 0))
    found, left = for_noise(template, normal, 50.0)
    assert found is normal
    assert left == 50.0


def test_a_scene_shows_all_directions_and_parallel_lines_do_not_along_themselves():
    lines = np.broadcast_to(scene()[:1], SHAPE) + np.random.default_rng(3).normal(size=SHAPE)
    noisy = scene() + np.random.default_rng(3).normal(size=SHAPE)
    assert shows_all_directions(template_of(noisy), EVERYWHERE, (1, 2))
    assert not shows_all_directions(template_of(lines), EVERYWHERE, (1, 2))
    assert not shows_all_directions(template_of(noisy), EVERYWHERE, (SHAPE[0], 0))
