from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskreg.registration import Registration, Status
from maskreg.report import BeforeAfter, Mean, PeakMap, SeriesData, Story, report_page, verdict
from maskreg.report.columns import flagged_columns, good_columns
from maskreg.report.html import ranges
from maskreg.report.thinning import MOST_POINTS, thinned
from maskreg.shifts import FrameRow

NASTY = "<img src=x onerror=alert(1)>&\"'"

LARGEST_FILE = 6_000_000


def rows(count, bad=(), name="f{}.tif", seed=1):
    rng = np.random.default_rng(seed)
    drift = np.cumsum(rng.normal(0, 0.1, (count, 2)), axis=0)
    for frame in range(count):
        if frame in bad:
            answer = Registration.failed(Status.WEAK, 2, NASTY)
        else:
            status = Status.OK if frame else Status.REFERENCE
            cov = np.eye(2) * (1e-4 if frame else 0)
            answer = Registration(-drift[frame] * bool(frame), cov, 0.9, 30.0, 0.97, None, status)
        yield FrameRow(frame, name.format(frame), answer, {})


def full_story(series, size=440):
    rng = np.random.default_rng(5)
    image = rng.normal(100, 10, (size, size))
    holed = np.where(np.hypot(*np.indices(image.shape) - size / 2) < 50, np.nan, image)
    return Story(
        title=f"maskreg: {NASTY}",
        total=len(series),
        series=series,
        jumps=[],
        before_after=BeforeAfter(NASTY, holed, holed + 1, holed),
        peak=PeakMap(rng.random((33, 33)), (-10, -10), np.array([3.0, 4.0])),
        mean=Mean(NASTY, holed, np.full(image.shape, 9.0)),
        masked=holed,
        unmasked=image,
        mask_text="4.1 % of the pixels are ignored",
        settings={NASTY: [NASTY, 1], "max_shift": None},
        command=f"maskreg align '{NASTY}'",
        notes=[NASTY],
    )


class Tags(HTMLParser):
    """The tags of a page outside of its scripts, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_a_long_series_is_a_small_file_that_asks_for_nothing_outside():
    series = SeriesData.of(rows(5000, bad=range(7, 5000, 50)))
    page = report_page(full_story(series))
    assert len(page.encode()) < LARGEST_FILE
    tags = Tags(page).tags
    assert [attrs for _, attrs in tags if "src" in attrs or "href" in attrs] == []
    assert "default-src 'none'" in page
    assert "connect-src" not in page


def test_the_same_run_gives_the_same_bytes():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_report_page as t;"
        "sys.stdout.write(t.report_page(t.full_story(t.SeriesData.of(t.rows(9, bad={4})), 60)))"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    pages = [subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2)]
    assert len(pages[0]) > 100_000
    assert pages[0] == pages[1]


def test_names_with_markup_are_text_everywhere():
    parsed = Tags(report_page(full_story(SeriesData.of(rows(20, bad=[3, 4], name=NASTY + "{}")))))
    assert [tag for tag, _ in parsed.tags if tag == "img"] == []
    assert f"{NASTY}3" in parsed.text
    assert f"maskreg align '{NASTY}'" in parsed.text
    assert parsed.text.count(NASTY) >= 8


def test_names_cannot_end_the_script_that_holds_them():
    page = report_page(full_story(SeriesData.of(rows(20, name="</script><b id=broken>{}"))))
    assert not [attrs for _, attrs in Tags(page).tags if attrs.get("id") == "broken"]


def test_bytes_that_are_no_text_in_the_name_of_a_folder_are_escaped():
    story = replace(
        full_story(SeriesData.of(rows(3)), 60), title="maskreg: caf\udce9", command="align caf\udce9"
    )
    page = report_page(story)
    assert page.encode()
    assert "<h1>maskreg: caf\\udce9</h1>" in page


def test_a_report_of_nothing_yet_is_a_report():
    page = report_page(Story("maskreg: new", 12, SeriesData.of([])))
    assert "0 of 12 frames done; 0 of 0 frames ok; no jumps" in page
    assert "<script" not in page


SERIES = ("Drift of the content", "Path of the drift")
QUALITY = ("Score: masked NCC", "Overlap, of the greatest", "Uncertainty (1 sigma")


@pytest.mark.parametrize(
    ("count", "bad", "shown"),
    [(3, (), SERIES + QUALITY), (3, (1, 2), SERIES), (1, (), ()), (1, (0,), SERIES)],
)
def test_a_plot_that_would_show_nothing_is_left_out(count, bad, shown):
    page = report_page(Story("maskreg: few", count, SeriesData.of(rows(count, bad=bad))))
    assert tuple(title for title in SERIES + QUALITY if title in page) == shown


def test_the_verdict_is_one_line():
    series = SeriesData.of(rows(100, bad=[5, 6]))
    drift = np.hypot(*series.shift[series.ok].T).max()
    assert (
        verdict(series, 3)
        == f"98 of 100 frames ok; drift {drift:.1f} px; median uncertainty 0.010 px; 3 jumps"
    )
    assert verdict(series, 1, 640).startswith("100 of 640 frames done; 98 of 100 frames ok; ")
    assert verdict(series, 1).endswith("; 1 jump")
    only_bad = replace(series, ok=np.zeros(100, bool))
    assert verdict(only_bad, 0) == "0 of 100 frames ok; no jumps"


def test_every_flagged_frame_and_both_sides_of_a_jump_stay():
    bad = range(11, 30_000, 13)
    series = SeriesData.of(rows(30_000, bad=bad))

    class Jump:
        frame, size = 12_346, (1.0, 2.0)

    good = good_columns(series, [Jump])
    assert list(flagged_columns(series)["frame"]) == list(bad)
    assert {12_345, 12_346} <= set(good["frame"])
    assert len(good["frame"]) < 1.1 * MOST_POINTS


def test_thinning_keeps_the_extremes_and_the_ends():
    values = np.random.default_rng(2).normal(size=(50_000, 2))
    values[::17] = np.nan
    chosen = thinned(values, np.zeros(50_000, bool))
    assert len(chosen) <= MOST_POINTS + 2
    assert (chosen[0], chosen[-1]) == (0, 49_999)
    np.testing.assert_array_equal(np.nanmin(values[chosen], axis=0), np.nanmin(values, axis=0))
    np.testing.assert_array_equal(np.nanmax(values[chosen], axis=0), np.nanmax(values, axis=0))
    assert len(thinned(values[:100], np.zeros(100, bool))) == 100


def test_time_is_the_axis_where_every_frame_has_one():
    timed = [row._replace(metadata={"time": 10.0 * row.frame}) for row in rows(5)]
    series = SeriesData.of(timed)
    assert (series.x_label, series.x[3]) == ("time", 30.0)
    timed[2] = timed[2]._replace(metadata={})
    assert SeriesData.of(timed).x_label == "frame"


@pytest.mark.parametrize("part", ["before_after", "peak", "mean", "masked"])
def test_a_part_that_is_missing_is_left_out(part):
    page = report_page(replace(full_story(SeriesData.of(rows(20))), **{part: None}))
    assert re.search(r'<p class="verdict">20 of 20 frames ok', page)


@given(st.sets(st.integers(0, 60)), st.integers(1, 6))
def test_ranges_name_every_frame_or_count_it(frames, most):
    frames = sorted(frames) or [0]
    told, _, rest = ranges(frames, most).partition(" and ")
    _, _, runs = told.partition(" ")
    named = [
        frame
        for run in runs.split(", ")
        for frame in range(int(run.partition("-")[0]), int(run.rpartition("-")[2]) + 1)
    ]
    assert named == frames[: len(named)]
    assert len(frames) - len(named) == int(rest.removesuffix(" more") or 0)
