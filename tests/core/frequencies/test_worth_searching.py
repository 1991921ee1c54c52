"""Fine levels in which the reference shows no more than in coarser ones are not searched; nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage

from maskreg import Registrar
from maskreg.core import reference as reference_module
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import MaskPyramid
from maskreg.core.image.stabilise import Detector
from maskreg.core.plan import make_plan
from maskreg.core.reference import ReferenceSide
from maskreg.options import Options
from maskreg.testing import beam_block

SHAPE = (512, 512)
MASK = beam_block(SHAPE)
PLAN = make_plan(SHAPE, SHAPE)
DRIFT = (11, -26)


def scene(blur, seed=0):
    """Positive texture of mean one and a spread of a half, as fine as `blur` px, larger than a frame."""
    rough = np.random.default_rng(seed).standard_normal((SHAPE[0] + 80, SHAPE[1] + 80))
    smooth = scipy.ndimage.gaussian_filter(rough, blur) if blur else rough
    return np.maximum(1 + 0.5 * smooth / smooth.std(), 0.05)


def frame(rng, structure, dose, drift=(0, 0)):
    view = structure[40 - drift[0] : 552 - drift[0], 40 - drift[1] : 552 - drift[1]]
    return rng.poisson(dose * view).astype(np.uint16)


def searched(pixels, detector=None):
    image = Prepared(pixels, MaskPyramid(MASK), detector or Detector(True))
    return ReferenceSide(image, Options()).fallback(PLAN)


@pytest.mark.parametrize("dose", [1.0, 10.0])
def test_frames_get_the_answer_that_they_get_from_all_levels(dose, monkeypatch):
    rng = np.random.default_rng(4)
    structure = scene(12)
    reference = frame(rng, structure, dose)
    assert searched(reference) == ()
    assert PLAN.fallback == (1,)
    frames = [frame(rng, structure, d, DRIFT) for d in (0.003, 0.01, 0.02, 0.05)]
    frames += [rng.poisson(d, SHAPE).astype(np.uint16) for d in (0.01, 0.3, 3.0)]
    found = Registrar(reference, MASK, MASK)
    answers = [found(image) for image in frames]
    monkeypatch.setattr(reference_module, "worth_searching", lambda *_: True)
    everywhere = Registrar(reference, MASK, MASK)
    expected = [everywhere(image) for image in frames]
    assert [a.status for a in answers] == [e.status for e in expected]
    assert sum(a.ok for a in answers) >= 2
    for answer, other in zip(answers, expected, strict=True):
        if answer.ok:
            assert np.abs(answer.shift - other.shift).max() < 0.3 * other.uncertainty.max()


def test_structure_as_fine_as_single_pixels_is_searched_for():
    rng = np.random.default_rng(5)
    assert searched(frame(rng, scene(0), 3.0)) == (1,)
    assert searched(frame(rng, scene(0.8), 10.0)) == (1,)
    # on top of a coarse one, where second differences take it for noise
    both = scene(8) * (1 + 0.3 * (rng.random((592, 592)) < 0.5))
    assert searched(frame(rng, both, 10.0)) == (1,)


def test_a_reference_that_shows_nothing_but_noise_is_searched_everywhere():
    assert searched(np.random.default_rng(6).poisson(3.0, SHAPE).astype(np.uint16)) == (1,)


def test_where_the_noise_is_not_known_all_levels_are_searched():
    pixels = frame(np.random.default_rng(7), scene(12), 3.0).astype(np.float32)
    assert searched(pixels) == ()
    assert searched(pixels, Detector(False)) == (1,)
    rng = np.random.default_rng(8)
    mean = np.mean([frame(rng, scene(12), 30.0) for _ in range(4)], axis=0)
    assert searched(np.rint(mean).astype(np.uint16)) == (1,)
