"""What is alarming, decided without a clock."""

from __future__ import annotations

import re

import numpy as np

from maskreg.registration import Registration, Status
from maskreg.series.pipeline import of_the_reference
from maskreg.series.watch.alarms import RECENT, Alarms
from maskreg.shifts import FrameRow


def rows(shifts, scores=None):
    scores = [0.9] * len(shifts) if scores is None else scores
    answers = [
        Registration(np.asarray(shift, float), 4e-4 * np.eye(2), score, 20.0, 1.0, None, Status.OK)
        for shift, score in zip(shifts, scores, strict=True)
    ]
    return [FrameRow(place, f"f{place}.tif", answer, {}) for place, answer in enumerate(answers)]


def drift(frames, jump_at=None):
    shifts = np.random.default_rng(2).normal(0, 0.02, (frames, 2))
    if jump_at is not None:
        shifts[jump_at:] += (3, -2)
    return shifts


def told(alarms, rows, batch=5):
    """Return the kinds and texts of all alarms, the rows given a few at a time."""
    return [
        alarm
        for begin in range(0, len(rows), batch)
        for alarm in alarms.rows(rows[begin : begin + batch], begin)
    ]


def test_a_quiet_night_has_no_alarm():
    assert told(Alarms(None, 0), rows(drift(400))) == []


def test_a_jump_is_told_once_and_says_where_and_how_far():
    for batch in (2, 7, 300):
        (alarm,) = told(Alarms(None, 0), rows(drift(300, jump_at=150)), batch)
        assert alarm.kind == "jump"
        assert "at f150.tif" in alarm.text
        row, col = map(float, re.findall(r"[+-][0-9.]+", alarm.text))
        assert abs(row - 3) < 0.3
        assert abs(col + 2) < 0.3


def test_a_detector_that_sticks_is_told_when_it_begins_and_not_of_a_frame_that_was_written_anew():
    series = rows(drift(40), np.random.default_rng(1).uniform(0.8, 0.9, 40))
    for place in (11, 12, 13, 30):
        answer = series[place - 1].registration
        series[place] = series[place]._replace(registration=answer)
    series.insert(20, series[19])
    alarms = told(Alarms(None, 0), series)
    assert [alarm.kind for alarm in alarms] == ["copy", "copy"]
    assert "f11.tif is the same as f10.tif" in alarms[0].text
    assert "f30.tif is the same as f29.tif" in alarms[1].text


def test_frames_that_arrive_out_of_order_are_no_jump():
    series = rows(np.arange(120)[:, None] * [0.5, 0.2] + drift(120))
    for place in range(0, 119, 2):
        series[place], series[place + 1] = series[place + 1], series[place]
    assert told(Alarms(None, 0), series, batch=10) == []


def test_a_falling_score_is_told_when_it_falls_and_again_only_after_it_was_back():
    scores = [0.9] * 50 + [0.2] * 60 + [0.9] * 50 + [0.2] * 50
    alarms = told(Alarms(None, 0), rows(drift(len(scores)), scores))
    assert [alarm.kind for alarm in alarms] == ["score", "score"]
    assert "from 0.90 to " in alarms[0].text


def test_frames_without_an_answer_are_a_fallen_score_but_a_few_are_not():
    series = [FrameRow(0, "r.tif", of_the_reference(), {}), *rows(drift(40))[1:]]
    lost = [
        FrameRow(100 + n, f"g{n}.tif", Registration.failed(Status.WEAK, 2), {}) for n in range(RECENT + 5)
    ]
    assert told(Alarms(None, 0), series + lost[:4] + series) == []
    (alarm,) = told(Alarms(None, 0), series + lost)
    assert alarm.kind == "score"


def test_silence_is_told_once_until_a_frame_comes():
    alarms = Alarms(silence=120, now=0)
    assert alarms.tick(119) == []
    assert [alarm.text for alarm in alarms.tick(120)] == ["no new frame for 2 minutes"]
    assert alarms.tick(500) == []
    alarms.rows(rows(drift(1)), now=600)
    assert alarms.tick(719) == []
    assert len(alarms.tick(720)) == 1
    assert Alarms(None, 0).tick(1e9) == []
