from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskreg.errors import InputError
from maskreg.masks.growing import grow
from maskreg.masks.shapes import (
    ignore_above,
    ignore_below,
    ignore_disk,
    ignore_polygon,
    ignore_rect,
    parse_disk,
    parse_polygon,
    parse_rect,
)

SHAPE = (20, 30)
ROWS, COLS = np.mgrid[:20, :30]


class TestRect:
    @pytest.mark.parametrize(
        ("text", "index"),
        [
            ("2:5,7:9", np.s_[2:5, 7:9]),
            (":,3:4", np.s_[:, 3:4]),
            ("-3:,:-20", np.s_[-3:, :-20]),
            (" 18 : 99 , 0 : 1 ", np.s_[18:99, 0:1]),
        ],
    )
    def test_is_what_numpy_would_take(self, text: str, index: tuple[slice, slice]) -> None:
        expected = np.zeros(SHAPE, bool)
        expected[index] = True
        np.testing.assert_array_equal(ignore_rect(SHAPE, text), expected)
        np.testing.assert_array_equal(ignore_rect(SHAPE, parse_rect(text)), expected)

    @pytest.mark.parametrize(
        "text", ["", "1:2", "1,2", "1:2:3,4:5", "1.5:3,2:4", "a:b,c:d", "1:2,3:4,5:6", "-:3,1:2"]
    )
    def test_another_form_is_refused(self, text: str) -> None:
        with pytest.raises(InputError, match=r"ignore_rect is '.*'; its form is r0:r1,c0:c1"):
            parse_rect(text)

    @pytest.mark.parametrize("text", ["20:25,0:5", "5:5,0:9", "9:5,0:9"])
    def test_covering_nothing_is_an_error(self, text: str) -> None:
        with pytest.raises(InputError, match=rf"ignore_rect is '{text}', which covers no pixel .*\(20, 30\)"):
            ignore_rect(SHAPE, text)


class TestDisk:
    def test_is_all_centres_within_the_radius(self) -> None:
        expected = np.hypot(ROWS - 4.5, COLS - 10) <= 3
        np.testing.assert_array_equal(ignore_disk(SHAPE, "4.5,10,3"), expected)
        np.testing.assert_array_equal(ignore_disk(SHAPE, parse_disk("4.5, 10, 3")), expected)

    def test_its_rim_is_inside(self) -> None:
        assert ignore_disk(SHAPE, "10,10,5")[10, 15]
        assert ignore_disk(SHAPE, "10,10,0").sum() == 1
        assert ignore_disk(SHAPE, "10,10,1e300").all()

    def test_its_centre_may_be_outside_the_image(self) -> None:
        assert ignore_disk(SHAPE, "-2,5,3").sum() == (np.hypot(ROWS + 2, COLS - 5) <= 3).sum() > 0

    @pytest.mark.parametrize("text", ["", "1,2", "1,2,3,4", "1,2,-3", "1,2,x", "nan,2,3", "1,inf,3"])
    def test_another_form_is_refused(self, text: str) -> None:
        with pytest.raises(InputError, match=r"ignore_disk is '.*'; its form is r,c,radius"):
            parse_disk(text)

    def test_covering_nothing_is_an_error(self) -> None:
        with pytest.raises(InputError, match=r"ignore_disk is '0.5,0.5,0.2', which covers no pixel"):
            ignore_disk(SHAPE, "0.5,0.5,0.2")


class TestPolygon:
    def test_corners_on_pixels_are_inside(self) -> None:
        expected = np.zeros(SHAPE, bool)
        expected[3:9, 5:21] = True
        np.testing.assert_array_equal(ignore_polygon(SHAPE, "3,5 3,20 8,20 8,5"), expected)

    def test_a_triangle_with_its_edges(self) -> None:
        expected = (ROWS >= 2) & (COLS >= 2) & (ROWS + COLS <= 14)
        np.testing.assert_array_equal(ignore_polygon(SHAPE, "2,2 2,12 12,2"), expected)

    def test_corners_between_pixels(self) -> None:
        expected = np.zeros(SHAPE, bool)
        expected[3:9, 5:21] = True
        np.testing.assert_array_equal(ignore_polygon(SHAPE, "2.5,4.5 2.5,20.5 8.5,20.5 8.5,4.5"), expected)

    def test_parts_outside_the_image_are_cut_off(self) -> None:
        np.testing.assert_array_equal(ignore_polygon(SHAPE, "-9,-9 -9,99 99,99 99,-9"), np.ones(SHAPE, bool))

    def test_a_concave_one(self) -> None:
        area = ignore_polygon(SHAPE, "0,0 0,20 15,20 15,12 5,12 5,8 15,8 15,0")
        assert area[10, 4] and area[10, 16] and area[3, 10]
        assert not area[10, 10]

    def test_one_that_crosses_itself_has_a_hole(self) -> None:
        # a frame of two squares, walked in one go
        area = ignore_polygon(SHAPE, "0,0 0,12 12,12 12,0 0,0 3,3 3,9 9,9 9,3 3,3")
        assert area[1, 6] and area[6, 1]
        assert not area[6, 6]

    @settings(derandomize=True, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(-5, 25), st.integers(-5, 35)), min_size=3, max_size=7), st.randoms()
    )
    def test_neither_the_first_corner_nor_the_direction_matters(self, corners: list, random: object) -> None:
        start = random.randrange(len(corners))
        turned = corners[start:] + corners[:start]
        try:
            expected = ignore_polygon(SHAPE, tuple(corners))
        except InputError:
            with pytest.raises(InputError):
                ignore_polygon(SHAPE, tuple(turned))
            return
        np.testing.assert_array_equal(ignore_polygon(SHAPE, tuple(turned)), expected)
        np.testing.assert_array_equal(ignore_polygon(SHAPE, tuple(turned[::-1])), expected)

    @settings(derandomize=True, deadline=None)
    @given(st.lists(st.tuples(st.floats(0, 19), st.floats(0, 29)), min_size=3, max_size=3))
    def test_a_triangle_is_where_three_half_planes_meet(self, corners: list) -> None:
        (r0, c0), (r1, c1), (r2, c2) = corners
        sides = [
            (rb - ra) * (COLS - ca) - (cb - ca) * (ROWS - ra)
            for (ra, ca), (rb, cb) in (((r0, c0), (r1, c1)), ((r1, c1), (r2, c2)), ((r2, c2), (r0, c0)))
        ]
        inside = np.all([side > 1e-6 for side in sides], axis=0) | np.all(
            [side < -1e-6 for side in sides], axis=0
        )
        outside = np.any([side > 1e-6 for side in sides], axis=0) & np.any(
            [side < -1e-6 for side in sides], axis=0
        )
        if inside.any():
            area = ignore_polygon(SHAPE, tuple(corners))
            assert area[inside].all()
            assert not area[outside].any()

    @pytest.mark.parametrize("text", ["", "1,2 3,4", "1,2 3,4 5", "1,2 3,4 5,x", "1,2,3 4,5,6 7,8,9"])
    def test_another_form_is_refused(self, text: str) -> None:
        with pytest.raises(InputError, match=r"ignore_polygon is '.*'; its form is r,c r,c r,c"):
            parse_polygon(text)

    def test_the_text_of_the_command_line(self) -> None:
        assert parse_polygon(" 1,2  3.5,4 -5,6 ") == ((1, 2), (3.5, 4), (-5, 6))


@pytest.mark.parametrize(
    ("draw", "given", "advice"),
    [
        (ignore_rect, ((0, 9), (3, 5)), r"two slices: np\.s_"),  # once two pixels, without a word
        (ignore_rect, (0, 9), r"two slices: np\.s_"),
        (ignore_rect, (0, 9, 3, 5), r"'r0:r1,c0:c1'"),
        (ignore_disk, 5, r"\(row, column, radius\), of several a list"),
        (ignore_disk, (5, 6), r"\(row, column, radius\)"),
        (
            ignore_polygon,
            (0, 9),
            r"its corners, three or more: \(\(row, column\), \.\.\.\), of several a list",
        ),
    ],
)
def test_numbers_in_another_form_are_told(draw, given, advice) -> None:
    with pytest.raises(InputError, match=rf"{draw.__name__} is .*; give .*{advice}"):
        draw(SHAPE, given)


def test_limits_are_not_ignored_themselves() -> None:
    image = np.array([[1, 2, 3], [4, 5, 6]], "u2")
    np.testing.assert_array_equal(ignore_above(image, 4), [[0, 0, 0], [0, 1, 1]])
    for function in (ignore_above, ignore_below):
        with pytest.raises(InputError, match=f"{function.__name__} is nan"):
            function(image, float("nan"))
    np.testing.assert_array_equal(ignore_below(image, 4), [[1, 1, 1], [0, 0, 0]])


class TestGrow:
    @settings(derandomize=True, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.floats(0, 6))
    def test_ignores_what_is_near_an_ignored_pixel(self, seed: int, radius: float) -> None:
        mask = np.random.default_rng(seed).random((13, 9)) > 0.03
        ignored = np.argwhere(~mask)
        places = np.argwhere(np.ones_like(mask))
        distances = np.linalg.norm(places[:, None] - ignored[None], axis=2)
        expected = (distances > radius).all(axis=1).reshape(mask.shape)
        np.testing.assert_array_equal(grow(mask, radius), expected)

    def test_the_frame_does_not_grow_inwards(self) -> None:
        assert grow(np.ones((5, 6), bool), 3).all()
        mask = np.ones((9, 9), bool)
        mask[4, 4] = False
        assert grow(mask, 2)[0].all()

    def test_gives_a_new_array(self) -> None:
        mask = np.ones((3, 3), bool)
        grow(mask, 0)[0, 0] = False
        assert mask.all()

    @pytest.mark.parametrize("pixels", [-1, float("nan"), float("inf")])
    def test_a_radius_that_is_none_is_refused(self, pixels: float) -> None:
        with pytest.raises(InputError, match=r"grow is .*; it must be zero or more px"):
            grow(np.ones((3, 3), bool), pixels)


@pytest.mark.parametrize("disk", [(5, 5, -3), (5, 5, np.nan), (np.inf, 5, np.inf), (5, 5), None, "ab"])
def test_numbers_that_are_no_disk_are_refused_as_their_text_is(disk: object) -> None:
    """A radius of -3 px was one of 3 px."""
    with pytest.raises(InputError, match=r"ignore_disk is .*; (give|its form is)"):
        ignore_disk(SHAPE, disk)


@pytest.mark.parametrize(
    "polygon",
    [((1, 1), (5, 5)), ((1, 1), (5, np.nan), (6, 6)), ((1, 1), (5, np.inf), (9, 6)), (1, 2, 3), None],
)
def test_numbers_that_are_no_polygon_are_refused_as_their_text_is(polygon: object) -> None:
    """A corner that is NaN ignored pixels that nobody had drawn."""
    with pytest.raises(InputError, match=r"ignore_polygon is .*; give its corners, three or more"):
        ignore_polygon(SHAPE, polygon)


@pytest.mark.parametrize("value", ["2", None, [1, 2], np.nan])
def test_a_limit_or_a_radius_that_is_no_number_is_named(value: object) -> None:
    for draw in (ignore_above, ignore_below):
        with pytest.raises(InputError, match=f"{draw.__name__} is .*; no pixel is above or below it"):
            draw(ROWS, value)
    if value != "2":
        with pytest.raises(InputError, match=r"grow is .*; it must be zero or more px"):
            grow(ROWS > 3, value)
