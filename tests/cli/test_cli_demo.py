from __future__ import annotations

import re
import subprocess
import sys

import pytest


def test_the_demo_tells_how_far_off_it_is_and_what_to_try(maskreg, tmp_path):
    folder = tmp_path / "demo"
    outcome = maskreg("demo", "-o", folder, "--size", "256")
    assert outcome.code in (0, 3)
    masked, unmasked = (
        float(re.search(rf"{case}: +error rms +([\d.]+) px", outcome.out)[1])
        for case in ("with the mask", "without a mask")
    )
    assert masked < 0.1
    assert unmasked > 2 * masked
    assert (folder / "alignment.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "run" / "shifts.csv").read_text().count("\n") == 25
    command = outcome.out.splitlines()[-1].removeprefix("Try: maskreg ").split()
    assert command[0] == "align"
    command[-1] = str(tmp_path / "my-run")
    assert maskreg(*command).code == outcome.code
    assert (tmp_path / "my-run" / "shifts.csv").read_bytes() == (folder / "run" / "shifts.csv").read_bytes()


@pytest.mark.parametrize("there", ["a file", "a folder"])
def test_the_demo_never_writes_among_other_files(maskreg, tmp_path, there):
    if there == "a folder":
        (tmp_path / "demo").mkdir()
        (tmp_path / "demo" / "precious.txt").write_text("mine")
    else:
        (tmp_path / "demo").write_text("mine")
    outcome = maskreg("demo", "-o", tmp_path / "demo")
    assert outcome.code == 2
    assert "name another folder with -o" in outcome.err


def test_frames_that_somebody_has_added_to_those_of_the_demo_are_named(maskreg, tmp_path):
    """It ended in a KeyError: of such a frame no true shift is known."""
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "mine.tif").write_text("mine")
    (tmp_path / "truth_shifts.csv").write_text("")
    outcome = maskreg("demo", "-o", tmp_path, "--size", "128")
    assert outcome.code == 2
    assert f"{tmp_path / 'frames'} holds mine.tif, too" in outcome.err
    assert [path.name for path in (tmp_path / "frames").iterdir()] == ["mine.tif"]


@pytest.mark.parametrize(
    ("kilobytes", "what"), [(40, "demo: the disk is full"), (400, r"alignment\.png: File too large")]
)
def test_a_disk_without_room_is_told_with_the_place(tmp_path, kilobytes, what):
    resource = pytest.importorskip("resource")
    limits = (kilobytes * 1000, kilobytes * 1000)  # a frame has 131 kB, the picture more than 500
    done = subprocess.run(
        [sys.executable, "-m", "maskreg", "demo", "-o", tmp_path / "demo", "--size", "256", "-q"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits),
    )
    assert done.returncode == 1
    assert re.search(rf"^maskreg: error: cannot write \S*{what}; make room and ", done.stderr)
