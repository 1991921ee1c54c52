"""The short form of ``benchmarks/soak.py``: some hundreds of frames through both verbs."""

from __future__ import annotations

import sys

import pytest
from benchmarks.soak import soak


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_memory_and_open_files_are_constant_and_the_tables_the_same(tmp_path):
    samples, problems = soak(tmp_path, frames=300, size=48, rate=None)
    assert problems == []
    assert {verb: found[-1].frames > 200 for verb, found in samples.items()} == {"watch": True, "align": True}
