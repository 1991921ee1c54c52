from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest


@pytest.fixture
def run(maskreg, data):
    flags = ("--valid", data / "valid_mask.tif", "-o", data / "run", "-q")
    assert maskreg("align", data / "frames", *flags, "--no-report").code == 0
    return data / "run"


def test_align_ends_with_a_report_unless_told_not_to(maskreg, data):
    flags = ("--valid", data / "valid_mask.tif", "-o", data / "run")
    outcome = maskreg("align", data / "frames", *flags, "--no-report")
    assert "report: " not in outcome.out
    assert not (data / "run" / "report.html").exists()
    outcome = maskreg("align", data / "frames", *flags)
    assert outcome.out.splitlines()[-1] == f"report: {data / 'run' / 'report.html'}"
    page = (data / "run" / "report.html").read_text()
    assert "6 of 6 frames ok" in page
    assert f"maskreg align {data / 'frames'} --valid {data / 'valid_mask.tif'}" in page


def test_an_old_report_does_not_outlive_its_run(maskreg, data, run):
    maskreg("report", run)
    outcome = maskreg("align", data / "frames", "--overwrite", "--no-report", "-o", run)
    assert "report: " not in outcome.out
    assert not (run / "report.html").exists()


def test_a_report_that_fails_does_not_fail_the_run(maskreg, data, monkeypatch):
    monkeypatch.setitem(sys.modules, "bokeh", None)
    outcome = maskreg("align", data / "frames", "--valid", data / "valid_mask.tif", "-o", data / "run")
    assert outcome.code == 0
    assert "warning: no report: this needs bokeh" in outcome.err
    assert 'pip install "maskreg[app]"' in outcome.err


def test_a_folder_in_place_of_the_report_does_not_fail_the_run(maskreg, data):
    (data / "run" / "report.html").mkdir(parents=True)
    outcome = maskreg("align", data / "frames", "--valid", data / "valid_mask.tif", "-o", data / "run")
    assert outcome.code == 0
    assert "warning: no report: " in outcome.err


def test_a_report_that_cannot_be_written_is_told_before_a_frame_is_read(maskreg, run, data, monkeypatch):
    monkeypatch.setattr("maskreg.report.report_page", None)
    outcome = maskreg("report", run, "-o", data / "nowhere" / "report.html")
    assert outcome.code == 1
    assert outcome.err.endswith(f"there is no folder {data / 'nowhere'}\n")


def test_a_report_that_is_a_bug_is_told_in_one_short_line(maskreg, data, monkeypatch):
    page = 1000 * "p" + "\udce9"
    monkeypatch.setattr("maskreg.report.report_page", lambda story: page.encode())
    outcome = maskreg("align", data / "frames", "--valid", data / "valid_mask.tif", "-o", data / "run")
    assert outcome.code == 0
    line = next(line for line in outcome.err.splitlines() if "no report: UnicodeEncodeError: " in line)
    assert len(line) < 250


def test_a_run_in_a_folder_whose_name_is_no_text_has_a_report(maskreg, data):
    folder = data / "caf\udce9"
    try:
        (data / "frames").rename(folder)
    except OSError:
        pytest.skip("this file system takes text alone")
    outcome = maskreg("align", folder, "--valid", data / "valid_mask.tif", "-o", folder / "run", "-q")
    assert (outcome.code, outcome.err) == (0, "")
    assert r"caf\udce9/run" in (folder / "run" / "report.html").read_text("utf-8")


def test_a_report_of_one_frame_elsewhere(maskreg, run, data):
    outcome = maskreg("report", run, "--frame", "3", "-o", data / "look.html")
    assert outcome.out == f"report: {data / 'look.html'}\n"
    assert "Frame 3, " in (data / "look.html").read_text()
    assert not (run / "report.html").exists()


def test_a_report_does_not_change_the_run(maskreg, run):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    maskreg("report", run)
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    after.pop(run / "report.html")
    assert after == before


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["report"], 2, "required: RUN"),
        (["report", "nowhere"], 1, "nowhere is no run folder"),
        (["report", "{run}", "--frame", "77"], 1, "frame is 77; the run has 6 frames"),
        (["report", "{run}", "-o", "{run}/no/such/look.html"], 1, "cannot write"),
        (["report", "{run}", "-o", "look.pdf"], 2, "look.pdf: a report is written as .html, .htm"),
        (["report", "{run}", "-o", "look"], 2, "look: a report is written as .html, .htm"),
        (
            ["report", "{run}", "--merged", "m.npy"],
            1,
            "m.npy is nothing that merge writes; that ends in .zarr",
        ),
        (["report", "{run}", "--farme", "3"], 2, "did you mean --frame?"),
        (["view", "nowhere"], 1, "nowhere"),
        (["view", "{run}", "--port", "many"], 2, "'many' is no port"),
        (["view", "{run}", "--port", "99999"], 2, "'99999' is no port"),
        (["view", "{run}", "--valid", "nowhere.tif"], 1, "nowhere.tif"),
    ],
)
def test_what_cannot_be_shown_is_one_line(maskreg, run, arguments, code, says):
    outcome = maskreg(*(argument.format(run=run) for argument in arguments))
    assert outcome.code == code
    assert says in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1


def test_a_broken_record_is_one_line(maskreg, run):
    (run / "run.sqlite").write_bytes(b"no database at all" * 100)
    for verb in ("report", "view"):
        outcome = maskreg(verb, run)
        assert outcome.code == 1
        assert "run.sqlite" in outcome.err


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_the_page_ends_with_ctrl_c_and_its_port_can_be_taken_only_once(run):
    command = [sys.executable, "-m", "maskreg", "view", str(run), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline()
        port = url.split(":")[3].split("/")[0]
        second = subprocess.run([*command, "--port", port], capture_output=True, text=True, check=False)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert second.returncode == 2
    assert f"--port {port} cannot be had" in second.stderr
    assert process.returncode == 130
    assert "interrupted; the page is gone" in err
    assert "Traceback" not in err


def test_where_a_run_came_from_is_kept(run, data):
    origin = json.loads((run / "inputs" / "where.json").read_text())["origin"]
    assert origin["input"] == [str(data / "frames")]
    assert origin["command"][0] == "align"
    assert (run / "inputs" / "valid_mask.tif").is_file()
