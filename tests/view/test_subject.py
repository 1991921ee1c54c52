from __future__ import annotations

import numpy as np
import pytest
import tifffile

from maskreg.errors import InputError, RunError
from maskreg.masks import load_mask
from maskreg.series import Origin, align_run
from maskreg.testing.chromium import ChromiumScan
from maskreg.view.subject import open_subject
from maskreg.view.trial import Trial


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


def test_frames_without_a_run(data):
    subject = open_subject([str(data / "frames")])
    assert subject.answer(0) is None
    assert not subject.is_excluded(0)
    with pytest.raises(RunError, match="align them first"):
        subject.exclude(1, out=True)
    assert "--reference 2 -o my-run" in subject.command_with_reference(2)


def test_it_is_read_again_only_when_something_was_written(run):
    subject = open_subject([str(run)])
    before = subject.version
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


def test_a_run_that_cannot_be_shown_says_why(run, data):
    (data / "frames").rename(data / "away")
    with pytest.raises(RunError, match="its frames cannot be found"):
        open_subject([str(run)])


def test_a_trial_tells_of_the_newest_mask_alone(data):
    frames = [tifffile.imread(path) for path in sorted((data / "frames").iterdir())]
    mask = load_mask(data / "valid_mask.tif")
    told = []
    trial = Trial(open_subject([str(data / "frames")]).options(), told.append)
    for frame in (0, 1, 2):
        trial.ask(frames[0], frames[frame], mask, frame)
    trial._thread.shutdown(wait=True)
    assert told[-1].startswith("Frame 2 with this mask: shift ")
    assert told[-1].count("±") == 2
    trial.close()
