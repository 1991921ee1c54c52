"""Parallel lines: one direction is known, the other is not, and the covariance must say so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskreg.testing import Detector, Lines, beam_block, simulate_pair

ANGLES = (0.0, 0.3, np.pi / 4)
"""Of the direction across the lines from the row axis, radians."""


@dataclass(frozen=True)
class Stripes:
    """What the answers to pairs of lines say.

    Attributes
    ----------
    statuses : dict of str to int
        How often each status was given.
    tilt : float
        Greatest angle of the long axis of the covariance from the lines, degrees; NaN without one.
    elongation : float
        Least ratio of the long to the short axis.
    z_across : float
        Spread of the errors across the lines in claimed sigmas, of all answers with a shift.
    """

    statuses: dict[str, int]
    tilt: float
    elongation: float
    z_across: float


def stripes(angle: float, dose: float, pairs: int, seed: int = 0) -> Stripes:
    """Register pairs of lines whose direction across lies at `angle`."""
    from maskreg import register

    scene, detector = Lines((192, 192), angle=angle), Detector(read_noise=0.3, dtype=np.uint16)
    across = np.array(scene.across)
    statuses: dict[str, int] = {}
    tilts, ratios, z = [], [], []
    for index in range(pairs):
        rng = np.random.default_rng([seed, int(1000 * angle), index])
        drift = rng.uniform(-5, 5, 2)
        pair = simulate_pair(scene, drift, dose, beam_block(scene.shape), rng, detector=detector)
        answer = register(pair.reference, pair.moving, pair.mask, pair.mask)
        statuses[answer.status.label] = statuses.get(answer.status.label, 0) + 1
        if not np.isfinite(answer.covariance).all():
            continue
        values, vectors = np.linalg.eigh(answer.covariance)
        tilts.append(float(np.degrees(np.arcsin(min(1.0, abs(vectors[:, 1] @ across))))))
        ratios.append(float(np.sqrt(values[1] / values[0])))
        z.append(float((answer.shift + drift) @ across / np.sqrt(across @ answer.covariance @ across)))
    if not z:
        return Stripes(statuses, *[float("nan")] * 3)
    return Stripes(statuses, max(tilts), min(ratios), float(np.sqrt(np.mean(np.square(z)))))
