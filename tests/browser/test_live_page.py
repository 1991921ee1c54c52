from __future__ import annotations

import http.client
import threading
import time
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import numpy as np
import pytest
from browsing import NASTY, colours_by_plot, is_outside, place_on_screen, serving

from maskreg.cli import main
from maskreg.frames import FrameSource, open_frames
from maskreg.masks import load_mask
from maskreg.series import Origin, align_run, read_run
from maskreg.series.mask.find_mask import find_mask
from maskreg.series.watch import watch_run
from maskreg.testing.chromium import ChromiumScan
from so_far import wait_until_done


@pytest.fixture(scope="module")
def address(run_folder):
    with serving(run_folder) as url:
        yield url


@pytest.fixture
def seen(visit, address, run_folder):
    """The page, with nothing left out."""
    (run_folder / "excluded.txt").unlink(missing_ok=True)
    return visit(address)


@pytest.mark.parametrize("width", [1400, 390])
def test_the_page_opens_without_an_error_or_a_request_elsewhere(visit, address, width):
    page, errors, requests = visit(address, width, 844)
    plots = colours_by_plot(page)
    assert len(plots) == 6
    assert [title for title, colours in plots if colours < 20] == []
    assert (errors, requests) == ([], [])
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_without_the_token_nothing_is_shown(address):
    parts = urlsplit(address)
    for path in ("/", "/autoload.js?bokeh-autoload-element=x", "/?bokeh-session-id=guess", "/ws"):
        with closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)) as connection:
            connection.request("GET", path)
            assert connection.getresponse().status in (400, 403), path
    assert parts.hostname == "127.0.0.1"
    assert not is_outside(address)


def test_the_slider_moves_the_frame(seen):
    page, errors, _ = seen
    page.locator(".noUi-handle").first.focus()
    before = page.locator("text=/^Frame \\d+$/").first.inner_text()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("Bokeh.documents[0].get_model_by_name('slider').value == 1")
    page.get_by_text("Frame 1", exact=True).wait_for()
    assert before == "Frame 0"
    assert errors == []


def test_markup_in_names_is_shown_as_text(seen):
    page, errors, _ = seen
    page.locator("#flagged").get_by_text(f"b {NASTY}").wait_for()
    for frame in range(7):
        page.evaluate(f"Bokeh.documents[0].get_model_by_name('slider').value = {frame}")
        page.get_by_text(f"Frame {frame}", exact=True).wait_for()
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("window.broken") is None
    assert errors == []


def test_a_point_of_the_drift_shows_its_frame(seen):
    page = seen.page
    page.evaluate(
        """() => {
            const source = Bokeh.documents[0].get_model_by_name('good');
            source.selected.indices = [Array.from(source.get_column('frame')).indexOf(4)];
        }"""
    )
    page.get_by_text("Frame 4", exact=True).wait_for()


def test_a_frame_that_is_left_out_is_excluded_in_the_table(seen, run_folder):
    page = seen.page
    page.evaluate("Bokeh.documents[0].get_model_by_name('slider').value = 4")
    page.get_by_text("Frame 4", exact=True).wait_for()
    page.get_by_role("button", name="Leave it out").click()
    page.get_by_role("button", name="Take it back").wait_for()
    assert read_run(run_folder)[1][4].registration.status.label == "excluded"
    assert ",excluded,left out by the user," in (run_folder / "shifts.csv").read_text()
    page.get_by_role("button", name="Take it back").click()
    page.get_by_role("button", name="Leave it out").wait_for()
    assert read_run(run_folder)[1][4].registration.status.label == "ok"


def test_the_command_for_another_reference(seen):
    page = seen.page
    page.evaluate("Bokeh.documents[0].get_model_by_name('slider').value = 4")
    page.get_by_text("Frame 4", exact=True).wait_for()
    page.get_by_role("button", name="As reference").click()
    page.get_by_text("--reference 4 --overwrite").wait_for()


def test_a_frame_that_cannot_be_read_is_no_reference(seen, run_folder):
    page = seen.page
    unread = next(
        row.frame for row in read_run(run_folder)[1] if row.registration.status.label == "unreadable"
    )
    page.evaluate(f"Bokeh.documents[0].get_model_by_name('slider').value = {unread}")
    page.get_by_text(f"Frame {unread}", exact=True).wait_for()
    page.wait_for_function("Bokeh.documents[0].get_model_by_name('as_reference').disabled")
    about = page.locator("b", has_text=f"Frame {unread}").locator("..").inner_text()
    assert about.count("could not be read") == 1
    assert "cannot be read" not in about
    page.evaluate("Bokeh.documents[0].get_model_by_name('slider').value = 4")
    page.wait_for_function("!Bokeh.documents[0].get_model_by_name('as_reference').disabled")


def test_a_mask_is_drawn_and_undone_with_each_tool(visit, scan_folder, tmp_path):
    with serving(scan_folder / "frames", cwd=tmp_path) as url:
        page, errors, _ = visit(url)
        page.get_by_text("0.0 % of the pixels are ignored").wait_for()
        ignored = page.locator("b", has_text="of the pixels are ignored")
        for tool in ("Rectangle", "Disk", "Polygon", "Brush"):
            page.get_by_role("button", name=tool, exact=True).click()
            draw(page, tool)
            page.wait_for_function("!Bokeh.documents[0].get_model_by_name('undo').disabled")
            assert not ignored.inner_text().startswith("0.0 %"), tool
            page.get_by_role("button", name="Undo").click()
            page.get_by_text("0.0 % of the pixels are ignored").wait_for()
            page.wait_for_function("Bokeh.documents[0].get_model_by_name('undo').disabled")
        assert errors == []


def test_a_polygon_becomes_a_mask_that_align_takes(visit, scan_folder, tmp_path, capsys):
    with serving(scan_folder / "frames", cwd=tmp_path) as url:
        page, errors, requests = visit(url)
        page.get_by_role("button", name="Polygon", exact=True).click()
        draw(page, "Polygon")
        page.wait_for_function("!Bokeh.documents[0].get_model_by_name('undo').disabled")
        page.get_by_text("Frame 0 is the reference").wait_for()
        page.evaluate("Bokeh.documents[0].get_model_by_name('slider').value = 4")
        page.get_by_text("Frame 4 with this mask: shift ").wait_for()
        page.get_by_role("button", name="Save the mask").click()
        page.get_by_text("(nonzero = valid)").wait_for()
        assert (errors, requests) == ([], [])
    path = tmp_path / "drawn_valid.tif"
    mask = load_mask(path)
    assert not mask[60:120, 70:110].any()  # rows, then columns, and no other way round
    assert 0.1 < 1 - mask.mean() < 0.13
    assert mask[140:].all()
    flags = ["--valid", path, "-o", tmp_path / "run", "--reference", "-1", "--no-report"]
    assert main(["align", *map(str, [scan_folder / "frames", *flags])]) == 3
    assert f"{100 * (1 - mask.mean()):.1f} % of the pixels are ignored" in capsys.readouterr().err


def draw(page, tool):
    """Draw with the mouse, between the pixels (50, 60) and (130, 150)."""
    page.wait_for_timeout(300)  # the toolbar takes up the change of its tools in its own time
    if tool == "Polygon":
        for row, col in ((50, 60), (50, 150), (130, 150), (130, 60)):
            page.mouse.click(*place_on_screen(page, row, col), delay=30)
            page.wait_for_timeout(400)  # two clicks in quick succession are a double one
        page.keyboard.press("Enter")
        return
    page.mouse.move(*place_on_screen(page, 50, 60))
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(*place_on_screen(page, 50 + 10 * step, 60 + 11 * step))
    page.mouse.up()


def test_a_mask_is_found_from_what_stands_still(visit, tmp_path):
    scan = ChromiumScan((256, 256), scans=3, delays=(0.0, 1.0, 2.0, 3.0))
    scan.write(tmp_path)
    with serving(tmp_path / "frames", cwd=tmp_path) as url:
        page, errors, _ = visit(url)
        page.set_default_timeout(120_000)
        page.locator("select").select_option("what stands still while the pattern moves (mask auto)")
        page.get_by_text("; found from 12 frames that drift by up to").wait_for()
        page.get_by_role("button", name="Save the mask").click()
        page.get_by_text("(nonzero = valid)").wait_for()
        assert errors == []
    found = load_mask(tmp_path / "drawn_valid.tif")
    np.testing.assert_array_equal(found, find_mask(tmp_path / "frames").mask)
    assert 0.01 < 1 - found.mean() < 0.1


def test_why_no_mask_was_found_is_told(visit, tmp_path):
    ChromiumScan((128, 128), scans=1, delays=(0.0, 1.0)).write(tmp_path)
    with serving(tmp_path / "frames", cwd=tmp_path) as url:
        page, errors, _ = visit(url)
        page.locator("select").select_option("what stands still while the pattern moves (mask auto)")
        page.get_by_text("No mask was found: ").wait_for()
        assert errors == []


def test_the_next_flagged_frame_is_one_click_away(seen):
    page = seen.page
    for frame in (1, 3, 1):
        page.get_by_role("button", name="Next flagged").click()
        page.get_by_text(f"Frame {frame}", exact=True).wait_for()


def test_frames_without_a_run_are_shown_aligned_with_the_mask_as_it_is(visit, scan_folder, tmp_path):
    drawn = """() => {
        const picture = Bokeh.documents[0].get_model_by_name('picture');
        const source = picture.renderers.find((renderer) => renderer.visible).data_source;
        const image = source.get_column('image')[0];
        return Array.from(image.data ?? image).filter(Number.isFinite).length;
    }"""
    with serving(scan_folder / "frames", cwd=tmp_path) as url:
        page, errors, _ = visit(url)
        page.evaluate("Bokeh.documents[0].get_model_by_name('slider').value = 4")
        page.get_by_text("Frame 4 with this mask: shift ").wait_for()
        page.get_by_role("button", name="Difference after").click()
        page.wait_for_function(f"({drawn})() > 60000")
        assert errors == []


class Gated(FrameSource):
    """Frames that can be read only one after the other, when they are let through."""

    def __init__(self, source, gate):
        self._source, self._gate = source, gate

    def __len__(self):
        return len(self._source)

    def name(self, index):
        return self._source.name(index)

    @property
    def root(self):
        return self._source.root

    def _fetch(self, index):
        self._gate(index)
        return self._source.read(index)


@contextmanager
def written_slowly(frames, run):
    """Align frames in a thread that waits before the last four of them until it is told to go on."""
    go_on = threading.Event()

    def gate(index):
        if index >= 4:
            go_on.wait(60)
        elif index > 0:
            time.sleep(0.6)  # rows are committed once a second

    def work():
        align_run(Gated(open_frames(frames), gate), run, workers=1, origin=Origin.here([str(frames)]))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield go_on
    finally:
        go_on.set()
        thread.join()


def test_rows_arrive_while_the_run_is_written(visit, tmp_path):
    scan = ChromiumScan((128, 128), scans=2, delays=(0.0, 1.0, 2.0, 3.0))
    scan.write(tmp_path)
    run = tmp_path / "run"
    with written_slowly(tmp_path / "frames", run) as go_on:
        wait_until_done(run, 1)
        with serving(run) as url:
            page, errors, _ = visit(url)
            page.get_by_text("of 8 frames done").wait_for()
            drawn = "Bokeh.documents[0].get_model_by_name('good').get_column('x').length"
            assert 0 < page.evaluate(drawn) < 8
            go_on.set()
            page.get_by_text("8 of 8 frames ok").wait_for()
            assert page.evaluate(drawn) == 8
            assert errors == []
    assert np.isfinite([row.registration.shift for row in read_run(run)[1]]).all()


def test_rows_arrive_while_a_folder_is_watched(visit, tmp_path):
    ChromiumScan((128, 128), scans=1, delays=(0.0, 1.0, 2.0, 3.0)).write(tmp_path)
    names = sorted((tmp_path / "frames").iterdir())
    arriving, run = tmp_path / "arriving", tmp_path / "run"
    arriving.mkdir()

    def arrive(some):
        for name in some:
            name.rename(arriving / name.name)

    arrive(names[:2])
    settings = {"until_idle": 20.0, "settle": 0.1, "workers": 1}
    thread = threading.Thread(target=lambda: watch_run(arriving, run, **settings), daemon=True)
    thread.start()
    wait_until_done(run, 2)
    with serving(run) as url:
        page, errors, _ = visit(url)
        page.get_by_text("2 of 2 frames ok").wait_for()
        arrive(names[2:])
        page.get_by_text("4 of 4 frames ok").wait_for()
        page.evaluate("Bokeh.documents[0].get_model_by_name('slider').value = 3")
        page.get_by_text("Frame 3", exact=True).wait_for()
        assert "cannot be read" not in page.locator("b", has_text="Frame 3").locator("..").inner_text()
        assert errors == []
