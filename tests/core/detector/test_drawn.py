"""What is drawn into both images, to the bit, as the bar of text under a micrograph, does not count."""

from __future__ import annotations

import io
import logging

import numpy as np
import pytest
from PIL import Image
from tests.cases import cases

from maskreg import Registrar, register
from maskreg.core.detector import drawn_kernels
from maskreg.core.detector.drawn import MARGIN, Box, drawn, less_boxes, plain_same_cells, plain_steps, tell
from maskreg.testing import ChromiumScan, Texture

SHAPE = 160, 176
DRIFT = 4.0, -6.0
TOP = 132
BAR = Box(TOP - MARGIN, 160, 0, 176)


def images(dose=60, drift=DRIFT, seed=1):
    rng, scene = np.random.default_rng(seed), Texture(SHAPE)
    return [rng.poisson(dose * scene.render(by)).astype(np.uint16) for by in ((0.0, 0.0), drift)]


def with_bar(image, seed=7, top=250, clock=None):
    """Black, with text in white; a clock has other digits in every frame."""
    out = image.copy()
    out[TOP:] = 0
    text = np.random.default_rng(seed).random((12, 40)) < 0.4
    out[TOP + 8 : TOP + 20, 10:130] = top * text.repeat(3, axis=1)
    if clock is not None:
        digits = np.random.default_rng(clock).random((12, 10)) < 0.4
        out[TOP + 8 : TOP + 20, 140:150] = top * digits
    return out


def whole(image):
    return np.ones(image.shape, bool)


def boxes(one, other):
    return drawn(one, whole(one), other, whole(other))


@pytest.fixture
def said(caplog):
    tell.cache_clear()
    caplog.set_level(logging.WARNING, logger="maskreg")
    # a bar of text may seem to stand for no data as well, and that is told by others
    return lambda: [record.getMessage() for record in caplog.records if record.name == tell.__module__]


TYPES = [
    (np.uint8, 250),
    (np.uint16, 5000),
    (np.float32, 250),
    (">u2", 250),
    (np.int32, 5000),
    (np.float16, 250),
    (float, 5000),
    (np.longdouble, 250),
]


@pytest.mark.parametrize("dtype, top", cases(TYPES[:4], TYPES))
def test_a_bar_of_text_does_not_hold_a_match(dtype, top, said):
    pair = [with_bar(image, top=top).astype(dtype) for image in images()]
    found = register(*pair)
    assert found.ok
    assert np.abs(found.shift + DRIFT).max() < 0.1
    (message,) = said()
    assert message.startswith("rows 124:160, columns 0:176: ")


def test_the_answer_is_that_behind_a_mask_to_the_bit(said):
    pair = [with_bar(image) for image in images()]
    mask = less_boxes(whole(pair[0]), [BAR])
    masked = register(*pair, mask, mask)
    assert not said()
    found = register(*pair)
    assert found.shift.tobytes() == masked.shift.tobytes()
    assert found.covariance.tobytes() == masked.covariance.tobytes()
    assert (found.score, found.significance, found.overlap) == (
        masked.score,
        masked.significance,
        masked.overlap,
    )


def test_what_is_written_there_never_matters():
    pair = images()
    answers = [register(*(with_bar(image, seed) for image in pair)) for seed in (3, 4)]
    assert answers[0].shift.tobytes() == answers[1].shift.tobytes()


def test_a_clock_may_tick():
    pair = [with_bar(image, clock=k) for k, image in enumerate(images())]
    (box,) = boxes(*pair)
    assert box == BAR
    assert np.abs(register(*pair).shift + DRIFT).max() < 0.1


@pytest.mark.parametrize("quality", cases([50, 95], [50, 75, 95]))
def test_a_bar_is_the_same_after_jpeg_but_for_the_squares_that_show_the_scene_as_well(quality):
    def coded(image):
        file = io.BytesIO()
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file))

    pair = [coded(with_bar(image)) for image in images()]
    assert boxes(*pair) == {Box(TOP + 4 - MARGIN, 160, 0, 176)}
    assert np.abs(register(*pair).shift + DRIFT).max() < 0.2


def test_a_label_within_the_scene_is_a_box_of_its_own():
    pair = images()
    for image in pair:
        image[20:40, 30:110] = 500 * (np.random.default_rng(2).random((20, 80)) < 0.3)
    (box,) = boxes(*(with_bar(image) for image in pair)) - {BAR}
    # its ends are those of its outermost cells at most
    assert 18 <= box.top + MARGIN <= 20 and 40 <= box.bottom - MARGIN <= 42
    assert 30 <= box.left + MARGIN <= 32 and 96 <= box.right - MARGIN <= 112


@pytest.mark.parametrize("dose", [0.003, 0.01, 0.02, 0.03, 0.05, 0.2, 1.0, 3.0])
@pytest.mark.parametrize("side", [128, 640])
def test_few_electrons_are_equal_by_chance(dose, side):
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    scene = dose * (0.2 + 8 * np.exp(-6 * np.hypot(rows, columns)))
    rng = np.random.default_rng(side)
    for _ in range(4):
        assert not boxes(*rng.poisson(scene, (2, side, side)))


def test_nothing_is_drawn_into_copies():
    one, other = images(drift=(0.0, 0.0))
    assert not boxes(one, one)
    nearly = one.copy()
    nearly[:40] = other[:40]
    assert not boxes(one, nearly)
    assert register(one, one).ok


def test_nothing_is_drawn_into_what_has_no_noise():
    rng = np.random.default_rng(0)
    scene = np.zeros((200, 200), np.uint16)
    for top, left in rng.integers(0, 180, (60, 2)):
        scene[top : top + 12, left : left + 25] = rng.integers(50, 250)
    assert not boxes(scene[:160, :160].copy(), scene[:160, 5:165].copy())


def test_a_black_surround_alone_is_not_drawn():
    pair = images()
    for image in pair:
        image[:, :50] = 0
        image[120:] = 0
    assert not boxes(*pair)


def test_images_of_other_shapes_and_types_are_not_compared():
    one, other = (with_bar(image) for image in images())
    assert boxes(one, other)
    assert not boxes(one, other[:150].copy())
    assert not boxes(one, other.astype(np.float32))


def test_frames_of_the_demo_have_no_boxes():
    scan = ChromiumScan((192, 192), scans=1)
    assert not any(boxes(scan.frame(0), scan.frame(k)) for k in range(1, 12))


def test_a_registrar_says_each_box_once_and_keeps_one_reference_beside_its_own(said):
    reference, moving = images()
    registrar = Registrar(with_bar(reference))
    for seed in (7, 7, 7):
        assert registrar(with_bar(moving, seed)).ok
    bars = [with_bar(moving), with_bar(moving)]
    bars[1][150:] = moving[150:]  # another box
    assert [registrar(bar).ok for bar in bars] == [True, True]
    assert len(registrar._sides) <= 2
    assert len(said()) == 2  # one for each box
    assert sum(registrar.looks) == 5  # of either box


def _noisy_pair(seed, dtype):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 70, 2)
    one = rng.integers(0, 4, shape).astype(dtype)
    other = np.where(rng.random(shape) < 0.02, 9, one).astype(dtype)
    return one, other, *(rng.random((2, *shape)) < 0.98)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
@pytest.mark.parametrize("seed", range(8))
def test_kernels_do_what_their_plain_twins_do(seed, dtype):
    pair = _noisy_pair(seed, dtype)
    for length, every in ((16, 1), (4, 3), (1, 2)):
        assert np.array_equal(
            drawn_kernels.same_cells_2d(*pair, length, every), plain_same_cells(*pair, length, every)
        )
    height, width = pair[0].shape
    for box in ((0, height, 0, width), (height // 3, height, width // 4, width // 2), (0, 0, 0, 0)):
        assert drawn_kernels.steps_2d(*pair, *box) == plain_steps(*pair, *box)
