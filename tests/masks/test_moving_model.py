"""The model of what moves predicts what it should."""

from __future__ import annotations

from dataclasses import astuple
from math import floor

import numpy as np
import pytest

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


def moved(image, shift):
    """Return the image moved by bilinear interpolation, pixel by pixel, zero from beyond its border."""
    (rows, cols), result = image.shape, np.zeros(image.shape)
    for y, x in np.ndindex(rows, cols):
        at = y - shift[0], x - shift[1]
        first, left = floor(at[0]), floor(at[1])
        for i, j in np.ndindex(2, 2):
            weight = abs(1 - i - (at[0] - first)) * abs(1 - j - (at[1] - left))
            if 0 <= first + i < rows and 0 <= left + j < cols:
                result[y, x] += weight * image[first + i, left + j]
    return result


def plain_terms(frames, shifts, valid, around):
    """Return what the docstring of `predict` says: a list of values, predictions, shares for each pixel.

    The images have margins of so many pixels `around` them, of which nothing is returned.
    """
    there = [
        (moved(np.where(valid, f, 0), s), moved(valid * 1.0, s)) for f, s in zip(frames, shifts, strict=True)
    ]
    inner = tuple(slice(begin, n - end) for n, (begin, end) in zip(valid.shape, around, strict=True))
    terms = {place: [] for place in np.ndindex(valid[inner].shape)}
    for i, (frame, shift) in enumerate(zip(frames, shifts, strict=True)):
        total, weight = (sum(pair[k] for n, pair in enumerate(there) if n != i) for k in range(2))
        known = weight >= 0.5
        mean, share = (np.where(known, a / np.maximum(weight, 0.5), 0) for a in (total, 1.0))
        back, seen, shared = (moved(a, -shift) for a in (mean, known * 1.0, share))
        value, back, seen, shared = (image[inner] for image in (frame, back, seen, shared))
        for y, x in np.argwhere(seen > 0.4):
            terms[y, x].append((value[y, x], back[y, x] / seen[y, x], shared[y, x] / seen[y, x]))
    return terms


@pytest.mark.parametrize(("shape", "size"), [((9, 13), 2.0), ((33, 7), 9.0), ((1, 6), 1.0), ((20, 5), 20.0)])
def test_compiled_loops_predict_what_the_definition_says(shape, size):
    rng = np.random.default_rng(3)
    frames = rng.poisson(30, (6, *shape)).astype(np.float32)
    # eighths, so that no weight lies at a limit by rounding
    shifts = np.rint(8 * size * rng.normal(size=(6, 2))) / 8 + [1 / 16, 0]
    shifts[1:3] = [[0, 0], [2, -1]]
    valid = rng.random(shape) > 0.3
    got = predict(frames, shifts, valid)
    margin = int(np.ceil(np.abs(shifts).max())) + 1  # the sample's image goes on beyond the frames' borders
    around = [(margin, margin)] * 2
    everywhere = plain_terms(np.pad(frames, [(0, 0), *around]), shifts, np.pad(valid, around), around)
    for place, terms in everywhere.items():
        assert got.count[place] == len(terms)
        if not terms:
            continue
        v, p, share = np.array(terms).T
        expected = {
            "level": p.mean(),
            "bias": (v - p).mean(),
            "spread": len(p) * p.var(),
            "together": ((v - v.mean()) * (p - p.mean())).sum(),
            "share": share.mean(),
        }
        for name, value in expected.items():
            assert getattr(got, name)[place] == pytest.approx(value, rel=1e-4, abs=0.02), name


def test_workers_never_change_a_bit_of_a_prediction():
    rng = np.random.default_rng(5)
    frames = rng.poisson(30, (5, 101, 40)).astype(np.float32)
    shifts, valid = 4 * rng.normal(size=(5, 2)), rng.random((101, 40)) > 0.2
    one, three = (astuple(predict(frames, shifts, valid, workers=workers)) for workers in (1, 3))
    for a, b in zip(one, three, strict=True):
        np.testing.assert_array_equal(a, b)
