"""Every block of code in the README and the documentation runs, page by page, in order, as a user runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tifffile

from maskreg.testing import ChromiumScan

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = sorted(page.relative_to(ROOT) for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
KINDS = {"python", "sh", "toml", "text"}

# `view` waits for a browser, so it is only parsed; the demo is made small; flagged frames are no failure
SHELL = """
set -eu
maskreg() {
    case "$1" in
        view) "$PYTHON" -c "import sys; from maskreg.cli.parser import parse; parse(sys.argv[1:])" "$@"
              return ;;
        demo) set -- "$@" --size 256 ;;
    esac
    "$PYTHON" -m maskreg "$@" || { local code=$?; [ "$code" = 3 ] || return "$code"; }
}
"""


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of every fenced block that is no directive."""
    found = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    return [(language, text) for language, text in found if not language.startswith("{")]


def set_the_stage(folder: Path, text: str) -> None:
    """Make what a page takes for granted: the demo, or some files of the reader's."""
    scan = ChromiumScan((192, 192), scans=2)
    of_the_reader = not re.search(r"^maskreg demo", text, re.MULTILINE)
    if "maskreg-demo/" in text and of_the_reader:
        scan.write(folder / "maskreg-demo")
    if "maskreg-demo/run" in text and of_the_reader:
        run(
            "maskreg align maskreg-demo/frames --valid maskreg-demo/valid_mask.tif -o maskreg-demo/run",
            folder,
        )
    if "A.tif" in text:
        for name, image in (("A", scan.frame(0)), ("B", scan.frame(5)), ("mask", scan.mask.astype("u1"))):
            tifffile.imwrite(folder / f"{name}.tif", image)
    if "'scan/*.tif'" in text:
        (folder / "scan").mkdir()
        for i in range(6):
            tifffile.imwrite(folder / "scan" / f"1_{scan.delay[i]}.tif", scan.frame(i))
    if "scan.h5" in text:
        import h5py

        with h5py.File(folder / "scan.h5", "w") as file:
            file["entry/data"] = np.stack([scan.frame(i) for i in range(4)])


def run(command: str, folder: Path) -> None:
    beside_python = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PYTHON": sys.executable, "MPLBACKEND": "agg", "PATH": beside_python}
    done = subprocess.run(
        ["bash", "-c", SHELL + command], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=str)
def test_the_blocks_of_a_page_run_one_after_another(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib").use("agg")
    monkeypatch.chdir(tmp_path)
    set_the_stage(tmp_path, (ROOT / page).read_text(encoding="utf-8"))
    names: dict = {"__name__": "page"}
    for language, text in blocks(page):
        if language == "python":
            exec(compile(text, str(page), "exec"), names)
        elif language == "sh":
            run(text, tmp_path)
        elif language == "toml":
            tomllib.loads(text)
    if page.name == "README.md":
        assert names["answer"].ok
        assert names["alignment"].ok.all()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_block_is_of_a_kind_that_is_run(page: Path) -> None:
    assert {language for language, _ in blocks(page)} <= KINDS


@pytest.mark.timeout(300)
def test_the_pictures_of_the_gallery_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "gallery" / "examples.py"), str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    drawn = {picture.name for picture in tmp_path.glob("*.png")}
    assert drawn == {picture.name for picture in (ROOT / "docs" / "images" / "gallery").glob("*.png")}


def test_the_gallery_shows_every_picture() -> None:
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    pictures = [picture.name for picture in (ROOT / "docs" / "images" / "gallery").glob("*.png")]
    assert len(pictures) >= 7
    assert [name for name in pictures if f"images/gallery/{name}" not in page] == []
    assert [name for name in pictures if f"gallery/{Path(name).stem}.py" not in page] == []
