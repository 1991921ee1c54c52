"""A small drifting series: a smooth texture seen through a window that moves by whole pixels."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from scipy import ndimage

SHAPE = (72, 90)
SHIFTS = np.array([[0, 0], [1, -2], [3, -3], [2, -5], [-4, 6], [-5, 7], [-5, 9], [0, 1]])


def make_frames(shape=SHAPE, shifts=SHIFTS, seed=4) -> list[np.ndarray]:
    """Return uint16 frames of which frame i has to be moved by ``shifts[i]`` to lie on frame 0."""
    rng = np.random.default_rng(seed)
    margin = int(np.abs(shifts).max())
    field = ndimage.gaussian_filter(rng.normal(size=[size + 2 * margin for size in shape]), 1.5)
    field = 1000 + 300 * field / field.std()
    frames = []
    for row, col in shifts + margin:
        window = field[row : row + shape[0], col : col + shape[1]]
        frames.append((window + rng.normal(0, 20, shape)).clip(0, 65535).astype(np.uint16))
    return frames


@pytest.fixture(scope="session")
def truth():
    """What to apply to each frame so that it lies on the first, px."""
    return SHIFTS


@pytest.fixture(scope="session")
def frames():
    return make_frames()


@pytest.fixture
def mask():
    valid = np.ones(SHAPE, dtype=bool)
    valid[30:40, :45] = False
    return valid


@pytest.fixture
def folder(tmp_path, frames):
    """The series as a folder of single frames."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, frame in enumerate(frames):
        tifffile.imwrite(folder / f"f{number}.tif", frame)
    return folder


@pytest.fixture
def stack(tmp_path, frames):
    """The series as one stack."""
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, np.stack(frames), photometric="minisblack")
    return path
