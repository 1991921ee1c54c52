"""Pairs and series of noisy frames: a scene drifts behind a mask that does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from maskreg.errors import InputError
from maskreg.testing.detector import Detector
from maskreg.testing.scene import Drift, Scene

_IDEAL = Detector()


class Pair(NamedTuple):
    """Two frames and the mask they share."""

    reference: NDArray[np.generic]
    """(rows, columns), counts; the scene where it is."""
    moving: NDArray[np.generic]
    """(rows, columns), counts; the scene drifted. The shift to apply is minus the drift."""
    mask: NDArray[np.bool_]
    """(rows, columns), True = valid."""


class Series(NamedTuple):
    """Frames of one drifting scene, the mask they share, and the truth."""

    frames: NDArray[np.generic]
    """(n, rows, columns), counts."""
    mask: NDArray[np.bool_]
    """(rows, columns), True = valid."""
    shifts: NDArray[np.float64]
    """(n, 2), px: to apply to each frame so that it lands on the first."""


def simulate_pair(
    scene: Scene,
    drift: Drift,
    dose: float,
    mask: NDArray[np.bool_] | None,
    rng: np.random.Generator,
    *,
    detector: Detector = _IDEAL,
) -> Pair:
    """Return two noisy frames of a scene, the second one drifted.

    Parameters
    ----------
    scene : Scene
        What is looked at.
    drift : (2,) float
        Of the moving frame's content, rows and columns, px. Its shift is ``-drift``.
    dose : float
        Mean electrons per pixel of the undrifted scene.
    mask : (rows, columns) bool, optional
        True = valid. Behind the invalid pixels is `static_clutter`, the same in both frames:
        what a method that ignores the mask will find. None: all valid.
    rng : numpy.random.Generator
        Draws the noise.
    detector : Detector
        By default an ideal counter of electrons: Poisson noise only.

    Returns
    -------
    Pair
        ``(reference, moving, mask)``.

    Raises
    ------
    InputError
        If the mask is not of the scene's shape.
    """
    frames, valid, _ = simulate_series(scene, [(0.0, 0.0), drift], dose, mask, rng, detector=detector)
    return Pair(frames[0], frames[1], valid)


def simulate_series(
    scene: Scene,
    drifts: NDArray[np.float64] | Sequence[Drift],
    dose: float,
    mask: NDArray[np.bool_] | None,
    rng: np.random.Generator,
    *,
    detector: Detector = _IDEAL,
) -> Series:
    """Return one noisy frame of a scene for each drift.

    Parameters
    ----------
    drifts : (n, 2) float
        Of each frame's content, rows and columns, px.
    scene, dose, mask, rng, detector
        As in `simulate_pair`.

    Returns
    -------
    Series
        ``(frames, mask, shifts)``; the shifts are relative to the first frame.

    Raises
    ------
    InputError
        If the mask is not of the scene's shape.
    """
    valid = np.ones(scene.shape, dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
    if valid.shape != scene.shape:
        raise InputError(f"mask has shape {valid.shape}, the scene has {scene.shape}")
    clutter = static_clutter(scene.shape)
    frames = [detector.expose(dose * np.where(valid, scene.render(drift), clutter), rng) for drift in drifts]
    moved = np.asarray(drifts, dtype=np.float64).reshape(-1, 2)
    return Series(np.stack(frames), valid, moved[0] - moved)


def static_clutter(shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return what the simulators put behind a mask: structure that never moves.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns, px.

    Returns
    -------
    (rows, columns) float64
        Blobs of 3 px sigma, from 0 upwards, mean about 0.5 where the scene has mean 1.
    """
    blobs = gaussian_filter(np.random.default_rng(99).standard_normal(shape), 3.0, mode="wrap")
    clutter: NDArray[np.float64] = 0.625 * np.abs(blobs) / blobs.std()
    return clutter
