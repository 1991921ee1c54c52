"""Columns of text, as numbers where all of them are some."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def as_numbers(texts: Sequence[str]) -> list[Any]:
    """Return a column as whole numbers, or as numbers, or as the texts they are; '' becomes None."""
    # Python takes 1_5 for 15, which is how 1.5 is written where a name may hold no point
    for convert in () if any("_" in text for text in texts) else (int, float):
        try:
            return [_or_none(text, convert) for text in texts]
        except ValueError:
            continue
    return [text or None for text in texts]


def _or_none(text: str, convert: Callable[[str], Any]) -> Any:
    return convert(text) if text.strip() else None
