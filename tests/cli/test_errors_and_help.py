from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from maskreg import __version__
from maskreg.cli.messages import send_to_stderr
from maskreg.cli.parser import VERBS

COMMAND = [sys.executable, "-m", "maskreg"]


def in_a_new_process(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "say what to do: "),
        (["algin"], 2, "there is no verb 'algin'; did you mean align?; see maskreg --help"),
        (["xyz"], 2, "there is no verb 'xyz'; see maskreg --help"),
        (["pair", "a.tif"], 2, "the following arguments are required: B; see maskreg pair --help"),
        (["pair", "a", "b", "c"], 2, "one argument too many: 'c'; see maskreg pair --help"),
        (
            ["pair", "a", "b", "--valid-moving", "m"],
            2,
            "there is no option --valid-moving; did you mean --moving-valid?",
        ),
        (
            ["pair", "a", "b", "--jsno"],
            2,
            "there is no option --jsno; did you mean --json?; see maskreg pair --help",
        ),
        (
            ["align", "a", "-o", "r", "--max-shfit", "3"],
            2,
            "no option --max-shfit; did you mean --max-shift?",
        ),
        (
            ["pair", "a", "b", "-o", "c"],
            2,
            "pair writes no image: maskreg align A B -o RUN --reference A, then",
        ),
        (["pair", "a", "b", "--ignore", "-9999"], 2, "'-9999' is no file; pixels of a value are left out by"),
        (["pair", "a", "b", "--valid", "0:9,:"], 2, "'0:9,:' is no file; a rectangle is --ignore-rect"),
        (["align", "a", "-o", "r", "--ignore", "5,5,2"], 2, "'5,5,2' is no file; a disk is --ignore-disk"),
        (["apply", "r", "-o", "a.h5", "--interpolation", "linear"], 2, "did you mean --order (5, 3 or 1)"),
        (["merge", "r", "-o", "a", "--format", "h5"], 2, "the suffix of -o says it: OUT.zarr, OUT.h5"),
        (["align", "a", "-o", "r", "--mask", "m"], 2, "--valid FILE (nonzero = valid) or --ignore FILE"),
        (["pair", "a", "b", "--reference_mask", "m"], 2, "--reference-valid or --reference-ignore"),
        (["align", "a", "-o", "r", "--beamstop", "m"], 2, "--ignore-disk, --ignore-rect"),
        (["align", "a", "-o", "r", "--max_shift", "3"], 2, "did you mean --max-shift?"),
        (["align", "a", "-o", "r", "--overlap_ratio", "3"], 2, "did you mean --min-overlap?"),
        (["align", "a", "-o", "r", "--upsample_factor", "3"], 2, "to a fraction of a pixel"),
        (["align", "a", "-o", "r", "--nan"], 2, "pixels that are NaN are always ignored"),
        (["align", "a", "-o", "r", "--n-jobs", "3"], 2, "did you mean --workers?"),
        (["align", "a", "--out", "r", "-o", "r"], 2, "did you mean --output?"),
        (["align", "a", "-o", "r", "--resume"], 2, "the same command goes on where it was"),
        (["align", "a", "-o", "r", "-O", "s"], 2, "did you mean -o?"),
        (["a" * 5000], 2, "there is no verb"),
        (["align", "a", "-o", ""], 2, "-o has nothing behind it; is a shell variable not set?"),
        (["align", "", "-o", "r"], 2, "align has nothing behind it"),
        (["align", "a", "-o", "r", "--valid="], 2, "--valid= has nothing behind it"),
        (["align", "a", "-o", "r", "--workers", "9" * 5000], 2, "is too many workers, at most "),
        (["merge", "r", "-o", "m.h5", "--workers", "100000000000"], 2, "leave --workers out to use all"),
        (["align", "a", "-o", "r", "--gain", "1,5"], 2, "'1,5' is not a number"),
        (["align", "a", "-o", "r", "--skip", "3"], 2, "there is no option --skip; see"),
        (["info", "a", "--mask", "m"], 2, "there is no option --mask; see maskreg info --help"),
        (["-v", "align", "a", "-o", "r"], 2, "options go behind the verb: maskreg align -v"),
        (["register", "a", "b"], 2, "did you mean pair, for two images, or align, for a series?"),
        (["plot", "a"], 2, "did you mean view?"),
        ([__file__], 2, "-o RUN?"),
        (["align", "a", "-o", "r", "--min-overlap", "30%"], 2, "'30%' is not a number"),
        (
            ["align", "a", "-o", "r", "--max-shift", "wide"],
            2,
            "'wide' is not one number of px, or one per axis",
        ),
        (["align", "a", "-o", "r", "--max-shift", "-3"], 2, "max_shift is -3.0; it must be zero or more px"),
        (["align", "a", "-o", "r", "--max-shift", "1,2,3"], 2, "max_shift has 3 numbers (1.0, 2.0, 3.0)"),
        (
            ["align", "a", "-o", "r", "--grow", "-2"],
            2,
            "argument --grow: '-2' is not a number of px, zero or",
        ),
        (["align", "a", "-o", "r", "--grow", "2"], 2, "--grow 2 grows what a mask ignores, and there is no"),
        (["watch", ".", "-o", "r", "--grow", "2"], 2, "there is no mask: give --valid FILE"),
        (["pair", "a", "b", "--grow", "2"], 2, "there is no mask: give --valid FILE"),
        (["view", "a", "--grow", "2"], 2, "there is no mask: give --valid FILE"),
        (["align", "a", "-o", "r", "--gain", "high"], 2, "argument --gain: 'high' is not a number"),
        (["align", "a", "-o", "r", "--ignore-rect", "1:2"], 2, "its form is r0:r1,c0:c1"),
        (["align", "a", "-o", "r", "--smoothing", "much"], 2, "'much' is not auto, or a width in px"),
        (["align", "a", "-o", "r", "--workers", "0"], 2, "'0' is not a number of workers, one or more"),
        (["info", "nowhere.tif"], 1, "nowhere.tif"),
        (["wach", "a"], 2, "there is no verb 'wach'; did you mean watch?"),
        (["watch", "nowhere", "-o", "r"], 1, "nowhere: no such folder; make it first"),
        (["watch", __file__, "-o", "r"], 1, "is a file; name the folder that frames are written to"),
        (["watch", ".", "-o", "r", "--reference", "3"], 1, "reference is 3: which frame has this number"),
        (["watch", ".", "-o", "r", "--until-idle", "soon"], 2, "'soon' is not a number of seconds"),
        (["watch", ".", "-o", "r", "--alarm-after", "-1"], 2, "'-1' is not a number of minutes"),
        (["watch", ".", "-o", "r", "--on-alram", "x"], 2, "did you mean --on-alarm?"),
    ],
)
def test_an_error_is_one_line_with_what_to_try(maskreg, arguments, code, message):
    outcome = maskreg(*arguments)
    assert outcome.code == code
    assert outcome.out == ""
    assert outcome.err.startswith("maskreg: error: ")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_an_unexpected_error_is_one_line_and_a_traceback_with_debug(maskreg, monkeypatch, tmp_path):
    def broken(path):
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr("maskreg.series.is_run", broken)
    outcome = maskreg("info", tmp_path)
    assert outcome.code == 1
    assert outcome.err == (
        "maskreg: error: ZeroDivisionError: two lines (this is a bug in maskreg; --debug shows where)\n"
    )
    with pytest.raises(ZeroDivisionError):
        maskreg("info", tmp_path, "--debug")


def test_errors_of_the_system_name_the_file(maskreg, monkeypatch, tmp_path):
    def refused(path):
        raise PermissionError(13, "Permission denied", "secret.tif")

    monkeypatch.setattr("maskreg.series.is_run", refused)
    assert maskreg("info", tmp_path).err == "maskreg: error: secret.tif: Permission denied\n"


@pytest.mark.parametrize("arguments", [["--help"], *([verb, "--help"] for verb in VERBS)])
def test_help_is_for_everything(arguments, capsys):
    from maskreg.cli import main

    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: maskreg")
    assert "\033" not in out


def test_version(capsys):
    from maskreg.cli import main

    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"maskreg {__version__}\n"


def test_help_loads_nothing_heavy_and_is_quick(capsys):
    before = os.times()
    subprocess.run([*COMMAND, "--help"], capture_output=True, check=True)
    after = os.times()
    seconds = sum(after[2:4]) - sum(before[2:4])  # of child processes, user and system
    with capsys.disabled():
        print(f"\nmaskreg --help: {seconds:.3f} s of CPU", end="")
    loaded = in_a_new_process(
        "import sys; from maskreg.cli.parser import parse\n"
        "try: parse(['align', '--help'])\n"
        "except SystemExit: print(*sys.modules, file=sys.stdout)"
    )
    assert "maskreg.cli.verbs.align" in loaded
    assert not {"numpy", "scipy", "numba", "tifffile", "sqlite3", "tqdm"} & set(loaded)


def test_a_file_that_is_called_like_an_option_is_told(maskreg, data, monkeypatch):
    monkeypatch.chdir(data)
    first, second, *_ = sorted((data / "frames").iterdir())
    first.rename("-a.tif")
    for arguments in (["pair", "-a.tif", second], ["align", "frames", "-a.tif", "-o", "run"]):
        outcome = maskreg(*arguments)
        assert outcome.code == 2
        assert outcome.err.endswith("; the file -a.tif is written ./-a.tif\n")


def test_importing_maskreg_loads_neither_numba_nor_anything_optional():
    loaded = set(in_a_new_process("import sys, maskreg; print(*sys.modules)"))
    assert (
        not {"numpy", "numba", "scipy", "tqdm", "PIL", "h5py", "zarr", "bokeh", "watchdog", "distributed"}
        & loaded
    )


posix = pytest.mark.skipif(os.name != "posix", reason="streams of POSIX")


@posix
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "verb",
    [
        "info frames",
        "pair {0} {0} -q",
        "mask show {0} --valid valid_mask.tif -o x.png -q",
        "doctor",
        "completion bash",
    ],
)
def test_a_reader_that_goes_away_ends_every_verb_as_sigpipe_would_and_without_a_word(verb, unbuffered, data):
    first = min((data / "frames").iterdir())
    with subprocess.Popen(
        [*COMMAND, *verb.format(first).split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=data,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@posix
def test_a_pipe_that_breaks_elsewhere_is_an_error(monkeypatch, maskreg, data):
    def lose(*_args):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("maskreg.cli.verbs.info.run", lose)
    assert maskreg("info", data / "frames") == (1, "", "maskreg: error: Broken pipe\n")


@posix
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_are_no_reason_to_fail(closed, data):
    command = f"{sys.executable} -m maskreg info frames {closed}"
    done = subprocess.run(command, shell=True, cwd=data, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@posix
def test_an_error_that_nobody_hears_keeps_its_exit_code():
    with subprocess.Popen([*COMMAND, "algin"], stderr=subprocess.PIPE) as process:
        process.stderr.close()
    assert process.returncode == 2


def test_other_packages_are_heard_only_when_asked_for():
    before = logging.getLogger("tifffile").level
    for verbosity, heard in ((-1, False), (0, False), (1, True)):
        with send_to_stderr(verbosity):
            assert logging.getLogger("tifffile").isEnabledFor(logging.ERROR) is heard
    assert logging.getLogger("tifffile").level == before
    assert not logging.getLogger("tifffile").handlers
