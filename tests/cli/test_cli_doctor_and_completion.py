from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from maskreg.cli.parser import VERBS, parser_of
from maskreg.cli.verbs import doctor

LINES = [
    "numpy>=2.0",
    "scipy>=1.13",
    "absent-thing>=1.2; extra == 'app'",
    'pytest>=2; extra == "dask"',
    "numpy>=99; extra == 'plot'",
    "maskreg[app]; extra == 'test'",
]


@pytest.fixture
def needs(monkeypatch):
    """Pretend that these lines are what maskreg needs."""

    def pretend(lines):
        monkeypatch.setattr(doctor, "requires", lambda name: lines)

    return pretend


def test_doctor_tells_versions_and_the_command_that_adds_what_is_missing(maskreg, needs):
    needs(LINES)
    outcome = maskreg("doctor")
    assert outcome.code == 0
    assert "packages: numpy 2" in outcome.out
    assert "[app], the command line's main job: missing or too old are absent-thing>=1.2\n" in outcome.out
    assert '-m pip install "maskreg[app]"\n' in outcome.out
    assert "[dask], clusters: complete" in outcome.out
    assert "too old are numpy>=99" in outcome.out
    assert "cores: " in outcome.out
    assert "kernels: " in outcome.out


def test_doctor_fails_when_something_always_needed_is_missing(maskreg, needs):
    needs(["absent-thing>=3"])
    outcome = maskreg("doctor")
    assert outcome.code == 1
    assert 'pip install "absent-thing>=3"' in outcome.out
    assert json.loads(maskreg("doctor", "--json").out)["missing"] == ["absent-thing>=3"]


def test_doctor_does_not_call_complete_what_it_knows_nothing_of(maskreg, monkeypatch):
    def absent(name):
        raise doctor.PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "requires", absent)
    out = maskreg("doctor").out
    assert "packages: unknown, since maskreg is not installed" in out
    assert out.count(": unknown\n") == len(doctor.USED_BY)
    assert "complete" not in out
    assert json.loads(maskreg("doctor", "--json").out)["extras"]["app"]["missing"] is None


def test_doctor_knows_the_real_requirements(maskreg):
    facts = json.loads(maskreg("doctor", "--json").out)
    assert {"numpy", "scipy", "numba", "tifffile"} <= set(facts["packages"])
    assert set(facts["extras"]) == set(doctor.USED_BY)
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    of_developers = {"docs", "test", "bridges-test", "bench"}
    assert (
        set(facts["extras"]) == set(tomllib.loads(text)["project"]["optional-dependencies"]) - of_developers
    )
    assert facts["missing"] == []


def test_kernels_are_told_from_their_folder(maskreg, monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "none" / "yet"))
    assert "not compiled yet" in maskreg("doctor").out
    (tmp_path / "kernel.nbi").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert "1 compiled and kept" in maskreg("doctor").out


def test_kernels_are_told_from_all_folders_of_the_package(maskreg, monkeypatch, tmp_path):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr("maskreg.__file__", str(tmp_path / "__init__.py"))
    for room in ("lags", "image"):
        kept = tmp_path / "core" / room / "__pycache__"
        kept.mkdir(parents=True)
        (kept / "kernel.nbi").touch()
    assert "2 compiled and kept" in maskreg("doctor").out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_hold_every_verb_and_option_and_are_understood(maskreg, shell, tmp_path):
    outcome = maskreg("completion", shell)
    assert outcome.code == 0
    for verb in VERBS:
        assert verb in outcome.out
        for action in parser_of(verb)._actions:
            for text in action.option_strings:
                assert (text.lstrip("-") if shell == "fish" else text) in outcome.out
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "script"
    script.write_text(outcome.out)
    subprocess.run([program, "-n", str(script)], check=True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("maskreg al", ["align"]),
        ("maskreg align --max", ["--max-shift"]),
        ("maskreg completion z", ["zsh"]),
        ("maskreg align pa", []),
        ("maskreg mask s", ["show"]),
        ("maskreg nonsense -", []),
    ],
)
def test_bash_completes(maskreg, tmp_path, words, expected):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    script = tmp_path / "script"
    script.write_text(maskreg("completion", "bash").out)
    assert bash_completes(bash, script, words.split()) == expected


def test_bash_offers_what_stands_behind_a_verb_else_files(maskreg, tmp_path):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    script = tmp_path / "script"
    script.write_text(maskreg("completion", "bash").out)
    assert bash_completes(bash, script, ["maskreg", "mask", ""])[:2] == ["auto", "show"]
    assert bash_completes(bash, script, ["maskreg", "completion", ""])[:1] == ["bash"]
    assert bash_completes(bash, script, ["maskreg", "mask", "auto", ""]) == []
    assert bash_completes(bash, script, ["maskreg", "align", ""]) == []


def bash_completes(bash, script, words):
    told = " ".join(f"'{word}'" for word in words)
    code = f'. {script}; COMP_WORDS=({told}); COMP_CWORD={len(words) - 1}; _maskreg; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run([bash, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_an_unknown_shell_is_refused(maskreg):
    outcome = maskreg("completion", "tcsh")
    assert outcome.code == 2
    assert "bash" in outcome.err
