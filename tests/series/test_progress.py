from __future__ import annotations

import builtins
import io
import sys

from maskreg.series.progress import with_progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def terminal(monkeypatch):
    """Replace stderr, in the test itself: pytest puts its own back after the fixtures."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_a_bar_with_rate_and_what_was_done_before(monkeypatch):
    stream = terminal(monkeypatch)
    assert list(with_progress(range(6), total=10, done=4, wanted=True)) == list(range(6))
    assert "10/10" in stream.getvalue()
    assert "frames" in stream.getvalue()


def test_no_bar_where_nobody_wants_or_sees_one(monkeypatch):
    terminal(monkeypatch)
    rows = range(3)
    assert with_progress(rows, total=3, done=0, wanted=False) is rows
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert with_progress(rows, total=3, done=0, wanted=True) is rows


def test_no_bar_without_tqdm(monkeypatch):
    terminal(monkeypatch)
    original = builtins.__import__

    def without_tqdm(name, *rest):
        if name == "tqdm":
            raise ImportError(name)
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_tqdm)
    rows = range(3)
    assert with_progress(rows, total=3, done=0, wanted=True) is rows
