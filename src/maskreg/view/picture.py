"""The picture of a frame: which frame, how it is shown, and how bright."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import MaskregError
from maskreg.registration import Registration, Status
from maskreg.report.panel import contrast, symmetric_limit
from maskreg.report.style import difference_colours, hexes, plain
from maskreg.view.subject import Subject
from maskreg.view.widgets import when_changed, widget
from maskreg.view.window import Window

FRAME, ALIGNED, BEFORE, AFTER = "Frame", "Aligned", "Difference before", "Difference after"
VIEWS = (FRAME, ALIGNED, BEFORE, AFTER)

MASK_COLOUR = "#00c8dc80"
"""Over what is ignored: a tone that the brightness scale does not have."""

KEPT = 4
"""Frames kept in memory, for going back and forth."""


class Picture:
    """A figure that shows one frame of a subject at the resolution of the screen.

    Parameters
    ----------
    subject : Subject
    on_frame : callable
        Called with the index after another frame was chosen.
    soon : callable
        Calls a function without arguments in a moment.
    """

    def __init__(
        self,
        subject: Subject,
        on_frame: Callable[[int], None],
        soon: Callable[[Callable[[], None]], object],
    ) -> None:
        from bokeh.models import Button, Div, RadioButtonGroup, RangeSlider, Slider, Toggle

        self._subject = subject
        self._on_frame = on_frame
        self._soon = soon
        self._is_due = False
        self._answer: Registration | None = None
        # by name, too: a number is another frame's when others have come before it
        self._read = lru_cache(KEPT)(lambda frame, name: subject.source.read(frame))
        self.frame = 0
        self._mask: NDArray[np.bool_] | None = None
        self._reference_in: tuple[Window, NDArray[np.float32]] | None = None
        rows, cols = subject.source.shape
        self._window = Window.of(0, 0, rows - 1, cols - 1, (rows, cols))
        last = max(1, subject.total - 1)
        self.slider = widget(Slider, title="Frame", start=0, end=last, value=0, step=1, name="slider")
        self.views = widget(RadioButtonGroup, labels=list(VIEWS), active=0, name="views")
        self.contrast = widget(RangeSlider, title="Contrast", start=0, end=1, value=(0, 1), step=0.01)
        self.log = widget(Toggle, label="Log scale")
        self.blink = widget(Toggle, label="Blink reference", name="blink")
        self.fit = widget(Button, label="Fit contrast")
        self.about = widget(Div, name="about")
        self._make_figure(rows, cols)
        self._wire()
        self._draw(fit=True)
        self._draw_what_stays()
        self.tell()

    @property
    def image(self) -> NDArray[Any] | None:
        """The pixels of the frame that is shown; None if it cannot be read."""
        try:
            return self._read(self.frame, self._subject.source.name(self.frame))
        except MaskregError:
            return None

    def show(self, frame: int) -> None:
        """Show another frame."""
        self.frame, self._answer = frame, None
        if self.slider.value != frame:
            self.slider.value = frame
        self._draw(fit=False)
        self.tell()
        self._on_frame(frame)

    def renew(self) -> None:
        """Tell what is known by now, and show the frame that has the number by now."""
        if self._subject.source.name(self.frame) == self._name:
            self.tell()
        else:
            self.show(self.frame)

    def use(self, answer: Registration | None) -> None:
        """Show the frame aligned as `answer` says, instead of as the run does; None: as the run does."""
        if answer is not self._answer:
            self._answer = answer
            if VIEWS[self.views.active] in (ALIGNED, AFTER):
                self._draw(fit=False)

    def show_mask(self, mask: NDArray[np.bool_]) -> None:
        """Draw what a mask ignores."""
        self._mask = mask
        self._ignored.data = {"image": [self._window.of_mask(mask)], **self._place()}

    def tell(self) -> None:
        """Say what is known about the frame."""
        self._name = self._subject.source.name(self.frame)
        answer = self._subject.answer(self.frame)
        if answer is None:
            text = "not registered yet" if self._subject.run else ""
        else:
            where = f"shift {answer.shift_text} px, " if answer.status.keeps_shift else ""
            why = "" if answer.ok else f": {escape(answer.reason)}"
            text = f"{where}{escape(answer.status.label)}{why}"
        is_told = answer is not None and answer.status is Status.UNREADABLE
        problem = "" if is_told or self.image is not None else " It cannot be read."
        self.about.text = f"<b>Frame {self.frame}</b> {escape(self._name)}<br>{text}{problem}"

    def _make_figure(self, rows: int, cols: int) -> None:
        from bokeh.models import ColumnDataSource, HoverTool, LinearColorMapper, PanTool

        self.pan = PanTool()
        self.figure = _empty_figure(rows, cols, self.pan)
        self._mappers = _mappers()
        self._shown = ColumnDataSource(_nothing(np.float32))
        self._reference = ColumnDataSource(_nothing(np.float32))
        self._ignored = ColumnDataSource(_nothing(np.uint8))

        def drawn(source: Any, mapper: Any) -> Any:
            return self.figure.image(
                "image", x="x", y="y", dw="dw", dh="dh", source=source, color_mapper=mapper, visible=False
            )

        self._images = {scale: drawn(self._shown, mapper) for scale, mapper in self._mappers.items()}
        self._references = {s: drawn(self._reference, self._mappers[s]) for s in ("linear", "log")}
        ignored = LinearColorMapper(palette=["#00000000", MASK_COLOUR], low=0, high=1)
        drawn(self._ignored, ignored).visible = True
        tips = [("row, column", "$y{0}, $x{0}"), ("value", "@image{0.[00]}")]
        for scale in self._images.values():
            self.figure.add_tools(HoverTool(renderers=[scale], tooltips=tips, visible=False))

    def _wire(self) -> None:
        from bokeh.events import RangesUpdate

        when_changed(self.slider, "value", self._on_slider)
        when_changed(self.views, "active", lambda _: self._draw(fit=True))
        when_changed(self.log, "active", lambda _: self._draw(fit=False))
        when_changed(self.contrast, "value", lambda _: self._set_contrast())
        when_changed(self.blink, "active", lambda _: self._stop_blinking())
        self.fit.on_click(lambda: self._draw(fit=True))
        self.figure.on_event(RangesUpdate, self._on_ranges)

    def _on_slider(self, frame: int) -> None:
        if frame != self.frame and not self._is_due:
            self._is_due = True
            self._soon(self._catch_up)

    def _catch_up(self) -> None:
        """Show where the slider is by now; the frames that it passed are not."""
        self._is_due = False
        if self.slider.value != self.frame:
            self.show(int(self.slider.value))

    def blinking(self) -> None:
        """Take a turn at blinking; called by the page's clock again and again."""
        if self.blink.active:
            self._show_reference(not any(image.visible for image in self._references.values()))

    def _stop_blinking(self) -> None:
        if not self.blink.active:
            self._show_reference(False)

    def _show_reference(self, wanted: bool) -> None:
        scale = "log" if self.log.active else "linear"
        for name, image in self._references.items():
            image.visible = wanted and name == scale

    def _on_ranges(self, event: Any) -> None:
        rows = sorted((event.y0, event.y1))
        cols = sorted((event.x0, event.x1))
        window = Window.of(rows[0], cols[0], rows[1], cols[1], self._subject.source.shape)
        if window != self._window:
            self._window = window
            self._draw(fit=False)
            self._draw_what_stays()

    def _draw(self, *, fit: bool) -> None:
        view = VIEWS[self.views.active]
        picture = self._picture(view)
        self._shown.data = {"image": [picture], **self._place()}
        if fit:
            self._fit(picture, view)
        scale = "difference" if view in (BEFORE, AFTER) else "log" if self.log.active else "linear"
        for name, image in self._images.items():
            image.visible = name == scale

    def _draw_what_stays(self) -> None:
        """Draw what is the same for all frames, in the window as it is now."""
        if (reference := self._small_reference()) is not None:
            self._reference.data = {"image": [reference], **self._place()}
        if self._mask is not None:
            self.show_mask(self._mask)

    def _small_reference(self) -> NDArray[np.float32] | None:
        """Return the window's part of the reference, computed once for a window."""
        if self._subject.reference is None:
            return None
        if self._reference_in is None or self._reference_in[0] != self._window:
            self._reference_in = self._window, self._window.of_image(self._subject.reference)
        return self._reference_in[1]

    def _picture(self, view: str) -> NDArray[np.float32]:
        """Return the pixels to show; all NaN where there is nothing of the kind."""
        nothing = np.full(
            (self._window.rows // self._window.step, self._window.cols // self._window.step),
            np.nan,
            np.float32,
        )
        image, answer = self.image, self._answer or self._subject.answer(self.frame)
        if image is None:
            return nothing
        if view in (FRAME, BEFORE):
            picture = self._window.of_image(image)
        elif answer is None or not answer.status.keeps_shift:
            return nothing
        else:
            picture = self._window.aligned(image, answer.shift)
        if view in (FRAME, ALIGNED):
            return picture
        reference = self._small_reference()
        return nothing if reference is None else picture - reference

    def _fit(self, picture: NDArray[np.float32], view: str) -> None:
        values = picture.astype(np.float64)
        if view in (BEFORE, AFTER):
            limit = symmetric_limit([values])
            low, high, start, end = -limit, limit, -3 * limit, 3 * limit
        else:
            low, high = contrast([values])
            finite = values[np.isfinite(values)]
            start, end = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
            # a hot pixel must not squeeze all that matters into the slider's first millimetre
            end = min(end, high + 4 * (high - low))
        end = end if end > start else start + 1.0
        self.contrast.update(start=start, end=end, step=(end - start) / 1000)
        self.contrast.value = (max(low, start), min(high if high > low else end, end))
        self._set_contrast()

    def _set_contrast(self) -> None:
        low, high = self.contrast.value
        high = high if high > low else low + self.contrast.step
        if VIEWS[self.views.active] in (BEFORE, AFTER):
            limit = max(abs(low), abs(high))
            self._mappers["difference"].update(low=-limit, high=limit)
            return
        self._mappers["linear"].update(low=low, high=high)
        # a logarithm has no place for what is not positive: four decades are more than a screen shows
        self._mappers["log"].update(low=max(low, abs(high) * 1e-4, 1e-30), high=max(high, 1e-29))

    def _place(self) -> dict[str, list[float]]:
        return {name: [value] for name, value in self._window.extent.items()}


def _empty_figure(rows: int, cols: int, pan: Any) -> Any:
    """Return a figure without images, which shows a whole frame and can be moved and zoomed."""
    from bokeh.models import Range1d, ResetTool, WheelZoomTool
    from bokeh.plotting import figure

    wheel = WheelZoomTool()
    made = plain(
        figure(
            width=640,
            height=round(600 * min(max(rows / cols, 0.4), 1.4)) + 30,
            sizing_mode="scale_width",
            x_range=Range1d(-0.5, cols - 0.5),
            y_range=Range1d(rows - 0.5, -0.5),
            tools=[pan, wheel, ResetTool()],
            active_scroll=wheel,
            match_aspect=True,
            name="picture",
        )
    )
    made.grid.visible = False
    made.toolbar.autohide = False
    return made


def _mappers() -> dict[str, Any]:
    """Return what makes colours of values, by the name of the scale."""
    from bokeh.models import LinearColorMapper, LogColorMapper

    from maskreg.report.colour import brightness_scale

    bright = hexes(brightness_scale())
    return {
        "linear": LinearColorMapper(palette=bright, nan_color="#8888"),
        "log": LogColorMapper(palette=bright, nan_color="#8888"),
        "difference": LinearColorMapper(palette=difference_colours(), nan_color="#8888"),
    }


def _nothing(dtype: Any) -> dict[str, list[Any]]:
    return {"image": [np.zeros((1, 1), dtype)], "x": [0], "y": [0], "dw": [1], "dh": [1]}
