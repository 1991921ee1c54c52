"""What is filled in behind a mask, rows at a time or all at once."""

from __future__ import annotations

import numpy as np
import pytest

from maskreg.core.image import fill
from maskreg.core.image.fill import filled

MASKS = (
    lambda shape, rng: rng.random(shape) < 0.5,
    lambda shape, rng: rng.random(shape) < 0.01,
    lambda shape, rng: np.indices(shape).sum(0) % 16 < 8,
    lambda shape, rng: np.abs(np.indices(shape)[0] - shape[0] / 2) > shape[0] / 4,
)


@pytest.mark.parametrize("shape", [(301,), (131, 64), (90, 35), (70, 12, 13)])
@pytest.mark.parametrize("mask_of", MASKS)
def test_rows_at_a_time_are_filled_as_all_at_once(shape, mask_of, monkeypatch):
    rng = np.random.default_rng(0)
    mask = mask_of(shape, rng)
    pixels = np.where(mask, rng.normal(5, 1, shape), 0).astype(np.float32)
    whole = filled(pixels, mask)
    assert np.count_nonzero(whole[~mask]) == np.count_nonzero(~mask)
    monkeypatch.setattr(fill, "LEAST_ROWS", 8)
    monkeypatch.setattr(fill, "AT_ONCE", 1)
    assert filled(pixels, mask).tobytes() == whole.tobytes()


def test_what_is_filled_in_is_between_the_values_along_the_edge():
    mask = np.ones((80, 70), bool)
    mask[20:60, 10:50] = False
    pixels = np.where(mask, np.linspace(1, 2, 70, dtype=np.float32), np.float32(0))
    out = filled(pixels, mask)
    np.testing.assert_array_equal(out[mask], pixels[mask])
    assert out[~mask].min() > pixels[30, 9] - 0.02
    assert out[~mask].max() < pixels[30, 50] + 0.02
