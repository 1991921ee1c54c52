import numpy as np
import pytest

from maskreg.errors import InputError
from maskreg.testing import Detector, Rings, beam_block, simulate_pair, simulate_series, static_clutter

SHAPE = (96, 96)


def test_a_pair_is_the_scene_before_and_after_its_drift_with_noise(rng):
    scene, dose, drift = Rings(SHAPE), 1000.0, (3.25, -2.5)
    reference, moving, mask = simulate_pair(scene, drift, dose, None, rng)
    assert mask.all()
    for frame, truth in [(reference, scene.render()), (moving, scene.render(drift))]:
        z = (frame - dose * truth) / np.sqrt(dose * truth)
        assert abs(z.mean()) < 0.05 and z.std() == pytest.approx(1.0, abs=0.03)


def test_behind_the_block_is_the_same_clutter_in_every_frame(rng):
    mask = beam_block(SHAPE)
    frames, _, _ = simulate_series(Rings(SHAPE), [(0, 0), (4, 5), (9, -7)], 1e6, mask, rng)
    behind = frames[:, ~mask] / 1e6
    np.testing.assert_allclose(behind, np.tile(static_clutter(SHAPE)[~mask], (3, 1)), atol=0.01)
    assert behind.std(axis=1).min() > 0.2


def test_shifts_undo_drifts_relative_to_the_first_frame(rng):
    drifts = np.array([[1.0, 2.0], [6.0, -7.0]])
    series = simulate_series(Rings(SHAPE), drifts, 5.0, None, rng, detector=Detector(dtype=np.uint8))
    assert series.frames.shape == (2, *SHAPE) and series.frames.dtype == np.uint8
    np.testing.assert_array_equal(series.shifts, [[0.0, 0.0], [-5.0, 9.0]])


def test_the_same_generator_gives_the_same_frames():
    pairs = [simulate_pair(Rings(SHAPE), (1, 2), 9.0, None, np.random.default_rng(4)) for _ in range(2)]
    assert np.array_equal(pairs[0].moving, pairs[1].moving)
    assert not np.array_equal(pairs[0].reference, pairs[0].moving)


def test_a_mask_of_another_shape_is_refused(rng):
    with pytest.raises(InputError, match=r"\(5, 5\)"):
        simulate_pair(Rings(SHAPE), (0, 0), 1.0, np.ones((5, 5), bool), rng)
