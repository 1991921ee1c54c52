"""How quickly a long run can be looked at: its report, and the live page in headless Chromium.

    python -m benchmarks.see [--size PX] [--report N] [--view N]

The run holds simulated shifts of N single-frame TIFF files (hard links to a few frames), 1 % of them
not ok, and a jump each 1000 frames. Needs ``maskreg[test]`` and Chromium.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import describe, print_table

WRITTEN = 8
"""Frames that are written and aligned; the others are links to them, with simulated shifts."""
LOOKED_AT = 12
"""Frames that are shown on the page, far apart."""

_DRAWN = "window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle"
_SHOW = """([frame, view]) => new Promise((done) => {
    const document = Bokeh.documents[0], picture = document.get_model_by_name('picture');
    const shown = picture.renderers.find((renderer) => renderer.visible).data_source;
    const begin = performance.now();
    const changed = () => {
        shown.change.disconnect(changed);
        requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begin)));
    };
    shown.change.connect(changed);
    if (view != null) { document.get_model_by_name('views').active = view; }
    else { document.get_model_by_name('slider').value = frame; }
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=2048, metavar="PX", help="rows and columns (2048)")
    parser.add_argument("--report", type=int, default=5000, metavar="N", help="frames of the report (5000)")
    parser.add_argument("--view", type=int, default=36_000, metavar="N", help="frames of the page (36,000)")
    args = parser.parse_args()

    print(describe("maskreg", "numpy", "bokeh", "playwright"))
    with tempfile.TemporaryDirectory() as folder:
        rows = _report(_run(Path(folder) / "report", args.size, args.report))
        rows += _page(_run(Path(folder) / "view", args.size, args.view), args.view)
    print(
        f"\nframes of {args.size} x {args.size} uint16, a TIFF each; "
        f"a report of {args.report}, a page of {args.view}\n"
    )
    print_table(["what", "measured", "wanted"], rows)


def _run(folder: Path, size: int, frames: int) -> Path:
    """Make a run folder that holds rows for `frames` files."""
    import numpy as np

    from maskreg.masks import load_mask
    from maskreg.outputs import Record
    from maskreg.registration import Registration, Status
    from maskreg.series import Origin, align_run, read_run
    from maskreg.testing.chromium import ChromiumScan

    ChromiumScan((size, size), scans=1, delays=tuple(range(WRITTEN))).write(folder)
    images, run = folder / "frames", folder / "run"
    written = sorted(images.iterdir())
    origin = Origin.here([str(images)], ["align", str(images), "-o", str(run)])
    table = align_run(images, run, load_mask(folder / "valid_mask.tif"), origin=origin).table()
    names = [row.source for row in table]
    rng = np.random.default_rng(0)
    steps = rng.normal(0, 0.05, (frames, 2))
    steps[::1000] += rng.normal(0, 10, steps[::1000].shape)
    shifts = steps.cumsum(axis=0)
    settings, _ = read_run(run)
    with Record(run / "run.sqlite", settings) as record:
        for frame in range(len(names), frames):
            name = f"x_{frame:05d}.tif"
            os.link(written[frame % len(written)], images / name)
            names.append(name)
            bad = rng.random() < 0.01
            answer = Registration(
                shift=shifts[frame],
                covariance=np.eye(2) * 4e-4,
                score=float(rng.normal(0.94, 0.002)),
                significance=40.0,
                overlap=float(rng.uniform(0.96, 0.99)),
                rival=None,
                status=Status.AMBIGUOUS if bad else Status.OK,
            )
            record.write(frame, name, answer, {})
        record.number(names)
    return run


def _report(run: Path) -> list[list[str]]:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "maskreg", "report", run], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - begin
    size = (run / "report.html").stat().st_size / 1e6
    opened, _ = _browsed((run / "report.html").as_uri(), 0)
    return [
        ["report: size", f"{size:.2f} MB", "< 6 MB"],
        ["report: built, the program's start included", f"{seconds:.1f} s", "< 20 s"],
        ["report: opened and drawn by the browser", f"{opened:.2f} s", ""],
    ]


def _page(run: Path, frames: int) -> list[list[str]]:
    command = [sys.executable, "-m", "maskreg", "view", str(run), "--no-browser", "-q"]
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            url = server.stdout.readline().removeprefix("page: ").strip()
            started = time.perf_counter() - begin
            opened, taken = _browsed(url, frames)
        finally:
            server.terminate()
    rows = [
        ["page: the program says its address", f"{started:.2f} s", ""],
        ["page: first view, from the request to all drawn", f"{opened:.2f} s", "< 2 s"],
    ]
    for name, seconds in taken.items():
        seconds.sort()
        told = f"{seconds[len(seconds) // 2]:.2f} s, slowest {seconds[-1]:.2f} s"
        rows.append([f"page: another frame, {name}", told, "< 0.3 s"])
    return rows


def _browsed(url: str, frames: int) -> tuple[float, dict[str, list[float]]]:
    """Return how long a page takes to be drawn and, of a live page, to show other frames, s."""
    from playwright.sync_api import sync_playwright

    taken: dict[str, list[float]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=["--no-sandbox"]
        )
        page: Any = browser.new_page(viewport={"width": 1400, "height": 900})
        begin = time.perf_counter()
        page.goto(url)
        page.wait_for_function(_DRAWN)
        opened = time.perf_counter() - begin
        for view, name in enumerate(("as it is", "aligned", "difference before", "difference after")):
            if frames and view:
                page.evaluate(_SHOW, [0, view])
            for number in range(LOOKED_AT if frames else 0):
                frame = 1 + (7919 * (view * LOOKED_AT + number + 1)) % (frames - 1)
                taken.setdefault(name, []).append(page.evaluate(_SHOW, [frame, None]) / 1e3)
        browser.close()
    return opened, taken


if __name__ == "__main__":
    main()
