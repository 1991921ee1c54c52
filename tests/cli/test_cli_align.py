from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import numpy as np
import pytest
import tifffile

from maskreg.errors import InputError
from maskreg.frames import FrameSource
from maskreg.masks import load_mask
from maskreg.options import Options
from maskreg.outputs import Record
from maskreg.series import align_run, read_run
from so_far import wait_until_done


@pytest.fixture
def flags(data):
    return ("--valid", data / "valid_mask.tif", "-o", data / "run", "--no-report")


def test_a_folder_becomes_a_run(maskreg, data, flags, scan):
    outcome = maskreg("align", data / "frames", *flags)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0] == "6 frames: 5 ok, 1 reference"
    assert lines[1].startswith("largest shift: ")
    assert lines[2] == f"table: {data / 'run' / 'shifts.csv'}"
    assert "% of the pixels are ignored" in outcome.err
    table = np.genfromtxt(
        data / "run" / "shifts.csv", delimiter=",", names=True, dtype=None, encoding="utf-8"
    )
    assert list(table["source"]) == scan.names
    shifts = np.column_stack([table["shift_row_px"], table["shift_col_px"]])
    np.testing.assert_allclose(shifts, scan.shifts, atol=0.15)


def test_a_bad_frame_is_told_and_exit_3(maskreg, data, flags, scan):
    (data / "frames" / scan.names[2]).write_bytes(b"")
    outcome = maskreg("align", data / "frames", *flags, "-q")
    assert outcome.code == 3
    assert outcome.err == ""
    assert "6 frames: 4 ok, 1 reference, 1 unreadable\n" in outcome.out
    assert f"frame 2 ({scan.names[2]}): unreadable: the frame could not be read" in outcome.out


def test_a_reference_that_no_frame_goes_with_is_told(maskreg, data, flags):
    """A dark frame came first by its name: of 41 frames 40 were weak, and nothing said why."""
    dark = np.random.default_rng(0).poisson(20, (192, 192)).astype("uint16")
    tifffile.imwrite(data / "frames" / "dark.tif", dark)
    outcome = maskreg("align", data / "frames", *flags)
    assert "1 reference, 6 weak\n" in outcome.out
    assert (
        "no frame goes with the reference, frame 0 (dark.tif): is it dark, or another scene?" in outcome.out
    )
    again = maskreg("align", data / "frames", *flags, "--overwrite", "--reference", "1")
    assert "no frame goes" not in again.out


def test_a_dark_or_a_mask_among_the_frames_is_told(maskreg, data, flags):
    """One of them was the reference: of 40 frames none was registered, and nothing said why."""
    rng = np.random.default_rng(0)
    for number in range(2):
        dark = rng.poisson(20, (192, 192)).astype("uint16")
        tifffile.imwrite(data / "frames" / f"dark_{number}.tif", dark)
    shutil.copy(data / "valid_mask.tif", data / "frames" / "a.tif")
    mask = ("--valid", data / "frames" / "a.tif", *flags[2:])
    outcome = maskreg("align", data / "frames", *mask, "--dark", data / "frames" / "dark_0.tif")
    assert "a.tif is among the frames, too; keep it elsewhere, or name" in outcome.err
    assert "dark_0.tif is among the frames, too" in outcome.err
    assert "no frame goes with the reference, frame 0 (a.tif)" in outcome.out
    darks = data / "frames" / "dark_*.tif"
    pattern = data / "frames" / "scan*.tif"
    assert "is among the frames" not in maskreg("align", pattern, *flags, "--overwrite", "--dark", darks).err
    assert "dark_*.tif is among" in maskreg("align", data / "frames", *flags, "--dark", darks).err


def test_a_mask_behind_the_frames_is_told(maskreg, data, flags):
    outcome = maskreg("align", data / "frames", data / "valid_mask.tif", *flags[2:])
    assert "valid_mask.tif holds two values and no other: is it a mask?" in outcome.err
    frames = sorted((data / "frames").iterdir())
    assert "is it a mask" not in maskreg("align", *frames, *flags, "--overwrite").err


def test_a_last_frame_without_light_is_no_mask(maskreg, data, flags, scan):
    frames = sorted((data / "frames").iterdir())
    tifffile.imwrite(frames[-1], np.zeros_like(tifffile.imread(frames[-1])))
    assert "is it a mask" not in maskreg("align", *frames, *flags).err


def test_a_slip_that_registered_nothing_is_mended_in_the_same_folder(maskreg, data, flags):
    mask, slip = load_mask(data / "valid_mask.tif"), Options(max_shift=(5, 5, 5))
    with pytest.raises(InputError, match="max_shift has 3 numbers"):
        align_run(data / "frames", data / "run", mask, options=slip)
    assert (data / "run" / "run.sqlite").is_file()
    assert maskreg("align", data / "frames", *flags, "--max-shift", "40").code == 0


def test_a_word_that_is_no_reference_is_told_what_one_is(maskreg, data, flags):
    outcome = maskreg("align", data / "frames", *flags, "--reference", "last")
    assert outcome.code == 1
    assert "it is first, mean, the index of a frame (-1: the last)" in outcome.err


def test_a_frame_of_a_file_is_no_series(maskreg, data, flags, scan):
    frame = data / "frames" / scan.names[0]
    outcome = maskreg("align", f"{frame}[0]", *flags)
    assert f"all frames of a file are meant by '{frame}'" in outcome.err


def test_the_summary_as_json(maskreg, data, flags):
    answer = json.loads(maskreg("align", data / "frames", *flags, "--json").out)
    assert answer["counts"] == {"ok": 5, "reference": 1}
    assert (answer["frames"], answer["flagged"]) == (6, 0)
    assert answer["largest_shift"]["px"] > 0


def test_a_jump_is_told_with_its_time_and_size(maskreg, tmp_path):
    rng = np.random.default_rng(4)
    scene = np.kron(rng.integers(50, 400, (40, 40)), np.ones((4, 4)))
    lines = ["file,time"]
    for number in range(16):
        at = 30 + 5 * (number >= 9)
        tifffile.imwrite(
            tmp_path / f"f{number}.tif", rng.poisson(scene[at : at + 64, 40:104]).astype(np.uint16)
        )
        lines.append(f"f{number}.tif,{7.5 * number}")
    (tmp_path / "times.csv").write_text("\n".join(lines) + "\n")
    arguments = ["align", tmp_path / "*.tif", "--metadata", tmp_path / "times.csv", "--no-report"]
    told = maskreg(*arguments, "-o", tmp_path / "run").out
    assert "jump at frame 9 (f9.tif, time 67.5): +5.00 px down, " in told
    (jump,) = json.loads(maskreg(*arguments, "-o", tmp_path / "run", "--json").out)["jumps"]
    assert (jump["frame"], jump["time"]) == (9, 67.5)
    np.testing.assert_allclose(jump["px"], [5, 0], atol=0.05)


def test_copies_of_a_frame_are_told(maskreg, tmp_path):
    rng = np.random.default_rng(4)
    scene = np.kron(rng.integers(50, 400, (20, 20)), np.ones((4, 4)))
    frames = [rng.poisson(scene).astype(np.uint16) for _ in range(4)]
    for number, frame in enumerate((0, 1, 1, 1, 2, 3, 3)):
        tifffile.imwrite(tmp_path / f"f{number}.tif", frames[frame])
    arguments = ["align", tmp_path / "*.tif", "--no-report"]
    told = maskreg(*arguments, "-o", tmp_path / "run").out
    assert "frames 2 to 3 are the same as frame 1 (f1.tif), noise and all: did the detector stick?" in told
    assert "frame 6 is the same as frame 5 (f5.tif)" in told
    found = json.loads(maskreg(*arguments, "-o", tmp_path / "run", "--json").out)["copies"]
    assert found == [{"first": 2, "last": 3, "of": 1}, {"first": 6, "last": 6, "of": 5}]


def test_the_same_command_again_changes_nothing(maskreg, data, flags):
    first = maskreg("align", data / "frames", *flags)
    table = (data / "run" / "shifts.csv").read_bytes()
    second = maskreg("align", data / "frames", *flags)
    assert second.out == first.out
    assert "frames done already: 6 of 6" in second.err
    assert (data / "run" / "shifts.csv").read_bytes() == table


@pytest.mark.parametrize("name", ["shifts.csv", "report.html"])
@pytest.mark.parametrize("verb", ["align", "watch"])
def test_what_has_the_name_of_a_table_or_a_report_and_is_no_runs_is_not_replaced(
    maskreg, data, flags, verb, name
):
    """A table of somebody else's was gone as soon as the first frame was registered."""
    (data / "run").mkdir()
    (data / "run" / name).write_text("mine")
    command = (verb, data / "frames", *flags, *(["--until-idle", "0"] if verb == "watch" else []))
    refused = maskreg(*command)
    assert (refused.code, refused.out) == (1, "")
    assert (
        f"{data / 'run' / name} exists, and is no run's; take another folder, or --overwrite" in refused.err
    )
    assert [path.name for path in (data / "run").iterdir()] == [name]
    assert (data / "run" / name).read_text() == "mine"
    if verb == "align":
        assert maskreg(*command, "--overwrite").code == 0


def test_other_settings_are_refused_unless_overwritten(maskreg, data, flags):
    maskreg("align", data / "frames", *flags)
    refused = maskreg("align", data / "frames", *flags, "--max-shift", "20,30")
    assert refused.code == 1
    assert "max_shift: none → 20.0, 30.0" in refused.err
    assert maskreg("align", data / "frames", *flags, "--max-shift", "20,30", "--overwrite").code == 0


def test_a_list_of_files_is_a_pattern_is_a_folder(maskreg, data, flags, scan):
    tables = []
    for given in (
        [data / "frames"],
        [data / "frames" / "*.tif"],
        [data / "frames" / n for n in reversed(scan.names)],
    ):
        maskreg("align", *given, *flags, "--overwrite")
        tables.append((data / "run" / "shifts.csv").read_bytes())
    assert len(set(tables)) == 1


@pytest.mark.parametrize("reference", ["-1", "2"])
def test_another_reference(maskreg, data, flags, reference):
    maskreg("align", data / "frames", *flags, "--reference", reference)
    settings, table = read_run(data / "run")
    assert settings["reference"] == table[int(reference)].source
    assert table[int(reference)].registration.status.label == "reference"


def test_a_reference_that_is_no_frame_of_the_series(maskreg, data, flags, scan):
    reference = (data / "frames" / scan.names[0]).rename(data / "reference.tif")
    outcome = maskreg("align", data / "frames", *flags, "--reference", reference)
    assert outcome.out.startswith("5 frames: 5 ok\n")


def test_a_flat_reference_says_what_to_try(maskreg, data, flags, scan):
    tifffile.imwrite(data / "frames" / scan.names[0], np.zeros((192, 192), np.uint16))
    outcome = maskreg("align", data / "frames", *flags)
    assert outcome.code == 1
    assert "--reference 1" in outcome.err


def test_thresholds_are_taken_from_the_reference(maskreg, data):
    outcome = maskreg("align", data / "frames", "-o", data / "run", "--ignore-above", "5000", "--grow", "2")
    assert "% of the pixels are ignored" in outcome.err


SLOW = """
import sys, time
from maskreg.cli import main
from maskreg.series import pipeline
register_frames = pipeline.register_frames

def slow(source, frames, register, **options):
    def register_slowly(image):
        time.sleep(0.7)
        return register(image)
    print("started", flush=True)
    return register_frames(source, frames, register_slowly, **options)

import maskreg.series.before.prepared as prepared
prepared.register_frames = slow
sys.exit(main(sys.argv[1:]))
"""


def started(command):
    """Start a slow `maskreg` as a process of its own and return it once it registers frames."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "started\n"
    return process


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kind", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_a_run_that_was_stopped_goes_on_and_ends_in_the_same_bytes(maskreg, data, flags, kind, workers):
    command = ["align", data / "frames", *flags, "--workers", workers]
    with started(command) as process:
        wait_until_done(data / "run", 1)
        process.send_signal(signal.Signals[kind])
        _, err = process.communicate(timeout=60)
    done = len(read_run(data / "run")[1])
    assert 0 < done < 6
    assert not (data / "run" / "shifts.csv").exists()
    if kind != "SIGKILL":
        assert process.returncode == 130
        assert err.endswith("maskreg: interrupted; what is done is kept, the same command goes on\n")
        assert "Traceback" not in err

    assert f"frames done already: {done} of 6" in maskreg(*command).err
    stopped = (data / "run" / "shifts.csv").read_bytes()
    maskreg(*command, "--overwrite")
    assert (data / "run" / "shifts.csv").read_bytes() == stopped


@pytest.mark.parametrize(
    "made", [None, SystemError("a result with an exception set"), RuntimeError("a class")]
)
def test_who_interrupts_before_there_is_a_run_is_told_that_nothing_was_begun(
    maskreg, data, flags, monkeypatch, made
):
    def interrupted(*_, **__):
        if made is None:
            raise KeyboardInterrupt
        raise made from KeyboardInterrupt()

    monkeypatch.setattr("maskreg.series.align_run", interrupted)
    outcome = maskreg("align", data / "frames", *flags)
    assert outcome.code == 130
    assert outcome.err.endswith("maskreg: interrupted; nothing was begun yet\n")


def test_a_record_that_cannot_be_opened_is_told_with_what_to_look_at(maskreg, data, flags):
    (data / "run" / "run.lock").mkdir(parents=True)
    outcome = maskreg("align", data / "frames", *flags, "-q")
    assert outcome.code == 1
    assert (
        "run.sqlite: unable to open database file; may you read it, and write in its folder?" in outcome.err
    )


def _without_room(**_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def in_the_way(request, data, monkeypatch):
    """Something that keeps the run folder from being written; return what is said of it."""
    run, what = data / "run", request.param
    if what == "no room":
        monkeypatch.setattr(tempfile, "TemporaryFile", _without_room)
        why = "make room and give the same command again; or take another folder"
        return f"cannot write {run}: No space left on device; {why}"
    if what == "":
        run.touch()
        return f"cannot write {run}: it is a file, no folder; take another folder"
    (run / what).mkdir(parents=True)
    return f"cannot write {run / what}: it is a folder, no file; take another folder"


@pytest.mark.parametrize("verb", ["align", "watch"])
@pytest.mark.parametrize("in_the_way", ["no room", "", "run.sqlite", "shifts.csv"], indirect=True)
def test_a_run_that_cannot_be_written_is_told_before_a_frame_is_read(
    verb, in_the_way, maskreg, data, flags, monkeypatch
):
    def read(*_):
        raise AssertionError("a frame was read")

    monkeypatch.setattr(FrameSource, "read", read)
    monkeypatch.setattr(FrameSource, "ensure_readable", read)
    outcome = maskreg(verb, data / "frames", *flags, *(["--until-idle", "0.1"] if verb == "watch" else []))
    assert outcome == (1, "", f"maskreg: error: {in_the_way}\n")


def test_a_run_in_use_is_told_before_a_frame_is_read(maskreg, data, flags, monkeypatch):
    (data / "run").mkdir()
    monkeypatch.setattr(FrameSource, "ensure_readable", None)
    with Record(data / "run" / "run.sqlite", {"by": "another process"}):
        outcome = maskreg("align", data / "frames", *flags)
    said = f"{data / 'run'} is in use by another maskreg process; wait for it or stop it"
    assert outcome == (1, "", f"maskreg: error: {said}\n")


def test_a_reason_names_its_frame_once(maskreg, data, flags, scan):
    tifffile.imwrite(data / "frames" / scan.names[1], np.zeros((9, 9), np.uint16))
    (data / "frames" / scan.names[2]).write_bytes(b"")
    out = maskreg("align", data / "frames", *flags).out
    assert out.count(scan.names[2]) == out.count(scan.names[1]) == 1
    assert "unreadable: the frame could not be read (is no readable TIFF file" in out
    assert "bad_shape: the frame has another shape than the series (shape (9, 9)" in out


def test_more_on_request(maskreg, data, flags):
    err = maskreg("align", data / "frames", *flags, "-v").err
    assert "maskreg: registered to the reference, frame 0 (" in err
    assert "maskreg: plan: (192, 192) against (192, 192): first looks at bins (8, 4, 2), search at" in err


def test_without_a_mask_it_says_so(maskreg, data):
    assert "no mask: every pixel counts" in maskreg("align", data / "frames", "-o", data / "run").err
