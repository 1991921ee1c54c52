"""Listening to widgets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def when_changed(model: Any, name: str, call: Callable[[Any], object]) -> None:
    """Call with the new value whenever a property of a bokeh model changes."""

    def listener(attr: str, old: Any, new: Any) -> None:
        call(new)

    model.on_change(name, listener)
