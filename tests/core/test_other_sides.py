"""Sides of the reference without bright or hot pixels: how many are kept, and how long."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from maskreg.core import reference
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import MaskPyramid
from maskreg.core.image.stabilise import Detector
from maskreg.core.reference import ReferenceSide
from maskreg.options import Options

SIDE = 64


def a_side(*, tracks):
    raw = np.random.default_rng(0).poisson(20, (SIDE, SIDE)).astype(np.uint16)
    if tracks:
        raw[30, 5:50] = 2000
    return ReferenceSide(Prepared(raw, MaskPyramid(np.ones(raw.shape, bool)), Detector(True)), Options())


def places(k):
    return np.array([[k, k], [k + 1, k + 3]])


@pytest.fixture
def nothing_collected():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("tracks", [False, True])
def test_a_reference_is_freed_with_its_last_user(tracks, nothing_collected):
    side = a_side(tracks=tracks)
    others = side.clipped(side.ceiling(0)), side.clipped(side.ceiling(1)).without(places(3))
    known = [weakref.ref(one) for one in (side, *others)]
    del side, others
    assert [one() for one in known] == [None] * 3


def test_another_side_is_made_once_whoever_asks():
    side = a_side(tracks=True)
    clipped, without = side.clipped(side.ceiling(0)), side.without(places(3))
    assert side.clipped(side.ceiling(0)) is clipped is not side
    assert side.without(places(3)) is without is not side.without(places(4))
    assert clipped.without(places(3)) is clipped.without(places(3)) is not without


def test_so_many_are_kept_of_a_whole_family(monkeypatch):
    monkeypatch.setattr(reference, "OTHERS_PIXELS", 3 * SIDE**2)
    side = a_side(tracks=True)
    made = []
    for k in range(5):
        for of in (side, side.clipped(side.ceiling(0)), side.without(places(40))):
            made.append(weakref.ref(of.without(places(k))))
        del of
    gc.collect()
    assert sum(one() is not None for one in made) <= 3


def test_without_bright_pixels_a_side_is_its_own():
    side = a_side(tracks=False)
    assert side.clipped(side.ceiling(0)) is side.clipped(side.ceiling(1)) is side
