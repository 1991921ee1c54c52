"""Making widgets that fit the page, and listening to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maskreg.report.style import WIDGETS


def widget(kind: Any, **properties: Any) -> Any:
    """Return a bokeh widget as wide as its place, in the colours of the page."""
    return kind(sizing_mode="stretch_width", stylesheets=[WIDGETS], **properties)


def when_changed(model: Any, name: str, call: Callable[[Any], object]) -> None:
    """Call with the new value whenever a property of a bokeh model changes."""

    def listener(attr: str, old: Any, new: Any) -> None:
        call(new)

    model.on_change(name, listener)
