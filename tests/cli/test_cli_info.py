from __future__ import annotations

import json
import re


def test_a_folder_of_frames(maskreg, data, scan):
    outcome = maskreg("info", data / "frames")
    assert outcome.code == 0
    *lines, memory = outcome.out.splitlines()
    assert re.fullmatch(r"memory to align them, \d+ at once: at most \d+ MB", memory)
    assert lines == [
        "6 frames of 192 x 192 px, uint16, 442 kB",
        "stored as: 6 files, the first: TIFF, 1 page, not compressed",
        f"first: {scan.names[0]}",
        f"last: {scan.names[-1]}",
    ]


def test_the_order_in_which_a_shell_lists_files_is_not_told(maskreg, data, scan):
    (data / "frames" / scan.names[0]).rename(data / "frames" / "scan_10.tif")
    files = sorted((data / "frames").iterdir())
    assert files[0].name == "scan_10.tif"
    assert "the order" not in maskreg("info", *files).err
    assert f"first: {scan.names[1]}\n" in maskreg("info", *files).out
    assert "not in that of the list: the first is scan_" in maskreg("info", *files[::-1]).err


def test_the_home_folder_is_known_behind_equal_signs_and_in_quotes(maskreg, data, monkeypatch):
    """A shell leaves ``--output=~/run`` as it is: the run went into a folder that was called ``~``."""
    monkeypatch.setenv("HOME", str(data))
    monkeypatch.chdir(data)
    assert maskreg("info", "~/frames/*.tif").out.startswith("6 frames")
    outcome = maskreg("mask", "show", "~/frames", "--valid=~/valid_mask.tif", "--output=~/look.png")
    assert outcome.out.endswith(f"picture: {data / 'look.png'}\n")
    assert not (data / "~").exists()


def test_a_reader_that_does_not_tell_how_frames_are_stored(maskreg, data, monkeypatch):
    monkeypatch.setattr("maskreg.frames.folder.FolderFrames.layout", lambda source: "")
    outcome = maskreg("info", data / "frames")
    assert outcome.code == 0
    assert "stored as" not in outcome.out


def test_frames_as_json(maskreg, data):
    facts = json.loads(maskreg("info", data / "frames", "--json").out)
    assert (facts["frames"], facts["shape"], facts["dtype"]) == (6, [192, 192], "uint16")


def test_a_run(maskreg, data):
    maskreg("align", data / "frames", "-o", data / "run", "--max-shift", "20,30")
    outcome = maskreg("info", data / "run")
    assert outcome.out.startswith("a run of 6 frames; done are 6 frames: ")
    assert "max_shift: 20.0, 30.0\n" in outcome.out
    facts = json.loads(maskreg("info", data / "run", "--json").out)
    assert facts["done"] == sum(facts["counts"].values()) == 6
    assert facts["settings"]["max_shift"] == [20.0, 30.0]


def test_what_names_tell_is_no_question_to_a_run(maskreg, data):
    maskreg("align", data / "frames", "-o", data / "run", "--no-report")
    outcome = maskreg("info", data / "run", "--pattern", "{scan:d}.tif")
    assert (outcome.code, outcome.out) == (2, "")
    assert f"are for frames; {data / 'run'} is a run, and has its columns" in outcome.err


def test_an_output_of_ones_own_is_told_without_naming_what_is_in_it(maskreg, data):
    maskreg("align", data / "frames", "-o", data / "run", "-q")
    for verb, stored in (("apply", "/frames, shape (6, 192, 192)"), ("merge", "/mean, shape (192, 192)")):
        maskreg(verb, data / "run", "-o", data / f"{verb}.h5")
        assert stored in maskreg("info", data / f"{verb}.h5").out


def test_a_run_is_told_from_the_frames_it_was_made_of(maskreg, data):
    maskreg("align", data / "frames", "-o", data / "run", "-q")
    outcome = maskreg("align", data / "run", "-o", data / "other")
    assert outcome.code == 2
    assert f"{data / 'run'} is a run folder; name the frames it was made of" in outcome.err
