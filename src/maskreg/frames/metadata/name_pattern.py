"""Metadata from file names: ``{scan:d}_{delay:f}.tif``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from maskreg.errors import FrameError, InputError
from maskreg.frames.metadata.columns import as_numbers

_KINDS = {
    "d": r"[+-]?\d+",
    "f": r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?",
    "": r"[^/]+?",
}
_EXAMPLE = "'{scan:d}_{delay:f}.tif'"


class NamePattern:
    """How the names of files tell something of their frames.

    Parameters
    ----------
    text : str
        A file name in which ``{name:d}`` stands for a whole number, ``{name:f}`` for a number,
        ``{name}`` for any text (a number where it is one in all names), and ``*`` for what
        does not matter. ``{{`` and ``}}`` are braces. With a ``/`` in it, the folders take part.

    Raises
    ------
    InputError
        When it is no such pattern: what in it is wrong.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._kinds: dict[str, str] = {}
        expression = "".join(self._pieces(text))
        if not self._kinds:
            raise InputError(f"pattern {text!r} names no column; it looks like {_EXAMPLE}")
        # a pattern of folders fits the end of the name
        self._expression = re.compile(rf"(?:.*/)?{expression}", re.DOTALL)

    @property
    def kinds(self) -> dict[str, str]:
        """The columns, and of which kind each is: ``d``, ``f`` or nothing."""
        return dict(self._kinds)

    def columns(self, names: list[str]) -> list[dict[str, Any]]:
        """Return the metadata of each of `names`, relative paths without an index.

        Raises
        ------
        FrameError
            When a name does not fit: which one.
        """
        found = []
        for name in names:
            match = self._expression.fullmatch(name)
            if match is None:
                raise FrameError(
                    f"{name}: this name does not fit the pattern {self.text!r}; {self._advice(name)}"
                )
            found.append(match.groupdict())
        columns = {column: self._values(column, [row[column] for row in found]) for column in self._kinds}
        return [{column: columns[column][place] for column in columns} for place in range(len(names))]

    def _advice(self, name: str) -> str:
        """Return what to try where a name does not fit."""
        folder, _, last = self.text.rpartition("/")
        if folder and NamePattern(last)._expression.fullmatch(name):
            return f"names begin behind the folder that was given: try {last!r}"
        loose = NamePattern(re.sub(r"\{(\w+):[df]\}", r"{\1}", self.text))
        found = loose._expression.fullmatch(name)
        for column, text in found.groupdict().items() if found else ():
            if not re.fullmatch(_KINDS[self._kinds[column]], text):
                return _about_kind(column, self._kinds[column], text)
        files = re.sub(r"\{\w*(:\w)?\}", "*", self.text)
        return f"if it is another kind of file, name those that fit: {files!r}"

    def _values(self, column: str, texts: list[str]) -> list[Any]:
        kind = self._kinds[column]
        if kind == "":
            return as_numbers(texts)
        return [int(text) if kind == "d" else float(text) for text in texts]

    def _pieces(self, text: str) -> Iterator[str]:
        """Yield the regular expressions of the pieces of the pattern."""
        for piece in re.findall(r"\{\{|\}\}|\{[^{}]*\}|[{}]|\*|[^{}*]+", text):
            if piece in ("{{", "}}"):
                yield re.escape(piece[0])
            elif piece in "{}":
                raise InputError(f"pattern {text!r} has a single '{piece}'; columns look like {{name:d}}")
            elif piece == "*":
                yield r"[^/]*"
            else:
                yield self._field(piece[1:-1]) if piece[0] == "{" else re.escape(piece)

    def _field(self, inside: str) -> str:
        name, _, kind = inside.partition(":")
        if not name.isidentifier():
            raise InputError(f"pattern {self.text!r}: {{{inside}}} has no name of letters, digits and '_'")
        if kind not in _KINDS:
            raise InputError(
                f"pattern {self.text!r}: {{{inside}}} asks for the kind '{kind}'; "
                "it is d (a whole number), f (a number) or nothing (text)"
            )
        if name in self._kinds:
            raise InputError(f"pattern {self.text!r} names the column '{name}' twice")
        self._kinds[name] = kind
        return f"(?P<{name}>{_KINDS[kind]})"


def _about_kind(column: str, kind: str, text: str) -> str:
    """Return what to try where a text is not of the kind that its column asks for."""
    if re.fullmatch(_KINDS["f"], text):
        return f"its {column} is {text!r}, no whole number: try {{{column}:f}}"
    return (
        f"{{{column}:{kind}}} is a number, and {text!r} is none: write what stands beside it in the pattern, "
        f"or {{{column}}}"
    )
