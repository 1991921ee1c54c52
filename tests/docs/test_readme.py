"""What the README and the pages say of files, pictures, statuses and functions is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from maskreg.registration import Status

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted(page.relative_to(ROOT) for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LARGEST_PICTURE = 600_000


def test_the_two_commands_come_first():
    indented = re.findall(r"^    (python .*?) +#", README, re.MULTILINE)
    assert indented == [
        'python -m pip install -e ".[app]" && maskreg demo',
        'python -m pip install -e ".[test]" && python -m pytest',
    ]


def test_the_index_of_the_site_names_every_page():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = [page.relative_to(ROOT / "docs").with_suffix("") for page in ROOT.glob("docs/**/*.md")]
    listed = [
        line
        for block in re.findall(r"```{toctree}\n(.*?)```", index, re.DOTALL)
        for line in block.splitlines()
    ]
    assert [str(page) for page in pages if page.as_posix() not in [*listed, "index"]] == []


@pytest.mark.parametrize("name", ["alignment.png", "report.png", "view.png"])
def test_the_picture_is_there_and_not_too_large(name):
    picture = (ROOT / "docs" / "images" / name).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < LARGEST_PICTURE


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_within_the_repository_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / page.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["conventions.md", "reference/statuses.md"])
def test_a_page_tells_every_status(name):
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert [status.label for status in Status if f"| `{status.label}` |" not in page] == []


@pytest.mark.parametrize(
    ("name", "least"),
    [("how-it-works.md", 20), ("explanation/masked-ncc.md", 6), ("explanation/likelihood.md", 4)],
)
def test_a_page_names_functions_that_exist(name, least):
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    named = {f"{module}.{name}" for module, name in re.findall(r"`(?!maskreg\.)(\w+)\.(\w+)`", page)}
    defined = {
        f"{file.stem}.{name}"
        for file in (ROOT / "src" / "maskreg").rglob("*.py")
        for name in re.findall(r"^(?:def|class) (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(named) >= least
    assert named - defined - {"shifts.csv"} == set()
