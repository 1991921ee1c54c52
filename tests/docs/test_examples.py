"""The examples in docstrings of what ``import maskreg`` brings do what they say."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

import maskreg
from maskreg import masks

PUBLIC = {
    **{name: getattr(maskreg, name) for name in maskreg.__all__ if not name.startswith("__")},
    "build_mask": masks.build_mask,
}
EXAMPLES = [
    example
    for name, thing in PUBLIC.items()
    for example in doctest.DocTestFinder(recurse=False).find(thing, name, globs={"np": np, **vars(masks)})
    if example.examples
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_gives_what_it_shows(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example.globs[example.name] = PUBLIC[example.name]
    told: list[str] = []
    doctest.DocTestRunner().run(example, out=told.append)
    assert not "".join(told)


def test_every_public_function_has_one():
    functions = {
        "register",
        "correlate",
        "Registrar",
        "align",
        "open_run",
        "find_mask",
        "shift_image",
        "open_frames",
    }
    assert functions <= {example.name for example in EXAMPLES}
