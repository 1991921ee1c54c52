"""Images with names and coordinates of their axes: what these say is not lost in silence."""

from __future__ import annotations

import re

import numpy as np
import pytest

from maskreg import Registrar, align, register, shift_image
from maskreg.errors import InputTypeError
from maskreg.frames import as_source

xarray = pytest.importorskip("xarray", reason="xarray is not installed")

IMAGE = np.random.default_rng(1).poisson(20.0, (24, 30)).astype(np.uint16)


def scene(east=0.0, step=10.0, image=IMAGE, dims=("y", "x")):
    rows, cols = image.shape
    places = {dims[0]: 50.0 - 10 * np.arange(rows), dims[1]: east + step * np.arange(cols)}
    return xarray.DataArray(image, dims=dims, coords=places)


@pytest.mark.parametrize(
    ("moving", "told"),
    [
        (
            scene(step=20),
            "a pixel of moving is 20 along x, one of reference 10: bring both to one size first",
        ),
        (scene(step=-10), "a pixel of moving is -10 along x"),
        (scene(east=130), "moving begins at x = 130, reference at 0: the shift is that of their pixels"),
        (scene().T, r"moving has the axes x, y, reference has y, x, .* try moving\.transpose\('y', 'x'\)"),
    ],
    ids=["another size", "the other way", "another corner", "another order"],
)
def test_labels_that_do_not_agree_are_told_once(moving, told, caplog):
    register(scene(), moving)
    (message,) = caplog.messages
    assert re.match(told, message)


def test_a_mask_whose_axes_come_in_another_order_is_told(caplog, tmp_path):
    """Of square images it was taken as it is, turned, without a word."""
    image = scene(image=IMAGE[:, :24])
    mask = image > 0
    told = "mask has the axes x, y, {0} has y, x, and axes go by their order: try mask.transpose('y', 'x')"
    register(image, image, mask.T, mask)
    assert caplog.messages == [
        "reference_mask has the axes x, y, reference has y, x, and axes go by their order: "
        "try reference_mask.transpose('y', 'x')"
    ]
    series = xarray.concat([image, image], "frame")
    calls = {
        "image": lambda given: shift_image(image, (1, 1), given),
        "frames": lambda given: align(series, given),
    }
    for whose, call in calls.items():
        caplog.clear()
        call(mask.T)
        assert told.format(whose) in caplog.messages
        caplog.clear()
        call(mask)
        assert not any("has the axes" in message for message in caplog.messages)


@pytest.mark.parametrize(
    "moving",
    [
        scene(east=0.05, step=10.001),
        scene(image=IMAGE[2:, 3:]),
        scene(dims=("row", "column")),
        scene().drop_vars("x"),
        scene().assign_coords(x=[f"c{k}" for k in range(30)]),
        IMAGE,
    ],
    ids=["rounding", "smaller", "other names", "no coordinate", "text", "no labels"],
)
def test_labels_that_agree_are_not_spoken_of(moving, caplog):
    register(scene(), moving)
    register(moving, scene())
    assert caplog.messages == []


def test_a_series_whose_first_axis_is_one_of_the_image_is_told(caplog):
    series = xarray.DataArray(np.stack([IMAGE] * 3), dims=("time", "y", "x"))
    as_source(series)
    assert caplog.messages == []
    as_source(series.transpose("y", "x", "time"))
    assert caplog.messages == [
        "frames has the axes y, x, time, and the first is taken for that of the frames: "
        "try frames.transpose('time', ...)"
    ]


def test_a_dataset_is_told_to_name_one_of_its_arrays():
    data = xarray.Dataset({"B4": scene().expand_dims("time")})
    with pytest.raises(InputTypeError, match=r"frames is a Dataset; .* such as frames\['B4'\]"):
        align(data)


def test_a_subclass_of_arrays_is_an_image_like_another():
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.matrix(IMAGE / 3.0)
    assert Registrar(matrix)(matrix).status is register(IMAGE / 3.0, IMAGE / 3.0).status
