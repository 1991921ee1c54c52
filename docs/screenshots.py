"""Two pictures for the README and the docs, made from the demo: the report, and the live page.

    python docs/screenshots.py [FOLDER]

FOLDER is where the demo is made (default: a temporary one). Needs ``maskreg[test]`` and Chromium.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
WIDTH, HEIGHT = 1400, 900
COLOURS = 256
"""Of the saved pictures: a third of the size, and hardly anybody sees it."""

IDLE = "window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle"


def main(folder: Path) -> None:
    """Make the demo in a folder, and both pictures."""
    maskreg = [sys.executable, "-m", "maskreg"]
    subprocess.run([*maskreg, "demo", "-o", str(folder), "--no-progress"], check=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        take_report(page, (folder / "run" / "report.html").as_uri())
        command = [*maskreg, "view", str(folder / "run"), "--no-browser"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                take_view(page, server.stdout.readline().removeprefix("page: ").strip())
            finally:
                server.terminate()
        browser.close()


def take_report(page: Page, url: str) -> None:
    """Take the first screen of the report."""
    page.goto(url)
    page.wait_for_function(IDLE)
    save(page, "report.png")


def take_view(page: Page, url: str) -> None:
    """Take the live page with a polygon that was just drawn."""
    page.goto(url)
    page.wait_for_function(IDLE)
    page.evaluate("Bokeh.documents[0].get_model_by_name('slider').value = 15")
    page.get_by_text("Frame 15", exact=True).wait_for()
    page.get_by_role("button", name="Polygon", exact=True).click()
    page.wait_for_timeout(500)
    for row, col in ((690, 640), (690, 840), (860, 900), (900, 700)):
        page.mouse.click(*on_screen(page, row, col), delay=30)
        page.wait_for_timeout(500)
    page.keyboard.press("Enter")
    page.get_by_text("Frame 15 with this mask: shift").wait_for()
    page.wait_for_function("!Bokeh.documents[0].get_model_by_name('undo').disabled")
    page.wait_for_timeout(1500)
    save(page, "view.png")


def on_screen(page: Page, row: float, col: float) -> tuple[float, float]:
    """Return where a pixel of the frame is on the screen."""
    across, down = page.evaluate(
        """([row, col]) => {
            const view = Array.from(Bokeh.index.roots).find((view) => view.model.name == 'picture');
            const corner = view.canvas_view.el.getBoundingClientRect();
            const { x_scale, y_scale } = view.frame;
            return [corner.left + x_scale.compute(col), corner.top + y_scale.compute(row)];
        }""",
        [row, col],
    )
    return across, down


def save(page: Page, name: str) -> None:
    """Save what is on the screen, in few colours."""
    path = IMAGES / name
    page.screenshot(path=path)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(COLOURS)
    small.save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary) / "maskreg-demo")
