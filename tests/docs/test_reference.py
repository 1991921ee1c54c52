"""The Python of the reference pages runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("page", ["compat.md", "bridges.md"])
def test_the_python_blocks_run_one_after_another(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (FOLDER / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert blocks
    names: dict = {}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
    if page == "compat.md":
        assert names["answer"].ok
        assert abs(names["corner_to_corner"] - names["answer"].shift).max() < 1
        assert capsys.readouterr().out.splitlines()[1].startswith("ok [")
