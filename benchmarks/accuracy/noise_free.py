"""Exact images: what is left of the error when there is no noise at all."""

from __future__ import annotations

import zlib

import numpy as np

from benchmarks.accuracy.cells import BLOCKS, LARGEST_SHIFT, SCENES
from maskreg.testing import beam_block, static_clutter

BRIGHTNESS = 100.0
"""Mean of the float64 images; they are taken as equally noisy everywhere."""


def greatest_error(scene: str, shifts: int, seed: int = 0) -> float:
    """Return the greatest error, px, over some random shifts of scenes drawn with the seed.

    Float64 images evaluated where they lie, behind a block with clutter that stands still; inf if
    an answer is not ok.
    """
    from maskreg import register

    errors = []
    for index in range(shifts):
        rng = np.random.default_rng([seed, zlib.crc32(scene.encode()), index])
        image = SCENES[scene]((256, 256), seed=int(rng.integers(2**31)))
        mask = beam_block(image.shape, str(rng.choice(BLOCKS)))
        drift = rng.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, 2)
        clutter = static_clutter(image.shape)
        reference, moving = (
            BRIGHTNESS * np.where(mask, image.render(d), clutter) for d in ((0.0, 0.0), drift)
        )
        answer = register(reference, moving, mask, mask)
        errors.append(float(np.abs(answer.shift + drift).max()) if answer.ok else np.inf)
    return max(errors)
