from __future__ import annotations

import numpy as np
import pytest

from maskreg.errors import InputError
from maskreg.masks import MaskEditor, grow
from maskreg.masks.editing import MOST_STEPS, mask_name

SHAPE = (40, 60)

STEPS = {
    "rectangle": lambda e, ignore: e.rectangle(5, 50, 12.5, 44, ignore=ignore),
    "disk": lambda e, ignore: e.disk(20, 30, 4, ignore=ignore),
    "polygon": lambda e, ignore: e.polygon([(30, 5), (30, 15), (38, 10)], ignore=ignore),
    "brush": lambda e, ignore: e.brush([(2, 2), (2, 20), (15, 20)], 1.5, ignore=ignore),
    "threshold": lambda e, ignore: e.threshold(ramp(), above=2000, ignore=ignore),
}


def ramp():
    return np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE)


@pytest.fixture
def editor():
    return MaskEditor(SHAPE)


@pytest.mark.parametrize("step", STEPS)
def test_drawing_and_erasing_the_same_area_leaves_nothing(editor, step):
    assert STEPS[step](editor, True)
    assert 0 < editor.ignored < 0.5
    assert not STEPS[step](editor, True)  # it is ignored already
    assert STEPS[step](editor, False)
    assert editor.mask.all()


@pytest.mark.parametrize("step", STEPS)
def test_undo_and_redo_are_the_masks_before_and_after(editor, step):
    editor.disk(35, 55, 3)
    before = editor.mask
    STEPS[step](editor, True)
    after = editor.mask
    assert editor.undo()
    np.testing.assert_array_equal(editor.mask, before)
    assert editor.redo()
    np.testing.assert_array_equal(editor.mask, after)
    assert not editor.redo()


def test_everything_can_be_undone_in_any_mixture_of_steps():
    rng = np.random.default_rng(8)
    editor, masks = MaskEditor(SHAPE), [np.ones(SHAPE, bool)]
    more = [lambda e, i: e.grow(2), lambda e, i: e.shrink(1), lambda e, i: e.clear()]
    actions = [*STEPS.values(), *more]
    for action in rng.integers(len(actions), size=60):
        if actions[action](editor, bool(rng.integers(2))):
            masks.append(editor.mask)
    assert len(masks) > 20
    for mask in reversed(masks[:-1]):
        assert editor.undo()
        np.testing.assert_array_equal(editor.mask, mask)
    assert not editor.undo()


def test_a_new_step_ends_what_could_be_redone(editor):
    editor.disk(20, 30, 4)
    editor.undo()
    assert editor.can_redo
    editor.disk(10, 10, 2)
    assert not editor.can_redo


def test_a_rectangle_covers_the_centres_between_its_corners_in_any_order(editor):
    expected = np.ones(SHAPE, bool)
    expected[5:13, 44:51] = False
    for corners in ((5, 44, 12.5, 50), (12.5, 50, 5, 44), (4.6, 50.4, 12.4, 43.6)):
        editor.clear()
        editor.rectangle(*corners)
        np.testing.assert_array_equal(editor.mask, expected)


def test_a_brush_covers_what_is_within_its_radius_of_the_path(editor):
    path, radius = [(10.0, 10.0), (10.0, 30.0), (25.0, 50.0)], 3.0
    editor.brush(path, radius)
    rows, cols = np.indices(SHAPE)
    fine = np.concatenate(
        [np.linspace(a, b, 400) for a, b in zip(np.array(path[:-1]), np.array(path[1:]), strict=True)]
    )
    distance = np.sqrt(((np.stack([rows, cols], -1)[:, :, None] - fine) ** 2).sum(-1).min(axis=2))
    clear = np.abs(distance - radius) > 0.01
    np.testing.assert_array_equal(~editor.mask[clear], (distance <= radius)[clear])


def test_one_click_of_the_brush_is_a_disk(editor):
    editor.brush([(20.0, 30.0)], 4)
    other = MaskEditor(SHAPE)
    other.disk(20, 30, 4)
    np.testing.assert_array_equal(editor.mask, other.mask)


@pytest.mark.parametrize(
    "step",
    [
        lambda e: e.rectangle(-30, -30, -2, -2),
        lambda e: e.disk(-50, 300, 5),
        lambda e: e.polygon([(100, 100), (100, 120), (120, 100)]),
        lambda e: e.brush([(-40.0, -40.0), (-20.0, -40.0)], 3),
        lambda e: e.threshold(ramp(), above=1e9),
    ],
)
def test_a_step_beside_the_image_is_no_step(editor, step):
    assert not step(editor)
    assert not editor.can_undo


def test_grow_is_that_of_the_command_line_and_shrink_takes_it_back(editor):
    editor.disk(20, 30, 8)
    disk = editor.mask
    editor.grow(3)
    np.testing.assert_array_equal(editor.mask, grow(disk, 3))
    editor.shrink(3)
    assert (editor.mask != disk).mean() < 0.005
    editor.shrink(20)
    assert editor.mask.all()


def test_it_starts_from_a_mask_and_leaves_that_alone():
    given = np.ones(SHAPE, bool)
    given[:10] = False
    editor = MaskEditor(SHAPE, given)
    assert editor.ignored == pytest.approx(0.25)
    editor.disk(20, 30, 4)
    editor.mask[:] = True
    assert given[10:].all()
    editor.start_from(given)
    np.testing.assert_array_equal(editor.mask, given)


def test_only_so_many_steps_are_kept(editor):
    for col in range(MOST_STEPS + 5):
        editor.disk(col % 40, (3 * col) % 60, 1 + col / 20)
    steps = 0
    while editor.undo():
        steps += 1
    assert 0 < steps <= MOST_STEPS


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda e: e.start_from(np.ones((3, 3))), r"shape \(3, 3\)"),
        (lambda e: e.threshold(np.ones((3, 3)), above=1), r"shape \(3, 3\)"),
        (lambda e: e.polygon([(1, 1), (2, 2)]), "three or more"),
        (lambda e: e.brush([(1.0, 1.0)], 0), "radius is 0"),
        (lambda e: e.grow(-1), "grow is -1"),
    ],
)
def test_what_makes_no_sense_is_said(editor, wrong, says):
    with pytest.raises(InputError, match=says):
        wrong(editor)


@pytest.mark.parametrize(
    "name", ["block", "block.tif", "block_valid", "block_valid.tif", " block_valid.tiff "]
)
def test_the_name_of_a_mask_carries_its_polarity(name):
    assert mask_name(name) == "block_valid.tif"


@pytest.mark.parametrize("name", ["", "..", "../block", "a/b", "a\\b", "/etc/block"])
def test_a_mask_stays_in_its_folder(name):
    with pytest.raises(InputError, match="plain name"):
        mask_name(name)
