"""apply, merge, mask and export as a user gives them."""

from __future__ import annotations

import json
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import tifffile

from maskreg.cli.parser import parser_of
from maskreg.cli.verbs import mask as mask_verb
from maskreg.masks import load_mask
from maskreg.series.mask import find_mask as find_mask_module


@pytest.fixture
def run(maskreg, data):
    maskreg("align", data / "frames", "--valid", data / "valid_mask.tif", "-o", data / "run", "-q")
    return data / "run"


@pytest.fixture
def part(run):
    """A run as it is left by a kill: two of six frames are not done, and there is no table."""
    with closing(sqlite3.connect(run / "run.sqlite")) as record, record:
        record.execute("DELETE FROM frames WHERE frame >= 4")
    (run / "shifts.csv").unlink()
    return run


@pytest.mark.parametrize(("verb", "done"), [("apply", "aligned"), ("merge", "merged")])
def test_what_is_made_of_a_run_that_was_stopped_says_of_how_many_and_what_goes_on(
    maskreg, part, data, verb, done
):
    outcome = maskreg(verb, part, "-o", data / "out.h5")
    assert outcome.code == 3
    assert outcome.out == f"4 of 6 frames {done}: {data / 'out.h5'}\n"
    warning = next(line for line in outcome.err.splitlines() if "warning" in line)
    assert f"{part} is not complete (4 of 6 frames done)" in warning
    going_on = warning.partition(f"this goes on, in {Path.cwd()}: maskreg ")[2]
    assert maskreg(*shlex.split(going_on)).code == 0
    outcome = maskreg(verb, part, "-o", data / "out.h5", "--overwrite")
    assert (outcome.code, outcome.out) == (0, f"6 of 6 frames {done}: {data / 'out.h5'}\n")
    assert "not complete" not in outcome.err


def test_what_only_tells_of_a_run_that_was_stopped_says_so_too(maskreg, part):
    says = f"{part} is not complete (4 of 6 frames done)"
    for verb in ("export", "report"):
        outcome = maskreg(verb, part)
        assert (outcome.code, says in outcome.err) == (0, True)
    assert says in (part / "report.html").read_text()
    assert says in maskreg("info", part).out


def test_a_command_that_started_anew_goes_on_without_doing_so(maskreg, part, data):
    maskreg("align", data / "frames", "-o", part, "--overwrite", "-q")
    (part / "shifts.csv").unlink()
    err = maskreg("export", part).err
    assert "(frames done so far: 6)" in err
    assert "--overwrite" not in err


@pytest.mark.parametrize("suffix", [".zarr", ".h5", ".tif"])
def test_apply_writes_by_suffix(maskreg, run, data, suffix):
    outcome = maskreg("apply", run, "-o", data / f"aligned{suffix}")
    assert outcome.code == 0
    assert outcome.out == f"6 of 6 frames aligned: {data / f'aligned{suffix}'}\n"
    assert "maskreg: all 6 frames are used" in outcome.err
    assert (data / f"aligned{suffix}").exists()
    again = maskreg("apply", run, "-o", data / f"aligned{suffix}")
    assert again.code == 1
    assert "exists; take another name, or --overwrite" in again.err
    assert maskreg("apply", run, "-o", data / f"aligned{suffix}", "--overwrite").code == 0


def test_whole_pixels_keep_the_counts(maskreg, run, data, scan):
    maskreg("apply", run, "-o", data / "a.tif", "--whole-pixel")
    stack, valid = tifffile.imread(data / "a.tif"), tifffile.imread(data / "a_valid.tif")
    assert stack.dtype == np.uint16
    np.testing.assert_array_equal(stack[0][valid[0] > 0], scan.frame(0)[valid[0] > 0])


def test_integers_on_request(maskreg, run, data):
    outcome = maskreg("apply", run, "-o", data / "a.tif", "--dtype", "uint16", "--fill", "9", "--json")
    assert json.loads(outcome.out) == {"frames": 6, "used": 6, "output": str(data / "a.tif")}
    stack, valid = tifffile.imread(data / "a.tif"), tifffile.imread(data / "a_valid.tif")
    assert stack.dtype == np.uint16
    assert (stack[valid == 0] == 9).all()


def test_frames_left_out_are_told_and_exit_3(maskreg, data, scan):
    (data / "frames" / scan.names[2]).write_bytes(b"")
    maskreg("align", data / "frames", "--valid", data / "valid_mask.tif", "-o", data / "run", "-q")
    outcome = maskreg("merge", data / "run", "-o", data / "m.h5")
    assert outcome.code == 3
    assert "warning: 5 of 6 frames are used; left out are 1 unreadable" in outcome.err


def test_merge_writes_its_images_and_factors(maskreg, run, data):
    assert maskreg("merge", run, "-o", data / "m.tif", "--normalise", "--halves").code == 0
    assert {path.name for path in data.glob("m_*")} == {
        "m_factors.csv",
        *(
            f"m_{name}{half}.tif"
            for name in ("mean", "count", "sem", "var")
            for half in ("", "_even", "_odd")
        ),
    }
    assert (data / "m_factors.csv").read_text().startswith("frame,source,group,factor\n0,")


def test_frames_that_moved_are_named(maskreg, run, data):
    (data / "frames").rename(data / "moved")
    outcome = maskreg("merge", run, "-o", data / "m.h5")
    assert outcome.code == 1
    assert "say where they are: --input INPUT" in outcome.err
    assert maskreg("merge", run, "-o", data / "m.h5", "--input", data / "moved").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["apply", "RUN", "-o", "x.jpg"], 2, "x.jpg: a stack of images is written as .zarr, .h5"),
        (["apply", "RUN", "-o", "x.h5", "--include", "weak"], 1, "include is 'weak'"),
        (["apply", "RUN", "-o", "x.h5", "--order", "2"], 2, "invalid choice"),
        (["apply", "RUN", "-o", "x.h5", "--dtype", "uint99"], 1, "dtype is 'uint99'; try float32"),
        (["merge", "RUN", "-o", "x.h5", "--by", "delay"], 1, "by is 'delay', which no frame"),
        (["merge", "RUN", "-o", "x.h5", "--by", "delay"], 1, "has: --pattern or --metadata (pattern=,"),
        (["apply", "RUN", "-o", "x"], 2, "x: a stack of images is written as .zarr, .h5"),
        (["merge", "nowhere", "-o", "x.h5"], 1, "nowhere is no run folder"),
        (["export", "RUN", "-o", "x.xls"], 2, "x.xls: a table is written as .csv, .json; name it so"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(maskreg, run, data, arguments, code, message, monkeypatch):
    monkeypatch.chdir(data)
    before = set(data.iterdir())
    outcome = maskreg(*(run if argument == "RUN" else argument for argument in arguments), "-q")
    assert (outcome.code, outcome.out) == (code, "")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1
    assert set(data.iterdir()) == before


def test_export_gives_the_table(maskreg, run, data):
    table = (run / "shifts.csv").read_text()
    assert maskreg("export", run).out == table
    assert maskreg("export", run, "-o", data / "t.csv").code == 0
    assert (data / "t.csv").read_text() == table
    assert maskreg("export", run, "-o", data / "t.json").code == 0
    rows = json.loads((data / "t.json").read_text())
    assert rows == json.loads(maskreg("export", run, "--json").out)
    assert rows[0]["status"] == "reference"
    outcome = maskreg("export", run, "-o", data / "u.csv", "--json")
    assert (outcome.code, (data / "u.csv").exists()) == (2, False)
    assert "in a file its suffix says so: -o TABLE.json" in outcome.err


def test_a_table_that_is_there_is_replaced_only_on_request(maskreg, run, data):
    for name in ("t.csv", "t.json"):
        (data / name).write_text("mine")
        outcome = maskreg("export", run, "-o", data / name)
        assert outcome.code == 1
        assert f"{data / name} exists; take another name, or --overwrite" in outcome.err
        assert (data / name).read_text() == "mine"
        assert maskreg("export", run, "-o", data / name, "--overwrite").code == 0
        assert (data / name).read_text() != "mine"


@pytest.mark.parametrize(
    "arguments",
    [
        ["align", "frames", "-o", "frames"],
        ["align", "frames", "-o", "frames/../frames/"],
        ["align", "frames/*", "-o", "frames/run.h5"],
        ["align", "**/*.tif", "-o", "new-run"],
        ["align", "frames/SCAN", "frames", "-o", "frames/SCAN"],
        ["watch", "frames", "-o", "frames"],
        ["apply", "RUN", "-o", "frames/aligned.h5"],
        ["merge", "RUN", "-o", "frames/merged.zarr", "--input", "frames"],
        ["mask", "auto", "frames", "-o", "frames/valid.tif"],
        ["mask", "auto", "frames/*.tif", "-o", "frames/valid.tif"],
        ["mask", "show", "frames", "--ignore-disk", "5,5,3", "-o", "frames/drawn.png"],
    ],
)
def test_nothing_is_written_where_it_would_be_a_frame_the_next_time(
    maskreg, run, data, scan, arguments, monkeypatch
):
    monkeypatch.chdir(data)
    before = set(data.rglob("*"))
    given = [run if word == "RUN" else word.replace("SCAN", scan.names[1]) for word in arguments]
    outcome = maskreg(*given, "-q")
    assert outcome.code == 2
    assert "would be among the frames (" in outcome.err
    assert "name another place with -o" in outcome.err
    assert set(data.rglob("*")) == before


def test_beside_and_below_the_frames_is_room(maskreg, run, data, scan, monkeypatch):
    monkeypatch.chdir(data / "frames")
    how = ("--valid", data / "valid_mask.tif", "--no-report")
    assert maskreg("align", ".", "-o", "run", *how).code == 0
    assert maskreg("align", "*.tif", "-o", "run-2", *how).code == 0
    assert maskreg("align", *scan.names[:3], "-o", "run-3", *how).code == 0
    assert maskreg("apply", "run-3", "-o", "aligned.h5").code == 0


def test_a_found_mask_says_valid_in_its_name(maskreg, data, monkeypatch):
    monkeypatch.chdir(data)
    mask = np.ones((192, 192), bool)
    mask[80:100, :90] = False
    found = find_mask_module.FoundMask(mask, tuple(range(6)), 4.2, ("look at it",))
    monkeypatch.setattr(find_mask_module, "find_mask", lambda *_, **__: found)
    outcome = maskreg("mask", "auto", data / "frames", "--grow", "2")
    assert outcome.code == 3  # there is something to look at
    assert "maskreg: warning: look at it" in outcome.err
    assert "mask (nonzero = valid): frames_valid.tif" in outcome.out
    written = load_mask(data / "frames_valid.tif")
    assert f"{100 * (1 - written.mean()):.1f} % of the pixels are ignored" in outcome.out
    assert written[70, 0]
    assert not written[78:102, :90].any()


@pytest.mark.parametrize(
    ("given", "proposed"),
    [
        ("scan/frames/*.tif", "frames_mask.png"),
        ("frames/", "frames_mask.png"),
        ("f*.tif", "frames_mask.png"),
        ("..", "frames_mask.png"),
        ("scan.h5::/entry/data", "data_mask.png"),
        ("stack.tif", "stack_mask.png"),
    ],
)
def test_a_name_that_is_proposed_is_one_that_a_shell_takes_as_it_is(given, proposed):
    """Of 'frames/*.tif' a mask was called '*_valid.tif'."""
    assert mask_verb._proposed(given, "mask.png").name == proposed


def test_what_one_action_of_mask_has_no_use_for_is_refused(maskreg, data):
    assert "--frame is for mask show" in maskreg("mask", "auto", data / "frames", "--frame", "5").err
    how = ("--valid", data / "valid_mask.tif", "--workers", "1")
    outcome = maskreg("mask", "show", data / "frames", *how)
    assert (outcome.code, outcome.err.count("--workers is for mask auto")) == (2, 1)
    help = " ".join(parser_of("mask").format_help().split())
    assert "what is found is compared with it, and not changed" in help


def test_how_a_mask_is_called_is_looked_at_before_it_is_looked_for(maskreg, data, monkeypatch):
    monkeypatch.setattr(find_mask_module, "find_mask", None)
    outcome = maskreg("mask", "auto", data / "frames", "-o", data / "mask.jpg")
    assert outcome.code == 2
    assert "mask.jpg: a mask is written as .tif, .tiff, .png, .npy; name it so" in outcome.err


def test_a_mask_that_cannot_be_written_is_told_before_it_is_looked_for(maskreg, data, monkeypatch):
    monkeypatch.setattr(find_mask_module, "find_mask", None)
    outcome = maskreg("mask", "auto", data / "frames", "-o", data / "nowhere" / "mask.tif")
    assert outcome.code == 1
    assert f"there is no folder {data / 'nowhere'}" in outcome.err


def test_a_mask_is_drawn(maskreg, data):
    from PIL import Image

    args = ("mask", "show", data / "frames", "--valid", data / "valid_mask.tif", "-o", data / "m.png")
    assert maskreg(*args).code == 0
    with Image.open(data / "m.png") as picture:
        assert picture.width > 1000
    assert "mask show needs a mask" in maskreg("mask", "show", data / "frames").err


def test_dark_and_flat_are_flags(maskreg, data):
    np.save(data / "dark.npy", np.full((192, 192), 10.0))
    common = ("align", data / "frames", "--valid", data / "valid_mask.tif", "-o", data / "run")
    assert maskreg(*common, "--dark", data / "dark.npy").code == 0
    assert "dark: " in maskreg(*common).err
    assert maskreg(*common, "--dark", data / "none.npy").code == 1


def test_frames_that_are_in_no_group_are_not_said_to_be_merged(maskreg, data):
    lines = [f"{path.name},{number}" for number, path in enumerate(sorted((data / "frames").iterdir())[:4])]
    (data / "log.csv").write_text("\n".join(["file,group", *lines]))
    inputs = [data / "frames", "--valid", data / "valid_mask.tif", "--metadata", data / "log.csv"]
    maskreg("align", *inputs, "-o", data / "run", "-q")
    outcome = maskreg("merge", data / "run", "-o", data / "m.h5", "--by", "group")
    assert (outcome.code, outcome.out) == (3, f"4 of 6 frames merged: {data / 'm.h5'}\n")
    assert "2 of these have no 'group', and are in no group" in outcome.err


@pytest.mark.parametrize(
    "verb",
    [
        "apply {run} -o {run}/inputs/valid_mask.tif --overwrite",
        "merge {run} -o {run}/inputs/m.h5",
        "export {run} -o {run}/inputs/where.json --overwrite",
        "mask auto {frames} -o {run}/inputs/valid_mask.tif --overwrite",
    ],
)
def test_what_a_run_keeps_of_its_frames_is_no_output(maskreg, run, data, verb):
    before = {file.name: file.read_bytes() for file in (run / "inputs").iterdir()}
    outcome = maskreg(*verb.format(run=run, frames=data / "frames").split())
    assert outcome.code == 2
    assert "is where the run keeps what it was made of; name another place with -o" in outcome.err
    assert {file.name: file.read_bytes() for file in (run / "inputs").iterdir()} == before
