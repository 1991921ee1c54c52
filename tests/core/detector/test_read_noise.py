"""Read noise of faint counts: found in one image, and taken out of the values that a faint search weighs."""

from __future__ import annotations

import numpy as np
import pytest

from maskreg import register
from maskreg.core.detector.read_noise import Restoration, fitted_read_noise, restoration_of
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import MaskPyramid
from maskreg.core.image.stabilise import Detector as Model
from maskreg.testing import Detector, Rings, Spots, Texture, beam_block, simulate_pair

SHAPE = (256, 256)
MASK = beam_block(SHAPE, "small")


def exposed(scene, dose, read_noise, seed):
    detector = Detector(read_noise=read_noise, dtype=np.uint16)
    return detector.expose(dose * scene.render(), np.random.default_rng(seed))


def prepared(pixels, detector, mask=None):
    return Prepared(pixels, MaskPyramid(np.ones(pixels.shape, bool) if mask is None else mask), detector)


@pytest.mark.parametrize("scene", [Rings(SHAPE), Spots(SHAPE)], ids=["rings", "spots"])
@pytest.mark.parametrize("dose", [0.03, 0.1])
@pytest.mark.parametrize("read_noise", [0.0, 0.3, 0.5])
def test_one_faint_image_tells_how_much_read_noise_it_has(scene, dose, read_noise):
    found = fitted_read_noise(exposed(scene, dose, read_noise, 1), MASK)
    assert found == pytest.approx(read_noise, abs=0.06)


def test_structure_is_not_taken_for_read_noise_that_makes_ones_and_many_electrons_are_left_alone():
    for dose in (0.3, 1.0):
        # a quarter of an electron makes a one of nothing in 2 % of the pixels
        assert fitted_read_noise(exposed(Texture(SHAPE), dose, 0.0, 2), MASK) <= 0.25
    bright = exposed(Texture(SHAPE), 50.0, 0.5, 2)
    assert restoration_of(prepared(bright, Model(True), MASK)) is None
    assert restoration_of(prepared(bright.astype(np.float32), Model(False), MASK)) is None


@pytest.mark.parametrize(
    ("gain", "offset", "read_noise", "brightness"),
    [(1.0, 0.0, 0.5, 0.1), (1.0, 0.0, 0.3, 0.5), (0.4, 100.5, 1.5, 0.3), (0.02, 200.0, 0.4, 0.1)],
)
def test_a_restored_value_is_the_mean_of_the_electrons_that_made_it(gain, offset, read_noise, brightness):
    rng = np.random.default_rng(3)
    electrons = rng.poisson(brightness, (600, 600))
    analogue = (electrons + rng.normal(0, read_noise, electrons.shape)) / gain + offset
    counts = np.rint(np.maximum(analogue, 0)).astype(np.uint16)
    model = Model(True, gain, offset, read_noise)
    restored = Restoration(model, read_noise)(prepared(counts, model)).raw
    for low, high in ((0, 0.05), (0.05, 0.5), (0.5, 1.5), (1.5, 9)):
        here = (restored >= low) & (restored < high)
        if np.count_nonzero(here) > 200:
            error = electrons[here].std() / np.sqrt(np.count_nonzero(here))
            assert restored[here].mean() == pytest.approx(electrons[here].mean(), abs=5 * error + 0.005)


def test_many_electrons_are_restored_to_themselves():
    counts = np.full((64, 64), 1000, np.uint16)
    counts[:32] = 0
    counts[32:48] = np.arange(64)
    restored = Restoration(Model(True), 0.5)(prepared(counts, Model(True))).raw
    np.testing.assert_array_equal(restored[48:], 1000)
    assert (np.diff(restored[40]) >= 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_faint_rings_are_placed_though_read_noise_makes_more_ones_than_electrons(seed):
    rng = np.random.default_rng(seed)
    drift = rng.uniform(-20, 20, 2)
    detector = Detector(read_noise=0.5, dtype=np.uint16)
    pair = simulate_pair(Rings(SHAPE, seed=seed), drift, 0.12, MASK, rng, detector=detector)
    answer = register(pair.reference, pair.moving, MASK, MASK)
    assert answer.status.keeps_shift
    assert np.abs(answer.shift + drift).max() < 2


def test_two_faint_images_of_read_noise_are_not_placed():
    rng = np.random.default_rng(4)
    for brightness in (0.03, 0.3):
        for _ in range(4):
            frames = [
                np.rint(np.maximum(rng.poisson(brightness, SHAPE) + rng.normal(0, 0.5, SHAPE), 0))
                for _ in range(2)
            ]
            assert not register(*(f.astype(np.uint16) for f in frames), MASK, MASK).ok


def test_counts_of_which_more_was_taken_off_than_there_was_are_none():
    counts = np.random.default_rng(3).poisson(0.5, (64, 64)).astype(np.float32)
    counts[::9, ::7] = -9
    assert fitted_read_noise(counts, np.ones(counts.shape, bool)) >= 0
