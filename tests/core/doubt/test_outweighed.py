"""An object that has moved otherwise than the scene behind it, smaller and sharper: not a sure answer."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from tests.core.images import prepared

from maskreg import Status, register
from maskreg.core.doubt.outweighed import outweighed_by
from maskreg.core.masked_side import MaskedSide
from maskreg.core.reference import ReferenceSide
from maskreg.options import Options
from maskreg.testing import Texture

SIDE, OBJECT = 192, 72
DRIFT, OTHERWISE = (8, -6), (-14, 20)


def field(rng, width, side):
    smooth = scipy.ndimage.gaussian_filter(rng.normal(size=(side, side)), width, mode="wrap")
    return 1 + 0.35 * np.clip(smooth / smooth.std(), -2.5, 2.5)


def pair(seed):
    """A scene of broad structure, and a patch of fine structure before it."""
    rng = np.random.default_rng(seed)
    scene, patch = field(rng, 8.0, SIDE + 40), field(rng, 1.0, OBJECT)

    def view(drift, by):
        top, left = 20 - drift[0], 20 - drift[1]
        seen = scene[top : top + SIDE, left : left + SIDE].copy()
        seen[70 + by[0] : 70 + by[0] + OBJECT, 60 + by[1] : 60 + by[1] + OBJECT] = patch
        return rng.poisson(40 * seen)

    return view((0, 0), (0, 0)), view(DRIFT, OTHERWISE)


@pytest.mark.parametrize("seed", range(3))
def test_a_sharp_object_is_no_sure_answer_for_the_scene(seed):
    found = register(*pair(seed))
    if found.ok:
        assert np.abs(found.shift + DRIFT).max() < 1
    else:
        assert found.status is Status.AMBIGUOUS
        assert "the images as they are correlate by more at" in found.detail
        assert np.abs(np.add(found.rival.shift, DRIFT)).max() <= 3


def test_it_is_asked_with_what_the_search_has_found():
    reference, moving = (prepared(image.astype(np.uint16)) for image in pair(1))
    masked = MaskedSide(ReferenceSide(reference, Options()), moving.masks)
    levels = [masked.search(b)(moving) for b in (2, 4, 8)]
    there = outweighed_by(masked, moving, levels, np.array([14.0, -20.0]))
    assert np.abs(np.add(there, DRIFT)).max() <= 3
    assert outweighed_by(masked, moving, levels, np.array(there, float)) is None


def test_light_that_stands_still_outweighs_no_scene():
    rng, scene = np.random.default_rng(5), Texture((SIDE, SIDE))
    rows, columns = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    lamp = 60 * np.exp(-2 * (rows**2 + columns**2))
    images = [rng.poisson(lamp * scene.render(by)) for by in ((0.0, 0.0), (9.0, -7.0))]
    found = register(*images)
    assert found.ok
    assert np.abs(np.add(found.shift, (9, -7))).max() < 0.2
