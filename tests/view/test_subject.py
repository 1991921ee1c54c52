from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import tifffile

from maskreg.errors import InputError, RunError
from maskreg.masks import load_mask
from maskreg.options import Options
from maskreg.series import Origin, align_run
from maskreg.shifts import ShiftTable
from maskreg.testing.chromium import ChromiumScan
from maskreg.view.background import Background
from maskreg.view.picture import Picture
from maskreg.view.subject import State, open_subject
from maskreg.view.trial import told, tried


@pytest.fixture
def data(tmp_path):
    ChromiumScan((128, 128), scans=1, delays=(0.0, 1.0, 2.0)).write(tmp_path)
    return tmp_path


@pytest.fixture
def run(data):
    mask = load_mask(data / "valid_mask.tif")
    origin = Origin.here([str(data / "frames")], ["align", "frames", "-o", "run"])
    align_run(data / "frames", data / "run", mask, origin=origin)
    return data / "run"


def test_a_run_brings_its_frames_mask_reference_and_options(run, data):
    subject = open_subject([str(run)])
    np.testing.assert_array_equal(subject.mask, load_mask(data / "valid_mask.tif"))
    np.testing.assert_array_equal(subject.reference, subject.source.read(0))
    assert len(subject.series) == 3
    assert subject.options().max_shift is None


def test_a_picture_goes_with_its_name_when_frames_are_numbered_anew(run, data):
    subject = open_subject([str(run)])
    picture = Picture(subject, lambda frame: None, lambda call: None)
    picture.show(1)
    state = State.of(run)
    rows = [row._replace(frame=place) for place, row in enumerate(state.table[k] for k in (0, 2, 1))]
    subject.take(replace(state, table=ShiftTable(rows)))
    picture.renew()
    assert rows[1].source in picture.about.text
    np.testing.assert_array_equal(picture.image, tifffile.imread(data / "frames" / rows[1].source))


def test_frames_without_a_run(data):
    subject = open_subject([str(data / "frames")])
    assert subject.answer(0) is None
    assert not subject.is_excluded(0)
    with pytest.raises(RunError, match="align them first"):
        subject.exclude(1, out=True)
    assert "--reference 2 -o my-run" in subject.command_with_reference(2)


def test_where_the_frames_of_a_run_are_is_no_question_without_a_run(data):
    with pytest.raises(
        InputError, match=r"--input says where the frames of a run are, and .*frames is no run"
    ):
        open_subject([str(data / "frames")], ["elsewhere"])


def test_it_is_read_again_only_when_something_was_written(run):
    subject = open_subject([str(run)])
    before = subject.version
    assert not subject.is_stale()
    subject.refresh()
    assert subject.version == before
    subject.exclude(1, out=True)
    assert subject.version == before + 1
    assert subject.answer(1).status.label == "excluded"
    subject.exclude(1, out=False)
    assert subject.answer(1).ok


def test_a_mask_is_saved_beside_the_record_under_a_plain_name(run):
    subject = open_subject([str(run)])
    mask = np.ones((128, 128), bool)
    mask[:5] = False
    path = subject.save("block", mask)
    assert path == run / "block_valid.tif"
    np.testing.assert_array_equal(load_mask(path), mask)
    assert path in subject.mask_files()
    assert subject.command_with(path) == f"maskreg align frames -o run --valid {path} --overwrite"
    with pytest.raises(InputError, match="plain name"):
        subject.save("../block", mask)


def test_a_mask_of_another_day_is_replaced_only_when_asked_twice(run):
    mask = np.ones((128, 128), bool)
    before = open_subject([str(run)]).save("kept", mask)
    mask[:5] = False
    subject = open_subject([str(run)])
    with pytest.raises(InputError, match=r"kept_valid\.tif exists; take another name, or save once more"):
        subject.save("kept", mask)
    assert load_mask(before).all()
    subject.save("kept", mask)
    mask[:9] = False
    subject.save("kept", mask)  # its own
    np.testing.assert_array_equal(load_mask(before), mask)


def test_a_mask_is_not_saved_among_the_frames(data, monkeypatch):
    monkeypatch.chdir(data / "frames")
    with pytest.raises(InputError, match=r"block_valid\.tif would be among the frames; start the page from"):
        open_subject(["."]).save("block", np.ones((128, 128), bool))
    assert len(list((data / "frames").iterdir())) == 3


def test_a_run_that_cannot_be_shown_says_why(run, data):
    (data / "frames").rename(data / "away")
    with pytest.raises(RunError, match="its frames cannot be found"):
        open_subject([str(run)])


def test_a_trial_tells_shift_and_uncertainty(data):
    frames = [tifffile.imread(path) for path in sorted((data / "frames").iterdir())]
    text = told(tried(frames[0], frames[2], load_mask(data / "valid_mask.tif"), Options()))
    assert text.startswith("shift ")
    assert text.count("±") == 2
    assert told(tried(frames[0], np.ones_like(frames[0]), None, Options())).startswith("flat: ")


def test_of_many_wishes_the_newest_is_done_and_an_error_is_a_result():
    begun, go_on, results = threading.Event(), threading.Event(), []
    background = Background(lambda call: call())

    def slow():
        begun.set()
        go_on.wait(60)
        return "overtaken"

    def impossible():
        raise InputError("too few frames")

    background.ask(slow, results.append)
    begun.wait(60)
    background.ask(lambda: "overtaken too", results.append)
    background.ask(impossible, results.append)
    go_on.set()
    background._thread.shutdown(wait=True)
    assert list(map(str, results)) == ["too few frames"]


def test_what_was_asked_for_before_the_page_is_gone_is_not_delivered():
    go_on, results = threading.Event(), []
    background = Background(lambda call: call())
    background.ask(lambda: go_on.wait(60), results.append)
    background.close()
    go_on.set()
    background._thread.shutdown(wait=True)
    assert results == []
