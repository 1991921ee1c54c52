from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from maskreg.series.watch import folder as folder_module
from so_far import frames_done

QUICK = ("--settle", "0.1", "--until-idle", "0.5")


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(folder_module, "INTERVAL", 0.05)


@pytest.fixture
def flags(data):
    return ("--valid", data / "valid_mask.tif", "-o", data / "run")


def test_it_ends_when_nothing_arrives_and_says_what_align_says(maskreg, data, flags):
    outcome = maskreg("watch", data / "frames", *flags, *QUICK)
    assert outcome.code == 0
    assert outcome.out.startswith("6 frames: 5 ok, 1 reference\n")
    assert outcome.err.count("% of the pixels are ignored") == 1
    assert outcome.err.count("maskreg: frames done: ") == 1  # and not again for a minute
    table = (data / "run" / "shifts.csv").read_bytes()
    aligned = maskreg("align", data / "frames", *flags)
    assert aligned.out == outcome.out
    assert "frames done already: 6 of 6" in aligned.err
    assert (data / "run" / "shifts.csv").read_bytes() == table


def test_a_bad_frame_is_told_and_exit_3_and_json(maskreg, data, flags, scan):
    (data / "frames" / scan.names[2]).write_bytes(b"")
    outcome = maskreg("watch", data / "frames", *flags, *QUICK, "--json", "--repair")
    assert outcome.code == 3
    answer = json.loads(outcome.out)
    assert answer["counts"] == {"ok": 4, "reference": 1, "unreadable": 1}
    assert answer["jumps"] == []
    assert "repaired_sigma_col_px" in (data / "run" / "shifts.csv").read_text().splitlines()[0]


@pytest.mark.skipif(os.name != "posix", reason="the command is one of a POSIX shell")
def test_an_alarm_is_a_line_and_a_command(maskreg, data, flags, tmp_path):
    command = f'printf "%s: %s" "$MASKREG_ALARM" "$MASKREG_TEXT" > {tmp_path}/alarm'
    outcome = maskreg(
        "watch", data / "frames", *flags, *QUICK, "--alarm-after", "0.003", "--on-alarm", command
    )
    assert "maskreg: warning: alarm: no new frame for 0.003 minutes" in outcome.err
    deadline = time.monotonic() + 20
    while not (tmp_path / "alarm").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)
    assert (tmp_path / "alarm").read_text() == "silence: no new frame for 0.003 minutes"


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("kind", ["SIGINT", "SIGTERM"])
def test_it_is_ended_with_its_table(maskreg, data, flags, kind):
    command = [sys.executable, "-m", "maskreg", "watch", data / "frames", *flags, "--settle", "0.1"]
    with subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True) as process:
        while frames_done(data / "run") < 6 and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.Signals[kind])
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "maskreg: 6 frames: 5 ok, 1 reference\n" in err
    assert err.endswith("maskreg: interrupted; the table holds what is done, the same command goes on\n")
    table = (data / "run" / "shifts.csv").read_bytes()
    maskreg("align", data / "frames", *flags, "--overwrite")
    assert (data / "run" / "shifts.csv").read_bytes() == table


def test_a_watched_run_can_be_looked_at_meanwhile(maskreg, data, flags):
    maskreg("watch", data / "frames", *flags, *QUICK)
    (data / "run" / "shifts.csv").unlink()
    assert maskreg("info", data / "run").out.startswith("a run of 6 frames; done are 6 frames: 5 ok")
