"""Shading, as of a lamp, a lens or a diffuse background: told from the scene, and taken off."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tests.core.images import prepared

from maskreg import Registrar, register
from maskreg.core import cleaned
from maskreg.core.image.detail import BinnedPlane, LocalPlane
from maskreg.core.image.shading import without_shading
from maskreg.testing import ChromiumScan, Rings, Spots, Texture

SIDE = 192
SHAPE = SIDE, SIDE
SCENES = {"rings": Rings(SHAPE), "spots": Spots(SHAPE), "texture": Texture(SHAPE)}
DRIFT = 4.3, -7.6
UP, ALONG = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
LAMP = np.exp(-1.2 * (UP**2 + ALONG**2))
"""It stands still."""


def counts(seed, *expected):
    rng = np.random.default_rng(seed)
    return [rng.poisson(one).astype(np.uint16) for one in expected]


def assert_right(found, drift, most=0.4):
    off = found.shift + drift
    assert found.ok, found.reason
    assert np.abs(off).max() < most
    assert off @ np.linalg.inv(found.covariance) @ off < 25


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("scene", SCENES)
def test_a_lamp_that_stands_still_over_a_scene_that_moves_does_not_pull(scene, seed):
    images = (60 * SCENES[scene].render(by) * LAMP for by in ((0.0, 0.0), DRIFT))
    assert_right(register(*counts(seed, *images)), DRIFT)


@pytest.mark.parametrize("scene", SCENES)
def test_a_diffuse_background_that_changes_from_frame_to_frame_does_not_pull(scene):
    one, other = (60 * SCENES[scene].render(by) for by in ((0.0, 0.0), DRIFT))
    level = 3 * one.mean()
    images = one + level * (1 + ALONG), other + level * (1 - 0.6 * UP)
    assert_right(register(*counts(5, *images)), DRIFT)


@pytest.mark.parametrize("scene", SCENES)
def test_nor_does_one_of_values_that_are_no_counts_or_behind_a_mask(scene):
    images = (60 * SCENES[scene].render(by) * LAMP for by in ((0.0, 0.0), DRIFT))
    one, other = (np.sqrt(image + 1.0) - 7.5 for image in counts(6, *images))
    mask = np.hypot(UP - 0.1, ALONG) > 0.3
    one[~mask], other[~mask] = 1e3, -1e3
    assert_right(register(one, other, mask, mask), DRIFT)


def test_a_volume_and_a_line_are_shaded_too():
    rng = np.random.default_rng(7)
    along = np.linspace(-1, 1, 48)
    lamp = np.exp(-sum(x**2 for x in np.meshgrid(along, along, along)))
    scene = np.exp(6 * _smooth_field(rng, (96, 48, 48)))
    volumes = rng.poisson(40 * scene[20:68] * lamp), rng.poisson(40 * scene[17:65] * lamp)
    assert_right(register(*volumes), (3.0, 0.0, 0.0))
    line = np.exp(2 * _smooth_field(rng, (4096,)))
    ramp = np.linspace(0, 6, 2048)
    lines = rng.poisson(60 * (line[500:2548] + ramp)), rng.poisson(60 * (line[483:2531] + ramp[::-1]))
    assert_right(register(*lines), (17.0,))


def _smooth_field(rng, shape):
    squared = sum(np.square(f) for f in np.meshgrid(*(np.fft.fftfreq(n) for n in shape), indexing="ij"))
    return np.real(np.fft.ifftn(np.fft.fftn(rng.normal(size=shape)) * np.exp(-squared / 0.08**2 / 2)))


def test_what_is_shaded_as_a_plane_is_the_same_without_and_ignored_pixels_never_matter():
    rng = np.random.default_rng(8)
    image, mask = rng.normal(size=SHAPE), np.hypot(UP, ALONG - 0.2) > 0.25
    plain = without_shading(prepared(image, mask))
    tilted = np.where(mask, image + 3 * UP - 5 * ALONG, np.nan)
    assert_allclose(without_shading(prepared(tilted, mask)), plain, atol=0.02)
    assert not plain[~mask].any()


def test_counts_stay_counts_as_noisy_as_they_were():
    even = prepared(np.random.default_rng(10).poisson(np.full(SHAPE, 50.0)).astype(np.uint16))
    shaded = prepared(np.random.default_rng(10).poisson(50.0 * LAMP).astype(np.uint16))
    for image in (even, shaded):
        values = without_shading(image)
        assert abs(values.mean() - image.raw.mean()) < 1
        assert abs(image.detector.stabilised(values).var() - 1) < 0.05


@pytest.mark.parametrize("shape", [(40,), (150, 130), (40, 48, 56)])
def test_a_broad_plane_is_fitted_to_binned_pixels_as_to_all(shape):
    smooth = sum(
        np.cos(2 * np.pi * x) for x in np.meshgrid(*(np.linspace(0, 1, n) for n in shape), indexing="ij")
    )
    image, mask = smooth.astype(np.float32), np.random.default_rng(9).random(shape) > 0.1
    image[~mask] = 0
    both = (operator(mask, 6.0)(image) for operator in (BinnedPlane, LocalPlane))
    binned, whole = (plane[mask] for plane in both)
    assert binned.dtype == np.float32
    assert np.abs(binned - whole).max() < 0.1
    assert np.sqrt(np.mean((binned - whole) ** 2)) < 0.03


def test_ordinary_frames_are_not_asked_twice(monkeypatch):
    def never(image):
        raise AssertionError("taken off where nothing is shaded")

    monkeypatch.setattr(cleaned, "without_shading", never)
    scan = ChromiumScan((256, 256), scans=2)
    registrar = Registrar(scan.frame(0), scan.mask, scan.mask)
    assert all(registrar(scan.frame(i)).ok for i in range(1, len(scan), 3))
