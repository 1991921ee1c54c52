"""Pairs with a known answer, and what may be said of two answers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from maskreg import Registration
from maskreg.testing import Detector, Pair, simulate_pair

COUNTS = Detector(dtype=np.uint16)
"""An ideal counter of electrons whose frames are what a camera writes."""

SIGMAS = 3.0
"""So many standard deviations may lie between two answers to the same question."""

EXACT_COPY_PX = 0.02
"""Windows of one noisy image hold the same pixels; what is left is rounding and the rims."""


class Windows(NamedTuple):
    """Two views of one image, noise and all."""

    reference: np.ndarray
    moving: np.ndarray
    shift: tuple[int, ...]


def windows(image, shift, shape) -> Windows:
    """Cut two views of `shape` out of `image`: the content of moving has drifted by -shift."""
    room = [(n - m) // 2 for n, m in zip(image.shape, shape, strict=True)]
    cuts = [
        tuple(slice(r + s, r + s + m) for r, s, m in zip(room, by, shape, strict=True))
        for by in ([0] * len(shape), shift)
    ]
    assert all(c.start >= 0 and c.stop <= n for cut in cuts for c, n in zip(cut, image.shape, strict=True))
    return Windows(image[cuts[0]].copy(), image[cuts[1]].copy(), tuple(shift))


def counted_pair(scene, drift, dose, mask, seed) -> Pair:
    """Two frames of counts; the shift to find is -drift."""
    return simulate_pair(scene, drift, dose, mask, np.random.default_rng(seed), detector=COUNTS)


def counted(scene, dose, seed):
    """One frame of counts."""
    return COUNTS.expose(dose * scene.render(), np.random.default_rng(seed))


def bits(found: Registration):
    """All that a registration says, to the last bit."""
    numbers = np.array([found.score, found.significance, found.overlap])
    return (
        found.shift.tobytes(),
        found.covariance.tobytes(),
        numbers.tobytes(),
        repr(found.rival),
        found.status,
        found.detail,
    )


def whole(found: Registration):
    """The nearest whole pixel."""
    return tuple(int(s) for s in np.rint(found.shift))


def assert_same_place(one: Registration, other: Registration, sign: int = 1):
    """The same whole pixel, and the rest within the uncertainties of both."""
    assert one.ok, one
    assert other.ok, other
    assert whole(one) == tuple(sign * s for s in whole(other))
    allowed = SIGMAS * np.sqrt(one.uncertainty**2 + other.uncertainty**2)
    assert (np.abs(one.shift - sign * other.shift) <= allowed).all(), (one, other)


def assert_well_formed(found: Registration, ndim: int):
    """What holds for every registration, whatever its status."""
    assert found.shift.shape == (ndim,)
    assert found.shift.dtype == np.float64
    assert found.covariance.shape == (ndim, ndim)
    assert found.ok == found.status.ok
    assert found.reason.startswith(found.status.sentence)
    assert found.status.label in repr(found)
    assert not np.signbit(found.shift[found.shift == 0]).any(), "-0.0"
    if not found.status.keeps_shift:
        assert np.isnan(found.shift).all()
        assert np.isnan(found.uncertainty).all()
        return
    assert np.isfinite(found.shift).all()
    np.testing.assert_allclose(found.covariance, found.covariance.T, rtol=1e-9)
    assert (np.linalg.eigvalsh(found.covariance) > 0).all()
    assert 0 < found.overlap <= 1
    assert np.isnan(found.score) or -1 <= found.score <= 1
