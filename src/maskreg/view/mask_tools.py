"""The tools that draw a mask on the picture: a thin face of `maskreg.masks.editing.MaskEditor`."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import MaskregError
from maskreg.masks import MaskEditor, describe_mask, load_mask, mask_warning
from maskreg.view.background import Background
from maskreg.view.picture import Picture
from maskreg.view.subject import Subject
from maskreg.view.widgets import when_changed, widget

if TYPE_CHECKING:
    from maskreg.series.mask.find_mask import FoundMask

LOOK, RECTANGLE, DISK, POLYGON, BRUSH = range(5)
TOOLS = ("Look", "Rectangle", "Disk", "Polygon", "Brush")

_HINTS = (
    "Drag to move, wheel to zoom.",
    "Drag from corner to corner.",
    "Drag a square around the disk.",
    "Click each corner; Enter or a long press on the last ends it, Escape gives it up.",
    "Drag.",
)

_START = (
    "Start from ...",
    "nothing ignored",
    "the mask of the run",
    "what stands still while the pattern moves (mask auto)",
)

_CHOOSE = "tools.forEach((tool, place) => { tool.active = owners[place].includes(cb_obj.active); });"
"""Which of bokeh's tools answers the mouse: the server cannot say so, the browser can."""


class MaskTools:
    """Widgets and drawing tools, and the mask that they change.

    Parameters
    ----------
    subject : Subject
    picture : Picture
        Where it is drawn.
    on_change : callable
        Called after the mask was changed.
    background : Background
        Where masks are searched for.
    """

    def __init__(
        self, subject: Subject, picture: Picture, on_change: Callable[[], None], background: Background
    ) -> None:
        self._subject, self._picture, self._on_change = subject, picture, on_change
        self._background = background
        self.editor = MaskEditor(subject.source.shape, subject.mask)
        self._make_widgets()
        self._make_tools()
        self._wire()
        self._redraw()

    def layout(self) -> Any:
        """Return the widgets, one below the other."""
        from bokeh.layouts import column, row

        def beside(*widgets: Any) -> Any:
            return row(*widgets, sizing_mode="stretch_width")

        return column(
            self.tool,
            self.hint,
            self.kind,
            beside(self.radius, self.undo, self.redo),
            beside(self.size, self.grow, self.shrink),
            beside(self.level, self.above, self.below),
            self.start,
            self.about,
            beside(self.name, self.save),
            self.saved,
            sizing_mode="stretch_width",
            name="mask_tools",
        )

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """The mask as it is, True = valid; None when nothing is ignored."""
        return self.editor.mask if self.editor.ignored else None

    def _make_widgets(self) -> None:
        from bokeh.models import Button, Div, RadioButtonGroup, Select, Spinner, TextInput

        self.tool = widget(RadioButtonGroup, labels=list(TOOLS), active=LOOK, name="tool")
        self.hint = widget(Div, text=_HINTS[LOOK])
        self.kind = widget(RadioButtonGroup, labels=["Ignore what I draw", "Make it valid"], active=0)
        size = max(self._subject.source.shape)
        self.radius = widget(Spinner, title="Brush radius, px", low=0.5, step=1, value=max(2, size // 50))
        self.size = widget(Spinner, title="Grow or shrink by, px", low=0.5, step=0.5, value=2)
        self.grow = widget(Button, label="Grow", align="end")
        self.shrink = widget(Button, label="Shrink", align="end")
        self.level = widget(Spinner, title="Value in the reference", value=self._high_value())
        self.above = widget(Button, label="All above", align="end")
        self.below = widget(Button, label="All below", align="end")
        self.undo = widget(Button, label="Undo", name="undo", align="end")
        self.redo = widget(Button, label="Redo", align="end")
        self.start = widget(Select, options=self._starts(), value=_START[0])
        self.about = widget(Div, name="mask_about")
        self.name = widget(TextInput, title="Name", value="drawn_valid.tif")
        self.save = widget(Button, label="Save the mask", button_type="primary", name="save", align="end")
        self.saved = widget(Div, name="saved")

    def _make_tools(self) -> None:
        from bokeh.models import BoxSelectTool, ColumnDataSource, CustomJS, FreehandDrawTool, PolySelectTool

        figure = self._picture.figure
        self._path = ColumnDataSource({"xs": [], "ys": []})
        line = figure.multi_line("xs", "ys", source=self._path, line_color="#00c8dc", line_width=4)
        box = BoxSelectTool(renderers=[], visible=False)
        polygon = PolySelectTool(renderers=[], visible=False)
        brush = FreehandDrawTool(renderers=[line], num_objects=1, visible=False)
        figure.add_tools(box, polygon, brush)
        owners = [[LOOK], [RECTANGLE, DISK], [POLYGON], [BRUSH]]
        choose = CustomJS(
            args={"tools": [self._picture.pan, box, polygon, brush], "owners": owners}, code=_CHOOSE
        )
        self.tool.js_on_change("active", choose)

    def _wire(self) -> None:
        from bokeh.events import SelectionGeometry

        edit = self.editor
        self._picture.figure.on_event(SelectionGeometry, self._on_geometry)
        when_changed(self._path, "data", lambda _: self._on_path())
        when_changed(self.tool, "active", lambda tool: setattr(self.hint, "text", _HINTS[tool]))
        self.grow.on_click(lambda: self._edit(lambda: edit.grow(self.size.value or 0)))
        self.shrink.on_click(lambda: self._edit(lambda: edit.shrink(self.size.value or 0)))
        self.above.on_click(lambda: self._threshold("above"))
        self.below.on_click(lambda: self._threshold("below"))
        self.undo.on_click(lambda: self._edit(edit.undo))
        self.redo.on_click(lambda: self._edit(edit.redo))
        when_changed(self.start, "value", self._start_from)
        self.save.on_click(self._save)

    def _on_geometry(self, event: Any) -> None:
        if not event.final:
            return
        shape, ignore = event.geometry, self._ignore()
        if shape["type"] == "poly":
            corners = list(zip(shape["y"], shape["x"], strict=True))
            if len(corners) >= 3:
                self._edit(lambda: self.editor.polygon(corners, ignore=ignore))
        elif shape["type"] == "rect":
            rows, cols = (shape["y0"], shape["y1"]), (shape["x0"], shape["x1"])
            if self.tool.active == DISK:
                radius = max(abs(rows[1] - rows[0]), abs(cols[1] - cols[0])) / 2
                middle = sum(rows) / 2, sum(cols) / 2
                self._edit(lambda: self.editor.disk(*middle, radius, ignore=ignore))
            else:
                self._edit(lambda: self.editor.rectangle(rows[0], cols[0], rows[1], cols[1], ignore=ignore))

    def _on_path(self) -> None:
        if not self._path.data["xs"]:
            return
        xs, ys = self._path.data["xs"][-1], self._path.data["ys"][-1]
        path = list(zip(map(float, ys), map(float, xs), strict=True))
        self._path.data = {"xs": [], "ys": []}
        if path:
            self._edit(lambda: self.editor.brush(path, self.radius.value or 0, ignore=self._ignore()))

    def _threshold(self, side: str) -> None:
        reference = self._subject.reference
        if reference is not None and self.level.value is not None:
            limits = {side: float(self.level.value)}
            self._edit(lambda: self.editor.threshold(reference, ignore=self._ignore(), **limits))

    def _start_from(self, name: str) -> None:
        if name == _START[0]:
            return
        if name == _START[1]:
            self._edit(self.editor.clear)
        elif name == _START[2]:
            given = self._subject.mask
            self._edit(self.editor.clear if given is None else lambda: self.editor.start_from(given))
        elif name == _START[3]:
            self._search()
        else:
            files = {path.name: path for path in self._subject.mask_files()}
            self._edit(lambda: self.editor.start_from(load_mask(files[name])))
        self.start.value = _START[0]

    def _search(self) -> None:
        """Find a mask beside the page: it takes from seconds to minutes."""
        from maskreg.series.mask.find_mask import find_mask

        self.saved.text = "Looking for what stands still while the pattern moves ..."
        self._background.ask(lambda: find_mask(self._subject.source), self._take_found)

    def _take_found(self, found: FoundMask | MaskregError) -> None:
        if isinstance(found, MaskregError):
            self.saved.text = escape(f"No mask was found: {found}")
            return
        self._edit(lambda: self.editor.start_from(found.mask))
        self.saved.text = escape(". ".join([found.describe(), *found.warnings]))

    def _edit(self, step: Callable[[], bool]) -> None:
        """Take a step; say what was wrong with it where the page can show it."""
        try:
            changed = step()
        except MaskregError as error:
            self.saved.text = escape(str(error))
            return
        if changed:
            self.saved.text = ""
            self._redraw()
            self._on_change()

    def _redraw(self) -> None:
        mask = self.editor.mask
        self._picture.show_mask(mask)
        self.about.text = f"<b>{escape(mask_warning(mask) or describe_mask(mask))}</b>"
        self.undo.disabled, self.redo.disabled = not self.editor.can_undo, not self.editor.can_redo

    def _save(self) -> None:
        try:
            path = self._subject.save(self.name.value, self.editor.mask)
        except (MaskregError, OSError) as error:
            self.saved.text = escape(f"The mask was not saved: {error}")
            return
        command = escape(self._subject.command_with(path))
        self.saved.text = f"Saved: {escape(str(path))} (nonzero = valid)<pre>{command}</pre>"
        self.start.options = self._starts()

    def _starts(self) -> list[str]:
        return [*_START, *(path.name for path in self._subject.mask_files())]

    def _ignore(self) -> bool:
        return bool(self.kind.active == 0)

    def _high_value(self) -> float:
        reference = self._subject.reference
        if reference is None:
            return 0.0
        every = max(1, max(reference.shape) // 500)  # a value to start from needs no more
        sample = reference[::every, ::every].astype(np.float32)
        value = np.nanpercentile(np.ma.filled(sample, np.nan), 99.9)
        return float(f"{value:.4g}")
