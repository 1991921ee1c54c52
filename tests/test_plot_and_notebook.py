"""Figures with matplotlib, and what a notebook shows."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

import maskreg
from maskreg import plot
from maskreg.errors import InputError, MissingExtraError
from maskreg.registration import Registration, Rival, Status

pyplot = pytest.importorskip("matplotlib.pyplot")

NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def no_windows():
    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(6)
    field = np.cumsum(np.cumsum(rng.normal(size=(90, 100)), 0), 1)
    field = 1000 + 200 * (field - field.mean()) / field.std()
    shifts = ((0, 0), (2, -3), (4, -5))
    return [field[10 + r : 74 + r, 10 + c : 80 + c] + rng.normal(0, 2, (64, 70)) for r, c in shifts]


@pytest.fixture(scope="module")
def alignment(frames):
    return maskreg.align([*frames, np.full((64, 70), 5.0)])


def test_the_drift_is_minus_the_shift_and_a_lost_frame_is_marked(alignment):
    axes = plot.drift(alignment)
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_allclose(lines["rows"].get_ydata(), -alignment.shifts[:3, 0])
    np.testing.assert_allclose(lines["columns"].get_ydata(), -alignment.shifts[:3, 1])
    assert axes.lines[-1].get_xdata().tolist() == [3]
    axes.figure.canvas.draw()


def test_both_differences_have_one_symmetric_scale(frames, alignment):
    aligned, valid = maskreg.shift_image(frames[2], alignment.shifts[2])
    axes = plot.before_after(frames[0], frames[2], aligned, valid)
    scales = [panel.images[0].get_clim() for panel in axes[1:]]
    assert scales[0] == scales[1]
    assert scales[0][0] == -scales[0][1]
    drawn = axes[2].images[0].get_array()
    assert np.isnan(np.ma.filled(drawn, np.nan)[~valid]).all()
    axes[0].figure.canvas.draw()


def test_the_map_marks_the_most_likely_lag(frames):
    axes = maskreg.correlate(frames[0], frames[1], max_shift=8).plot()
    (mark,) = axes.lines
    assert (mark.get_ydata()[0], mark.get_xdata()[0]) == (2, -3)
    axes.figure.canvas.draw()


def test_a_map_of_one_axis_is_a_line(frames):
    axes = maskreg.correlate(frames[0][5], frames[0][5]).plot()
    assert axes.lines[1].get_xdata()[0] == 0


@pytest.mark.parametrize("shape", [(9, 9), (9,)])
def test_a_map_without_a_place_marks_none(shape):
    """The first lag of all, in the corner, was called the most likely one."""
    flat = np.ones(shape)
    axes = plot.ncc_map(maskreg.correlate(flat, flat))
    assert axes.get_legend() is None
    assert not axes.lines or len(axes.lines[0].get_xdata()) == 17


def test_axes_of_ones_own_are_drawn_into(alignment):
    mine = pyplot.subplots()[1]
    assert plot.drift(alignment, mine) is mine


def test_what_does_not_fit_is_told(frames):
    with pytest.raises(InputError, match="aligned has shape"):
        plot.before_after(frames[0], frames[1], frames[1][:5])
    with pytest.raises(InputError, match="mask has shape"):
        plot.before_after(frames[0], frames[1], frames[1], np.ones((3, 3)))
    with pytest.raises(InputError, match="axes holds 2 of them; it takes three"):
        plot.before_after(frames[0], frames[1], frames[1], axes=pyplot.subplots(1, 2)[1])
    with pytest.raises(InputError, match="without a batch"):
        maskreg.correlate(np.array(frames), np.array(frames), axes=(1, 2), max_shift=2).plot()


def test_without_matplotlib_the_extra_is_named(alignment, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"maskreg\[plot\]"):
        plot.drift(alignment)


class Text(HTMLParser):
    """Tags and text of a piece of HTML."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = set(), ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)

    def handle_data(self, data):
        self.text += f"{data}|"


def test_a_registration_in_a_notebook():
    answer = Registration(
        np.array([1.5, -2.25]),
        np.eye(2) * 1e-4,
        0.91,
        33.3,
        0.95,
        Rival((4, 5), 2.0),
        Status.AMBIGUOUS,
        NASTY,
    )
    shown = Text(answer._repr_html_())
    assert "img" not in shown.tags
    assert NASTY in shown.text
    assert "+1.500 ± 0.010, -2.250 ± 0.010" in shown.text
    assert "(+4, +5) px" in shown.text


def test_an_answer_without_a_shift_shows_none():
    assert "none" in Text(Registration.failed(Status.FLAT, 2)._repr_html_()).text


def test_an_alignment_in_a_notebook(alignment):
    shown = Text(alignment._repr_html_())
    assert "Alignment of 4 frames" in shown.text
    assert "frame 3|flat|" in shown.text
    assert "drift|" in shown.text


def test_showing_an_answer_loads_nothing_heavy():
    code = (
        "import sys, maskreg; from maskreg.registration import Registration, Status;"
        "Registration.failed(Status.FLAT, 2)._repr_html_(); import maskreg.plot;"
        "sys.exit(str(sorted({'bokeh', 'matplotlib', 'numba'} & set(sys.modules)) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (1, "") or done.returncode == 0, done.stderr
