"""How bright each frame of a series is beside the others: a source flickers, and beams get weaker.

Where a source flickers every bright pixel varies, also those of what stands still. As long as it is not
known how the frames lie, an intensity is told by what most of the image does (`apparent`). A sample that
moves by a good part of the frame changes that itself, as its bright part leaves the frame: once the shifts
are known, frames are compared where both see the same part of the sample (`along_shifts`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.geometry import overlap_slices

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

_SQUARE = 8
"""Side of the squares by which intensities are compared, px."""
_FEWEST = 12
"""Squares that two frames must share to be compared."""
_FIRM = 1e-3
"""Weight with which intensities that nothing tells apart are held to be alike, beside one comparison's."""


def apparent(frames: NDArray[np.generic]) -> Floats:
    """Return the intensity of each of (n, rows, cols) frames, 1 on average, whatever moves in them.

    It is the median, over squares of the image, of their brightness relative to the mean image: spots that
    pass through some of the squares do not change it.
    """
    squares = np.stack([_squares(frame) for frame in frames])
    mean = squares.mean(axis=0)
    if not (mean > 0).any():
        return np.ones(len(frames))
    intensity: Floats = np.median(squares[:, mean > 0] / mean[mean > 0], axis=1)
    return intensity if (intensity > 0).all() else np.ones(len(frames))


def along_shifts(frames: NDArray[np.generic], shifts: Floats, valid: Mask) -> Floats:
    """Return the intensity of each frame, 1 on (geometric) average, by what is the same in the sample.

    Parameters
    ----------
    frames : (n, rows, cols)
    shifts : (n, 2) float64
        Of each frame onto the common place, px; whole pixels are enough here.
    valid : (rows, cols) bool
        Pixels that are believed to see the sample.

    Returns
    -------
    (n,) float64
        That fit the ratios of all frames that lie 1, 2, 4, ... frames apart best, in their logarithms.
    """
    n = len(frames)
    wholes = np.rint(shifts).astype(int)
    shown = np.where(valid, frames, frames.dtype.type(0))
    rows, ratios = [_FIRM * np.eye(n)], [np.zeros(n)]
    for apart in (1 << k for k in range(n.bit_length())):
        for i in range(n - apart):
            ratio = _ratio(shown[i], shown[i + apart], valid, wholes[i + apart] - wholes[i])
            if ratio is not None:
                rows.append((np.eye(n)[i + apart] - np.eye(n)[i])[None])
                ratios.append(np.array([np.log(ratio)]))
    logs = np.linalg.lstsq(np.concatenate(rows), np.concatenate(ratios), rcond=None)[0]
    return np.asarray(np.exp(logs - logs.mean()))


def evened(frames: NDArray[Any], intensity: Floats) -> NDArray[np.float32]:
    """Return (n, rows, cols) frames, each divided by its intensity.

    What never changes does not change by this either: it is known by that.
    """
    result: NDArray[np.float32] = np.divide(frames, intensity[:, None, None]).astype(np.float32)
    constant = (frames == frames[0]).all(axis=0)
    result[:, constant] = frames[:, constant]
    return result


def _ratio(
    first: NDArray[np.generic], second: NDArray[np.generic], valid: Mask, shift: NDArray[np.int_]
) -> float | None:
    """Return by how much brighter the second frame is; None where both hardly see the same.

    `shift` is that of the second frame onto the first one; both are zero where they are not valid.
    """
    here, there = overlap_slices(valid.shape, valid.shape, shift.tolist())
    both = _squares(valid[here] & valid[there]) == 1
    if both.sum() < _FEWEST:
        return None
    one, other = _squares(first[here])[both], _squares(second[there])[both]
    lit = (one > 0) & (other > 0)
    return float(np.median(other[lit] / one[lit])) if lit.sum() >= _FEWEST else None


def _squares(image: NDArray[np.generic]) -> Floats:
    """Return the means of squares of the image, those at its far edges left out."""
    side = max(1, min(_SQUARE, *image.shape))
    rows, cols = (n // side for n in image.shape)
    cut = image[: rows * side, : cols * side].reshape(rows, side, cols, side)
    return np.asarray(cut.mean(axis=(1, 3), dtype=np.float64))
