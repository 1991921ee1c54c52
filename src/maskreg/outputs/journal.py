"""Which planes of an unfinished output are safely on the disk, so that it can be gone on with.

A small SQLite database beside the output's parts: its commits survive a kill or a crash at any
moment, and the lock that it holds from the first line on keeps a second process out.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from maskreg.errors import RunError, advice_on, not_written

_TABLES = """
CREATE TABLE made_of (digest TEXT);
CREATE TABLE batches (done INTEGER, note TEXT);
"""


class Journal:
    """The journal of one output, opened for writing by this process alone.

    Parameters
    ----------
    path : Path
        The database; made when it is not there.
    output : Path
        What it is the journal of, for messages.

    Attributes
    ----------
    made_of : str or None
        What the planes that are done were made of; None in a new journal.
    done : int
        How many planes are safely on the disk.
    notes : list of str
        What was said of them.
    """

    def __init__(self, path: Path, output: Path) -> None:
        self._path = path
        self._database = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("BEGIN EXCLUSIVE")
            if self._database.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
                for statement in _TABLES.split(";")[:-1]:
                    self._database.execute(statement)
            self._database.execute("COMMIT")  # the lock stays
            told = self._database.execute("SELECT digest FROM made_of").fetchone()
            batches = self._database.execute("SELECT done, note FROM batches ORDER BY done").fetchall()
        except sqlite3.Error as error:
            self._database.close()
            if "locked" in str(error):
                raise RunError(
                    f"{output} is being written by another process; wait for it or stop it"
                ) from None
            if advice_on(error):
                raise not_written(output, error) from error
            raise RunError(f"{path} cannot be used ({error}); delete it to start {output} anew") from error
        self.made_of: str | None = told and told[0]
        self.done: int = batches[-1][0] if batches else 0
        self.notes: list[str] = [note for _, note in batches]

    def begin(self, made_of: str) -> None:
        """Start anew: the parts are made, and no plane is in them yet."""
        self._database.execute("BEGIN")
        self._database.execute("DELETE FROM batches")
        self._database.execute("DELETE FROM made_of")
        self._database.execute("INSERT INTO made_of VALUES (?)", (made_of,))
        self._database.execute("COMMIT")
        self.made_of, self.done, self.notes = made_of, 0, []

    def forget(self) -> None:
        """Say that nothing is done: the parts are about to be made anew."""
        self._database.execute("DELETE FROM made_of")
        self.made_of = None

    def add(self, done: int, note: str) -> None:
        """Say that all planes before `done` are on the disk."""
        self._database.execute("INSERT INTO batches VALUES (?, ?)", (done, note))
        self.done = done
        self.notes.append(note)

    def close(self, *, remove: bool) -> None:
        """Let go of the journal, and remove it when the output is whole or there is nothing to go on with."""
        with suppress(sqlite3.Error):
            self._database.close()
        if remove:
            self._path.unlink(missing_ok=True)
