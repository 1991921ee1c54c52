from __future__ import annotations

import pytest
from browsing import NASTY, colours_by_plot

PLOTS = 12
PICTURES = 7


@pytest.fixture
def report(run_folder):
    return (run_folder / "report.html").as_uri()


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_plots_are_drawn_without_an_error_or_a_request(visit, report, width, scheme):
    page, errors, requests = visit(report, width, 900, scheme)
    plots = colours_by_plot(page)
    assert len(plots) == PLOTS
    assert [title for title, colours in plots if colours < 20] == []
    assert errors == []
    assert requests == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("width", [1400, 1000, 390])
def test_pixels_are_square_beside_a_colour_bar_too(visit, report, width):
    sides = visit(report, width).page.evaluate(
        """() => Array.from(Bokeh.index.roots)
            .filter((view) => view.model.renderers?.[0]?.glyph.type == 'Image')
            .map(({model: {x_range: x, y_range: y}, frame: {bbox}}) =>
                [bbox.width / Math.abs(x.end - x.start), bbox.height / Math.abs(y.end - y.start)])"""
    )
    assert len(sides) == PICTURES
    for across, down in sides:
        assert across == pytest.approx(down, rel=0.02)


def test_the_verdict_comes_first(visit, report):
    page = visit(report).page
    assert page.locator(".verdict").inner_text().startswith("5 of 7 frames ok; drift ")


def test_below_it_stand_the_frames_that_are_not_ok_and_why(visit, report):
    page = visit(report).page
    assert page.locator(".wrong").inner_text() == "2 unreadable, frames 1, 3: the frame could not be read"


def test_markup_in_names_is_shown_as_text(visit, report):
    page, errors, _ = visit(report)
    cells = page.locator("#flagged td:nth-child(2)").all_inner_texts()
    assert f"b {NASTY}" in cells
    assert page.locator("img[src=x]").count() == 0
    _hover_over_every_point(page)
    assert page.evaluate("window.broken") is None
    assert errors == []


def test_blinking_shows_reference_and_frame_in_turns(visit, report):
    page = visit(report).page
    page.get_by_text("Blink after").click()
    visible = """() => {
        const [show] = Bokeh.documents[0].get_model_by_name('blink').js_property_callbacks['change:active'];
        return Array.from(show.args.images ?? show.args.get('images')).map((image) => image.visible).join();
    }"""
    page.wait_for_function(f"({visible})() == 'false,false,true'")
    page.wait_for_function(f"({visible})() == 'true,false,false'")


def _hover_over_every_point(page):
    """Let the hover of the drift plot tell the frames with markup in their names, one ok and one flagged."""
    places = page.evaluate(
        """() => {
            const view = Array.from(Bokeh.index.roots)[0];
            const corner = view.canvas_view.el.getBoundingClientRect();
            return [['good', 'drift_row'], ['flagged', 'mark_row']].flatMap(([name, column]) => {
                const source = view.model.renderers.map((r) => r.data_source).find((s) => s.name == name);
                const [x, y] = [source.get_column('x'), source.get_column(column)];
                return Array.from(source.get_column('source'), (text, i) => [text, x[i], y[i]])
                    .filter(([text]) => text.includes('onerror'))
                    .map(([, x, y]) => [corner.left + view.frame.x_scale.compute(x),
                        corner.top + view.frame.y_scale.compute(y)]);
            });
        }"""
    )
    assert len(places) == 2
    for across, down in places:
        page.mouse.move(across, down)
        page.locator(".bk-tooltip-row-value").filter(has_text="onerror").first.wait_for()
        page.mouse.move(2, 2)
