"""What the browser tests share: serving a page, and looking at what is drawn on it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

NASTY = "<img src=x onerror=window.broken=1>.tif"
"""A file name that would run a script if it were ever taken for markup."""


class Visit(NamedTuple):
    """A page and what it did: texts of console errors, addresses outside of this machine."""

    page: object
    errors: list
    requests: list


def is_outside(url):
    parts = urlsplit(url)
    return parts.scheme not in ("data", "blob", "file", "about") and parts.hostname != "127.0.0.1"


@contextmanager
def serving(*arguments, cwd=None):
    """Run ``maskreg view`` as a process of its own and give the address of its page."""
    command = [sys.executable, "-m", "maskreg", "view", *map(str, arguments), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd)
    try:
        line = process.stdout.readline()
        assert line.startswith("page: "), process.stderr.read()
        yield line.removeprefix("page: ").strip()
    finally:
        process.terminate()
        _, err = process.communicate(timeout=30)
        assert "Traceback" not in err, err


_PLOTS = """() => Array.from(Bokeh.index.roots).filter((view) => view.canvas_view).map((view) => {
    const canvas = view.canvas_view.primary.canvas;
    const pixels = new Uint32Array(
        canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    return [view.model.title?.text ?? '', new Set(pixels).size];
})"""

_PLACE = """([row, col]) => {
    const view = Array.from(Bokeh.index.roots).find((view) => view.model.name == 'picture');
    const corner = view.canvas_view.el.getBoundingClientRect();
    return [corner.left + view.frame.x_scale.compute(col), corner.top + view.frame.y_scale.compute(row)];
}"""


def colours_by_plot(page):
    """Return the title of every plot on a page and how many colours are drawn on it."""
    return page.evaluate(_PLOTS)


def place_on_screen(page, row, col):
    """Return where a pixel of the frame is on the screen, across and down."""
    return page.evaluate(_PLACE, [row, col])
