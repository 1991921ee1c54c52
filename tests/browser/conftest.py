"""A real browser, headless; tests that need one skip with the reason where none can be had.

Playwright drives the system's Chromium: it waits for what it is asked for, looks into the shadow
trees in which bokeh draws, sees console and requests, and its wheel brings its own driver, so that
nothing but the Debian package has to be installed.
"""

from __future__ import annotations

import os
import shutil

import pytest
from browsing import NASTY, Visit, is_outside

from maskreg.cli import main
from maskreg.testing.chromium import ChromiumScan

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser():
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(
            f"no browser: none of {', '.join(BROWSERS)} is installed (Debian: apt-get install chromium)"
        )
    playwright = pytest.importorskip("playwright.sync_api", reason="no browser: playwright is not installed")
    with playwright.sync_playwright() as running:
        # as root, as in containers, Chromium has no sandbox
        arguments = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        chromium = running.chromium.launch(executable_path=path, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser):
    """Open an address at a size and in a scheme, and watch what the page does."""
    opened = []

    def go(url, width=1400, height=900, scheme="light"):
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.set_default_timeout(30_000)
        seen = Visit(page, [], [])
        opened.append(page)
        page.on("console", lambda m: m.type == "error" and seen.errors.append(m.text))
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.on("request", lambda request: is_outside(request.url) and seen.requests.append(request.url))
        page.goto(url)
        page.wait_for_function("window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle")
        return seen

    yield go
    for page in opened:
        page.close()


@pytest.fixture(scope="session")
def scan_folder(tmp_path_factory):
    """A small scan, one of its names with markup, one frame unreadable, and its mask."""
    folder = tmp_path_factory.mktemp("scan")
    scan = ChromiumScan((256, 256), scans=2, delays=(0.0, 1.0, 2.0))
    scan.write(folder)
    names = sorted((folder / "frames").iterdir())
    names[1].rename(folder / "frames" / f"a {NASTY}")
    names[2].write_bytes(b"no image")
    (folder / "frames" / f"b {NASTY}").write_bytes(b"no image either")
    return folder


@pytest.fixture(scope="session")
def run_folder(scan_folder):
    """The scan, aligned by the command line, with its report."""
    run = scan_folder / "run"
    flags = ["--valid", str(scan_folder / "valid_mask.tif"), "--reference", "-1", "-q"]
    assert main(["align", str(scan_folder / "frames"), "-o", str(run), *flags]) == 3
    return run
