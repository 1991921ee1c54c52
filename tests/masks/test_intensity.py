"""How bright frames are beside each other, whatever moves in them."""

from __future__ import annotations

import numpy as np
import pytest

from maskreg.masks.intensity import along_shifts, apparent, evened
from maskreg.testing import Rings, Spots, Texture, beam_block

SHAPE = (128, 128)


def flickering(scene, size, seed=3, count=16):
    """Frames behind a block, of a source that flickers by a tenth; their shifts and intensities."""
    rng, valid = np.random.default_rng(seed), beam_block(SHAPE)
    drifts = size * np.linspace(0, 1, count)[:, None] * [0.8, 0.6]
    intensity = 1 + 0.1 * rng.normal(size=count)
    frames = [
        rng.poisson(40 * i * np.where(valid, scene.render(d), 0.02))
        for i, d in zip(intensity, drifts, strict=True)
    ]
    return np.array(frames, np.uint16), drifts[0] - drifts, intensity / np.exp(np.log(intensity).mean())


@pytest.mark.parametrize("scene", [Rings, Spots, Texture])
@pytest.mark.parametrize("size", [0.0, 5.0, 80.0])
def test_a_pattern_that_leaves_the_frame_does_not_change_its_intensity(scene, size):
    frames, shifts, intensity = flickering(scene(SHAPE), size)
    np.testing.assert_allclose(along_shifts(frames, shifts, np.ones(SHAPE, bool)), intensity, rtol=0.05)


def test_pixels_under_the_mask_have_no_say():
    frames, shifts, _ = flickering(Rings(SHAPE), 20.0)
    valid = beam_block(SHAPE)
    other = np.where(valid, frames, 60000).astype(np.uint16)
    np.testing.assert_array_equal(along_shifts(frames, shifts, valid), along_shifts(other, shifts, valid))


def test_frames_that_share_nothing_are_held_to_be_alike():
    frames = np.stack([np.full((64, 64), level, np.float32) for level in (1, 2)])
    far = np.array([[0.0, 0.0], [64.0, 0.0]])
    np.testing.assert_allclose(along_shifts(frames, far, np.ones((64, 64), bool)), 1)


def test_as_long_as_nothing_is_known_most_of_the_image_tells_the_intensity():
    frames, _, intensity = flickering(Spots(SHAPE), 5.0)
    told = apparent(frames)
    np.testing.assert_allclose(told / np.exp(np.log(told).mean()), intensity, rtol=0.03)


def test_what_never_changes_is_not_changed_by_an_intensity():
    frames, _, intensity = flickering(Rings(SHAPE), 5.0)
    frames[:, 7, 9] = 65535
    even = evened(frames, intensity)
    assert (even[:, 7, 9] == 65535).all()
    np.testing.assert_allclose(even[:, 8, 9], frames[:, 8, 9] / intensity, rtol=1e-6)
