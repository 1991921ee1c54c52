from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest

from maskreg.errors import InputError
from maskreg.registration import Registration, Rival, Status
from maskreg.shifts import COLUMNS, FrameRow, ShiftTable


def registration(
    shift=(1.25, -2.5), *, status=Status.OK, covariance=((4e-4, -1e-5), (-1e-5, 9e-4)), detail=""
):
    return Registration(
        shift=np.array(shift, dtype=float),
        covariance=np.array(covariance, dtype=float),
        score=0.875,
        significance=12.3456,
        overlap=0.9,
        rival=Rival((3, 4), 7.5),
        status=status,
        detail=detail,
    )


def text_of(table):
    stream = io.StringIO()
    table.to_csv(stream)
    return stream.getvalue()


def table_of(text):
    return ShiftTable.read_csv(io.StringIO(text, newline=""))


def mixed_table():
    return ShiftTable(
        [
            FrameRow.of(
                0, "a.tif", registration((0, 0), status=Status.REFERENCE), {"scan": 1, "delay": -0.5}
            ),
            FrameRow.of(1, "b.tif", registration(detail="gain 2 (odd)"), {"scan": 1}),
            FrameRow.of(2, "c.tif", Registration.failed(Status.UNREADABLE, 2, "c.tif is empty"), {}),
            FrameRow.of(3, "d.tif", Registration.failed(Status.STATIC, 2), {"delay": 2.0, "name": 'x, "y"'}),
        ]
    )


def test_the_columns_are_those_of_the_design():
    assert ",".join(column.name for column in COLUMNS) == (
        "frame,source,shift_row_px,shift_col_px,sigma_row_px,sigma_col_px,score,overlap,status,reason,"
        "significance,cov_row_col_px2"
    )


def test_the_text_of_a_table():
    table = ShiftTable([FrameRow.of(7, "a.tif", registration(), {"scan": 3, "delay": -0.5})])
    assert text_of(table) == (
        "frame,source,shift_row_px,shift_col_px,sigma_row_px,sigma_col_px,score,overlap,status,reason,"
        "significance,cov_row_col_px2,scan,delay\n"
        "7,a.tif,1.250000,-2.500000,0.020000,0.030000,0.875000,0.900000,ok,the shift is trusted,"
        "12.346,-1.000000e-05,3,-0.5\n"
    )


def test_no_answer_is_printed_as_nan():
    line = text_of(ShiftTable([FrameRow.of(0, "a", Registration.failed(Status.FLAT, 2), {})])).splitlines()[1]
    assert line.split(",")[2:8] == ["nan"] * 6


@pytest.mark.parametrize("value", [-0.0, -1e-9])
def test_there_is_no_negative_zero(value):
    table = ShiftTable(
        [FrameRow.of(0, "a", registration((value, value), covariance=np.zeros((2, 2)) * -1), {})]
    )
    assert "-0" not in text_of(table)


def test_what_was_read_and_is_written_again_has_the_same_bytes():
    text = text_of(mixed_table())
    assert text_of(table_of(text)) == text


def test_reading_gives_back_what_the_columns_hold():
    read = table_of(text_of(mixed_table()))
    assert [row.source for row in read] == ["a.tif", "b.tif", "c.tif", "d.tif"]
    assert [row.registration.status for row in read] == [row.registration.status for row in mixed_table()]
    assert read[1].registration.detail == "gain 2 (odd)"
    np.testing.assert_allclose(read[1].registration.shift, [1.25, -2.5])
    np.testing.assert_allclose(read[1].registration.covariance, [[4e-4, -1e-5], [-1e-5, 9e-4]])
    assert np.isnan(read[2].registration.shift).all()
    assert read[3].metadata == {"delay": "2.0", "name": 'x, "y"'}


@pytest.mark.parametrize(
    "name", ["a,b.tif", 'say "hi".tif', "<b>&amp;.tif", "äöü-日本\u3000語.tif", " lead.tif", "=1+1.tif"]
)
def test_odd_names_come_back_as_they_were(name):
    table = ShiftTable([FrameRow.of(0, name, registration(), {})])
    assert table_of(text_of(table))[0].source == name


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a\nb", r"a\nb"),
        ("a\r\nb", r"a\r\nb"),
        ("a\x00b", r"a\x00b"),
        ("a\udcffb", r"a\udcffb"),
        ("a\u2028b", r"a\u2028b"),
    ],
)
def test_every_frame_has_one_line_whatever_its_file_is_called(name, written):
    text = text_of(ShiftTable([FrameRow.of(0, name, registration(), {})]))
    assert len(text.encode().decode().splitlines()) == 2
    assert table_of(text)[0].source == written


def test_metadata_keep_their_order_and_gaps_are_empty():
    lines = list(csv.DictReader(io.StringIO(text_of(mixed_table()))))
    assert list(lines[0])[len(COLUMNS) :] == ["scan", "delay", "name"]
    assert [line["scan"] for line in lines] == ["1", "1", "", ""]


def test_metadata_named_like_a_column_are_told_apart():
    table = ShiftTable([FrameRow.of(0, "a", registration(), {"frame": 12})])
    assert table.to_dicts()[0]["metadata_frame"] == 12
    assert text_of(table_of(text_of(table))) == text_of(table)


def test_numpy_scalars_become_plain_values():
    row = FrameRow.of(
        0, "a", registration(), {"n": np.int16(3), "x": np.float32(0.5), "s": np.str_("t"), "z": [1]}
    )
    assert row.metadata == {"n": 3, "x": 0.5, "s": "t", "z": "[1]"}
    assert [type(value) for value in row.metadata.values()] == [int, float, str, str]


def test_dictionaries_are_ready_for_json():
    rows = mixed_table().to_dicts()
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert rows[2]["shift_row_px"] is None
    assert rows[1]["shift_row_px"] == 1.25
    assert not any(isinstance(value, float) and math.isnan(value) for row in rows for value in row.values())


def test_metadata_that_are_not_finite_are_none_in_json():
    odd = {"x": float("inf"), "y": -float("inf"), "z": float("nan")}
    (row,) = ShiftTable([FrameRow.of(0, "a", registration(), odd)]).to_dicts()
    assert [row[name] for name in odd] == [None, None, None]
    json.dumps(row, allow_nan=False)


def test_counts_by_status():
    table = mixed_table()
    assert table.counts() == {Status.REFERENCE: 1, Status.OK: 1, Status.STATIC: 1, Status.UNREADABLE: 1}
    assert table.flagged == 2
    assert repr(table) == "ShiftTable(4 frames: 1 ok, 1 reference, 1 static, 1 unreadable)"
    assert repr(ShiftTable([])) == "ShiftTable(no frames)"


def test_another_csv_is_refused():
    with pytest.raises(InputError, match="'frame' is missing"):
        table_of("x,y\n1,2\n")


def test_a_status_equals_the_label_that_stands_in_the_table():
    """``[status == "ok" for status in alignment.status]`` was False for each, without a word."""
    for status in Status:
        assert status == status.label
        assert status in {status.label}
    assert Status.OK not in ("weak", "OK", None, Status.WEAK)
    assert (np.array([Status.OK, Status.WEAK]) == "ok").tolist() == [True, False]
