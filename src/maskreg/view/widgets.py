"""Making widgets that fit the page, and listening to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_STYLE = """
.bk-input, .bk-btn-default { background: var(--card); color: var(--ink); border-color: var(--line); }
.bk-btn-default:hover, .bk-btn-default.bk-active { background: var(--line); color: var(--ink); }
.bk-btn-default[disabled] { background: var(--card); color: var(--soft); opacity: 0.6; }
.noUi-target { background: var(--line); }
.bk-spin-btn::before { border-color: var(--soft) transparent; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
"""
"""The page's colours are known inside the widgets too."""


def widget(kind: Any, **properties: Any) -> Any:
    """Return a bokeh widget as wide as its place, in the colours of the page."""
    return kind(sizing_mode="stretch_width", stylesheets=[_STYLE], **properties)


def when_changed(model: Any, name: str, call: Callable[[Any], object]) -> None:
    """Call with the new value whenever a property of a bokeh model changes."""

    def listener(attr: str, old: Any, new: Any) -> None:
        call(new)

    model.on_change(name, listener)
