"""What the README shows works: its Python runs, its commands parse, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from maskreg.cli.parser import parse
from maskreg.registration import Status
from maskreg.testing import ChromiumScan

ROOT = Path(__file__).parents[2]
REPORT_AND_VIEW = (ROOT / "docs" / "reference" / "report-and-view.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted(page.relative_to(ROOT) for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LARGEST_PICTURE = 600_000


def blocks(language, page=README):
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


COMMANDS = [
    line
    for page in (README, REPORT_AND_VIEW)
    for block in blocks("sh", page)
    for line in block.splitlines()
    if line
]


def test_the_python_blocks_run_one_after_another(tmp_path, monkeypatch, capsys):
    ChromiumScan((192, 192), scans=1, delays=(-1.0, 0.0, 1.0, 2.0, 3.0, 5.0)).write(tmp_path / "maskreg-demo")
    monkeypatch.chdir(tmp_path)
    names = {}
    assert len(blocks("python")) >= 4
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    assert names["answer"].ok
    assert names["alignment"].ok.all()
    assert capsys.readouterr().out.startswith("ok [")
    assert (tmp_path / "shifts.csv").read_text().count("\n") == 7


def test_the_python_blocks_of_the_report_page_run(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib").use("agg")
    ChromiumScan((192, 192), scans=1, delays=(-1.0, 0.0, 1.0, 2.0, 3.0, 5.0)).write(tmp_path / "maskreg-demo")
    monkeypatch.chdir(tmp_path)
    code = blocks("python", REPORT_AND_VIEW)
    assert len(code) >= 2
    for block in code:
        exec(compile(block, "report-and-view.md", "exec"), {})
    assert (tmp_path / "block_valid.tif").is_file()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_parses(command):
    program, *arguments = shlex.split(command, comments=True)
    assert program == "maskreg"
    assert callable(parse(arguments).run)


def test_the_two_commands_come_first():
    indented = re.findall(r"^    (python .*?) +#", README, re.MULTILINE)
    assert indented == [
        'python -m pip install -e ".[app]" && maskreg demo',
        'python -m pip install -e ".[test]" && python -m pytest',
    ]


@pytest.mark.parametrize("name", ["alignment.png", "report.png", "view.png"])
def test_the_picture_is_there_and_not_too_large(name):
    picture = (ROOT / "docs" / "images" / name).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < LARGEST_PICTURE


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_within_the_repository_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / page.parent / link).exists()] == []


def test_the_conventions_tell_every_status():
    page = (ROOT / "docs" / "conventions.md").read_text(encoding="utf-8")
    assert [status.label for status in Status if f"| `{status.label}` |" not in page] == []


def test_how_it_works_names_what_exists():
    page = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    named = {f"{module}.{name}" for module, name in re.findall(r"`(?!maskreg\.)(\w+)\.(\w+)`", page)}
    defined = {
        f"{file.stem}.{name}"
        for file in (ROOT / "src" / "maskreg").glob("*/*.py")
        for name in re.findall(r"^(?:def|class) (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(named) > 20
    assert named - defined - {"shifts.csv"} == set()
