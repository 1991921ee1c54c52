"""The live page: the report's plots with frames, masks and decisions, for one browser."""

from __future__ import annotations

import time
from functools import partial
from html import escape
from importlib import resources
from typing import Any

from maskreg.errors import MaskregError
from maskreg.registration import Registration
from maskreg.report.html import flagged_table, heading, stylesheet
from maskreg.report.picture_plots import BLINK_MS
from maskreg.report.series_plots import SeriesSources, drift_plot, path_plot, quality_plots
from maskreg.report.style import INK
from maskreg.report.verdict import verdict
from maskreg.view.background import Background
from maskreg.view.mask_tools import MaskTools
from maskreg.view.picture import Picture
from maskreg.view.subject import State, Subject
from maskreg.view.trial import told, tried
from maskreg.view.widgets import when_changed, widget

LOOK_MS = 1000
"""How often the run is looked at."""
SOON_MS = 20
"""A slider that is dragged tells every place on its way: those of so long are one."""
PATIENCE = 5.0
"""Reading a run takes at most one part in so many of the server's time."""


class Page:
    """What one browser sees.

    Parameters
    ----------
    subject : Subject
        Shared by all browsers.
    document : bokeh.document.Document
        Filled here.
    """

    def __init__(self, subject: Subject, document: Any) -> None:
        from bokeh.models import Button, Div, Span

        self._subject, self._document = subject, document
        self._version, self._next_look = subject.version, 0.0
        self._trials, self._searches, self._reading = (
            Background(document.add_next_tick_callback) for _ in range(3)
        )
        self.heading = Div(sizing_mode="stretch_width", name="heading", stylesheets=[stylesheet()])
        self.flagged = Div(sizing_mode="stretch_width", name="flagged", stylesheets=[stylesheet()])
        self.here = [
            Span(dimension="height", line_color=INK, line_alpha=0.7, level="overlay") for _ in range(4)
        ]
        self.trial = widget(Div, name="trial")
        self.command = widget(Div, name="command")
        self.leave_out = widget(Button, label="Leave it out", name="leave_out")
        self.as_reference = widget(Button, label="As reference", name="as_reference")
        self.next_flagged = widget(Button, label="Next flagged", name="next_flagged")
        self.picture = Picture(
            subject, self._on_frame, partial(document.add_timeout_callback, timeout_milliseconds=SOON_MS)
        )
        self.masks = MaskTools(subject, self.picture, self._try_mask, self._searches)
        self.sources = SeriesSources(subject.series, subject.jumps)
        self._wire()
        self._tell()
        self._fill()
        self._on_frame(self.picture.frame)

    def _wire(self) -> None:
        self.next_flagged.on_click(self._show_next_flagged)
        self.leave_out.on_click(self._toggle_excluded)
        self.as_reference.on_click(self._tell_reference)
        for source in (self.sources.good, self.sources.flagged):
            when_changed(source.selected, "indices", partial(self._on_selected, source))
        self._document.add_periodic_callback(self.picture.blinking, BLINK_MS)
        if self._subject.run is not None:
            self._document.add_periodic_callback(self._look, LOOK_MS)
        self._document.on_session_destroyed(self._close)

    def _close(self, session_context: Any) -> None:
        for background in (self._trials, self._searches, self._reading):
            background.close()

    def _fill(self) -> None:
        from bokeh.layouts import column, row

        picture, subject = self.picture, self._subject
        decisions = [
            row(self.next_flagged, self.leave_out, self.as_reference, sizing_mode="stretch_width"),
            self.command,
        ]
        controls = column(
            picture.slider,
            picture.about,
            picture.views,
            row(picture.blink, picture.log, picture.fit, sizing_mode="stretch_width"),
            picture.contrast,
            self.trial,
            *(decisions if subject.run is not None else []),
            sizing_mode="stretch_width",
            name="controls",
        )
        roots = [self.heading, picture.figure, controls, self.masks.layout()]
        if subject.run is not None:
            label = subject.series.x_label
            drift, path = drift_plot(self.sources, label), path_plot(self.sources)
            plots = [drift, path, *quality_plots(self.sources, label, drift.x_range)]
            for name, plot in zip(("drift", "path", "score", "overlap", "sigma"), plots, strict=True):
                plot.name = name
            for plot, here in zip([drift, *plots[2:]], self.here, strict=True):
                plot.add_layout(here)
            roots += [*plots, self.flagged]
        with self._document.models.freeze():  # what refers to what is found out once, not for every root
            for root in roots:
                self._document.add_root(root)
        self._document.title = f"maskreg: {subject.title}"
        self._document.template = _template()
        self._document.template_variables.update(style=stylesheet(), has_run=subject.run is not None)

    def _on_frame(self, frame: int) -> None:
        out = self._subject.is_excluded(frame)
        self.leave_out.label = "Take it back" if out else "Leave it out"
        answer = self._subject.answer(frame)
        self.leave_out.disabled = not out and (
            answer is None or not answer.status.keeps_shift or self._subject.is_reference(frame)
        )
        self.as_reference.disabled = self.picture.image is None
        self.command.text = ""
        for here in self.here:
            here.location = self._subject.along(frame)
        self._try_mask()

    def _on_selected(self, source: Any, new: list[int]) -> None:
        if new:
            self.picture.show(int(source.data["frame"][new[0]]))

    def _try_mask(self) -> None:
        """Register the frame that is shown with the mask as it is drawn; with that of a run it is known."""
        subject, picture = self._subject, self.picture
        frame, reference, moving = picture.frame, subject.reference, picture.image
        self.trial.text = ""
        picture.use(None)
        if subject.run is not None and not self.masks.editor.can_undo:
            return
        if subject.is_reference(frame):
            self.trial.text = f"Frame {frame} is the reference: another one shows what the mask does."
            return
        if reference is None or moving is None:
            return

        def take(answer: Registration | MaskregError) -> None:
            self.trial.text = escape(f"Frame {frame} with this mask: {told(answer)}")
            if isinstance(answer, Registration) and frame == picture.frame:
                picture.use(answer)

        self.trial.text = "Registering with this mask ..."
        mask, options = self.masks.mask, subject.options()
        self._trials.ask(lambda: tried(reference, moving, mask, options), take)

    def _show_next_flagged(self) -> None:
        """Show the flagged frame after this one; after the last, the first."""
        flagged = self._subject.series.frame[~self._subject.series.ok]
        after = flagged[flagged > self.picture.frame]
        self.picture.show(int(after[0] if len(after) else flagged[0]))

    def _toggle_excluded(self) -> None:
        frame = self.picture.frame
        try:
            self._subject.exclude(frame, out=not self._subject.is_excluded(frame))
        except MaskregError as error:
            self.command.text = escape(str(error))
            return
        self._update()
        self._on_frame(frame)

    def _tell_reference(self) -> None:
        command = self._subject.command_with_reference(self.picture.frame)
        self.command.text = f"The run is made anew by<pre>{escape(command)}</pre>"

    def _look(self) -> None:
        """Read the run again, beside the page, if something was written since."""
        run, begin = self._subject.run, time.monotonic()
        if run is None or begin < self._next_look:
            return
        if not self._subject.is_stale():
            if self._subject.version != self._version:  # another window has read it
                self._update()
            return

        def take(state: State | MaskregError) -> None:
            self._next_look = time.monotonic() + PATIENCE * (time.monotonic() - begin)
            if isinstance(state, MaskregError):  # it may be replaced this very moment; the next look tells
                self.command.text = escape(str(state))
                return
            self._subject.take(state)
            self._update()

        self._next_look = float("inf")
        self._reading.ask(lambda: State.of(run), take)

    def _update(self) -> None:
        self._version = self._subject.version
        self.sources.replace(self._subject.series, self._subject.jumps)
        self.picture.slider.end = max(1, self._subject.total - 1)
        self._tell()
        self.picture.renew()

    def _tell(self) -> None:
        subject = self._subject
        if subject.run is None:
            line = subject.source.describe()
        else:
            line = verdict(subject.series, len(subject.jumps), subject.total)
        self.heading.text = heading(subject.title, line, subject.series)
        self.flagged.text = flagged_table(subject.series)
        self.next_flagged.disabled = bool(subject.series.ok.all())


def _template() -> Any:
    from bokeh.core.templates import get_env

    return get_env().from_string(
        resources.files("maskreg.view").joinpath("page.html").read_text(encoding="utf-8")
    )
