"""Real counts: one frame thinned into two that share nothing but their expectation.

If y is Poisson, so are the parts of a multinomial draw from it, and they are independent. The halves
of one real frame are then two exposures of one real pattern, whose true shift is known: zero, or the
distance of the windows that are cut from them. Windows an odd number of pixels apart that are
binned 2 x 2 (sums of counts are counts) are half a pixel apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.pairs import Answer, Measured, Outcomes, gathered
from benchmarks.real_data import DATA

SIDE = 640
"""Of the windows, px, before they are binned."""

REACH = 16
"""Greatest distance of two windows along an axis, px, before they are binned."""

PARTS = (0.5, 0.1, 0.02)
"""Of the counts that go into each of the two."""


@dataclass(frozen=True)
class Frame:
    """A real frame of counts and its mask (True = valid)."""

    name: str
    counts: NDArray[np.int64]
    mask: NDArray[np.bool_]


def counted_frames(folder: Path = DATA) -> list[Frame]:
    """Return the frames whose pixels count photons; none where the folder is absent.

    Frames of a Pilatus, an x-ray detector that counts: the variance of the difference of two of them
    is their sum, to a few per cent.
    """
    import tifffile

    path = folder / "musclex_Mn23_264_265"
    frames = []
    for side in ("reference", "moving"):
        if not (path / f"{side}.tif").is_file():
            continue
        counts = tifffile.imread(path / f"{side}.tif").astype(np.int64)
        mask = (tifffile.imread(path / f"{side}_mask.tif") > 0) & (counts >= 0)
        frames.append(Frame(f"musclex {side}", np.where(mask, counts, 0), mask))
    return frames


def thinned_outcomes(frames: list[Frame], part: float, pairs: int, seed: int = 0) -> Outcomes:
    """Return the outcomes of pairs of windows cut from thinned frames; their bound is not known.

    Parameters
    ----------
    frames : list of Frame
    part : float
        Of the counts that goes into each of the two, at most 0.5.
    pairs : int
    seed : int
    """
    from maskreg import register

    rows = []
    for index in range(pairs):
        rng = np.random.default_rng([seed, int(1e4 * part), index])
        frame = frames[index % len(frames)]
        first, second = _thinned(frame.counts, part, rng)
        shift = rng.integers(-REACH, REACH + 1, 2)
        corner = [int(rng.integers(REACH, n - SIDE - REACH)) for n in frame.counts.shape]
        here = tuple(slice(c, c + SIDE) for c in corner)
        there = tuple(slice(c + s, c + s + SIDE) for c, s in zip(corner, shift, strict=True))
        images = [_binned(image) for image in (first[here], second[there])]
        masks = [_binned(frame.mask[window]) == 4 for window in (here, there)]
        found = register(*(image.astype(np.uint16) for image in images), *masks)
        answer = Answer(found.shift, found.covariance, found.status.label)
        # content of the second window lies `shift` px further up: it must move down by that much
        rows.append(Measured(shift / 2, answer, np.full((2, 2), np.nan)))
    return gathered(rows)


def _thinned(counts: NDArray[np.int64], part: float, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Return two independent exposures, each with this part of the counts."""
    first = rng.binomial(counts, part)
    return [first, rng.binomial(counts - first, part / (1 - part))]


def _binned(image: NDArray) -> NDArray[np.int64]:
    """Return the sums of 2 x 2 pixels."""
    blocks = image.reshape(image.shape[0] // 2, 2, image.shape[1] // 2, 2)
    return blocks.sum(axis=(1, 3), dtype=np.int64)
