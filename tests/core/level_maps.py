"""Maps of a level that no search has made."""

from __future__ import annotations

import numpy as np

from maskreg.core.image.pyramid import LevelImage
from maskreg.core.search.search import LevelMap

FLAT = LevelImage(np.zeros((4, 4), np.float32), np.ones((4, 4), bool))


def level_of(seed, shape, spread, plateaus, forbidden, reach=1):
    """A map of smooth hills, some of its lags forbidden."""
    rng = np.random.default_rng(seed)
    score = rng.normal(scale=spread, size=shape)
    for axis in (0, 1):
        score = score + np.roll(score, 1, axis)
    score = (np.rint(score) if plateaus else score).astype(np.float32)
    score[rng.random(shape) < forbidden] = np.nan
    score[1, 2] = max(1.0, spread)  # one lag may be chosen in any case
    lags = tuple(np.arange(-(n // 2), n - n // 2) for n in shape)
    ncc, overlap = (score / np.float32(20 * spread)).clip(-0.9, 0.9), np.full(shape, 200, np.float32)
    return LevelMap(4, FLAT, FLAT, lags, ncc, overlap, score, ~np.isnan(score), 1e-6, 5.0, reach, again=5.0)
