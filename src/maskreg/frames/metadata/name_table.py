"""Metadata from a CSV file with a line a file or a frame."""

from __future__ import annotations

import csv
import logging
import os
from pathlib import Path, PurePosixPath
from typing import Any

from maskreg.errors import InputError
from maskreg.frames.metadata.columns import as_numbers

log = logging.getLogger(__name__)

KEYS = ("file", "source", "name")
"""What the column of file names may be called."""

_MARKS = {";": "semicolons", "\t": "tabulators"}
"""What else than commas spreadsheets put between columns."""

_SHOWN = 100
"""Characters of a header that are shown where it has none of these."""


class NameTable:
    """A CSV file whose lines are about files.

    One of its columns is called ``file`` (or ``source``, or ``name``) and holds the name of a
    file, with or without its folders, or of one frame of a stack (``scan.h5[3]``). All others
    are metadata.

    Parameters
    ----------
    path : path
        The CSV file.

    Raises
    ------
    InputError
        When it is missing, or no such table: what is wrong with it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        header, lines = self._read()
        key = next((name for name in KEYS if name in header), None)
        if key is None:
            there = ", ".join(header)
            there = there if len(there) <= _SHOWN else f"{there[:_SHOWN]}..."
            raise InputError(f"{path}: it has no column 'file' with the names of the files, but {there}")
        others = [name for name in header if name != key]
        values = {name: as_numbers([line[name] for line in lines]) for name in others}
        self._empty: dict[str, Any] = dict.fromkeys(others)
        self._rows: dict[str, dict[str, Any]] = {}
        for place, line in enumerate(lines):
            if line[key] in self._rows:
                raise InputError(f"{path}: there are two lines about '{line[key]}'")
            self._rows[line[key]] = {name: values[name][place] for name in others}

    @property
    def names(self) -> list[str]:
        """The names of its columns, but for that of the files."""
        return list(self._empty)

    def columns(self, names: list[str], files: list[str]) -> list[dict[str, Any]]:
        """Return the metadata of each frame; a frame without a line has none, and is counted aloud.

        Parameters
        ----------
        names, files : list of str
            Of each frame: its name, and the same without its index.
        """
        found = [self._row(*pair) for pair in zip(names, files, strict=True)]
        missing = [name for name, row in zip(names, found, strict=True) if row is None]
        if len(missing) == len(names):
            its = f"; its first line is about {next(iter(self._rows))!r}" if self._rows else ""
            raise InputError(
                f"{self.path}: no line is about {names[0]}, nor about any other of the frames{its}"
            )
        if missing:
            log.warning(
                "%s has no line about %d frames, the first is %s", self.path, len(missing), missing[0]
            )
        return [dict(self._empty) if row is None else row for row in found]

    def _row(self, name: str, file: str) -> dict[str, Any] | None:
        keys = (name, file, PurePosixPath(name).name, PurePosixPath(file).name)
        return next((self._rows[key] for key in keys if key in self._rows), None)

    def _read(self) -> tuple[list[str], list[dict[str, str]]]:
        try:
            # utf-8-sig: spreadsheets begin their files with a mark
            with self.path.open(newline="", encoding="utf-8-sig") as stream:
                lines = list(csv.reader(stream))
        except UnicodeDecodeError as error:
            raise InputError(f"{self.path}: is no text in UTF-8; save the table as CSV in UTF-8") from error
        except (OSError, csv.Error) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise InputError(f"{self.path}: this table cannot be read: {why}") from error
        numbered = [
            (number, line) for number, line in enumerate(lines, 1) if any(cell.strip() for cell in line)
        ]
        lines = [line for _, line in numbered]
        header = [cell.strip() for cell in lines[0]] if lines else []
        if len(header) == 1 and (other := next((mark for mark in _MARKS if mark in header[0]), None)):
            raise InputError(
                f"{self.path}: its columns are separated by {_MARKS[other]}; save the table with commas, "
                "and with points in numbers"
            )
        for number, line in numbered[1:]:
            if len(line) != len(header):
                raise InputError(
                    f"{self.path}: line {number} has {len(line)} cells, the header has {len(header)}"
                )
        if len(set(header)) != len(header) or "" in header:
            raise InputError(f"{self.path}: two columns have one name, or one has none: {', '.join(header)}")
        return header, [dict(zip(header, map(str.strip, line), strict=True)) for line in lines[1:]]
