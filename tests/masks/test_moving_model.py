"""The model of what moves predicts what it should."""

from __future__ import annotations

import numpy as np

from maskreg.masks.moving_model import explained, predict
from maskreg.testing import Rings


def test_true_shifts_explain_what_changes_and_others_do_not():
    rng, scene = np.random.default_rng(1), Rings((64, 64))
    drifts = np.linspace(0, 5, 12)[:, None] * [1.0, -0.7]
    frames = np.array([rng.poisson(200 * scene.render(drift)) for drift in drifts], dtype=np.float32)
    variance, everywhere = frames.var(axis=0, ddof=1), np.ones((64, 64), bool)
    moves = variance > 3 * frames.mean(axis=0)
    assert explained(predict(frames, -drifts, everywhere), variance, moves) > 0.6
    assert explained(predict(frames, drifts, everywhere), variance, moves) < 0.1
