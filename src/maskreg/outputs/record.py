"""The record of a run: ``run.sqlite``, one row a frame, and what identifies the run.

An embedded database, because it survives a crash at any moment and can be read while it is written.

A row belongs to its source, not to a number: a series may grow, also in its middle, and its frames
are numbered by order of their names whenever all names are known.

One process writes. It holds an SQLite lock on a small file beside the record, which the operating
system releases however the process ends; a lock on the record itself would keep readers out.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from maskreg.errors import OtherSettingsError, RunError, advice_on, not_written
from maskreg.outputs.entry import FRAMES, Entry, entry_of, values_of
from maskreg.registration import Registration, Status

FORMAT = 2
"""Version of the tables below; a record of another version is refused."""

COMMIT_SECONDS = 1.0
"""At most this much work is lost in a crash, s; committing every frame would cost more than the frame."""

Settings = dict[str, Any]
"""What identifies a run: names to values that JSON can hold."""

_TABLES = f"""
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
{FRAMES}
CREATE TABLE files (
    file BLOB PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    frames INTEGER NOT NULL
);
"""

_GROWS = "frames"
"""The setting that says how many frames the series had when they were last numbered."""

_LOOK, _PIXELS = "first_look", "reference_pixels"
"""The settings that frames tell, and not the user: the first ones, and the reference."""


class FileState(NamedTuple):
    """A file of which frames are in the record, as it was before they were read."""

    size: int
    """Bytes."""
    mtime_ns: int
    """Time of its last change, ns."""
    frames: int
    """How many it holds."""


class Record:
    """The record of a run, opened for writing by this process alone.

    Use it as a context manager: however the block ends, what was written is committed.

    Parameters
    ----------
    path : Path
        The database; made when it is not there.
    settings : dict
        What identifies the run. An existing record with other settings is refused, unless it holds no frame.
    overwrite : bool
        Start anew, whatever the record holds.
    provisional : tuple of str and int, optional
        A setting, and a number of frames: a record that differs in this setting alone and holds
        fewer frames starts anew.
    """

    def __init__(
        self,
        path: Path,
        settings: Settings,
        *,
        overwrite: bool = False,
        provisional: tuple[str, int] | None = None,
    ) -> None:
        self.path = path
        with _told(path):
            self._lock = _lock(path)
            try:
                if overwrite or (path.is_file() and _is_early(path, settings, provisional)):
                    remove_record(path)
                self._database = _open(path, settings)
            except BaseException:
                self._lock.close()
                raise
        self._committed_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def statuses(self) -> dict[str, Status]:
        """Return what became of the frames that are done, by their sources, in the order of the series."""
        with _told(self.path):
            pairs = self._database.execute("SELECT source, status FROM frames ORDER BY frame, rowid")
            return {source: Status.from_label(label) for source, label in pairs}

    def number(self, sources: Iterable[str]) -> None:
        """Give each frame its place in `sources`, the names of all frames of the series as of now."""
        known = self.statuses()
        numbers = list(enumerate(sources))
        with _told(self.path):
            self._database.executemany(
                "UPDATE frames SET frame = ?1 WHERE source = ?2 AND frame != ?1",
                [pair for pair in numbers if pair[1] in known],
            )
            self._database.execute("REPLACE INTO settings VALUES (?, ?)", (_GROWS, json.dumps(len(numbers))))

    def write(self, frame: int, source: str, registration: Registration, metadata: Mapping[str, Any]) -> None:
        """Add a frame, or replace it; it is safe on the disk after the next commit, about a second later."""
        with _told(self.path):
            self._put((frame, source, registration, dict(metadata)))
        self._commit_if_due()

    def write_file(
        self, file: str, state: FileState | None, entries: Iterable[Entry], *, instead_of: Iterable[str] = ()
    ) -> None:
        """Add the frames of a whole file, or replace them; they are committed together.

        Parameters
        ----------
        file : str
            Its name, relative to the input's root.
        state : FileState or None
            What it was like before it was read; None when it should be read again another time.
        entries : iterable of Entry
            Its frames.
        instead_of : iterable of str
            Sources that the file had before and may have no more.
        """
        with _told(self.path):
            self._database.executemany(
                "DELETE FROM frames WHERE source = ?", [(source,) for source in instead_of]
            )
            for entry in entries:
                self._put(entry)
            self._database.execute("DELETE FROM files WHERE file = ?", (os.fsencode(file),))
            if state is not None:
                values = (os.fsencode(file), *state)
                self._database.execute("INSERT INTO files VALUES (?, ?, ?, ?)", values)
        self._commit_if_due()

    def renew_files(self, states: Mapping[str, FileState], *, forget: Iterable[str] = ()) -> None:
        """Note what files are like before they are read, and forget rows of what they were: all at once.

        Parameters
        ----------
        states : mapping of str to FileState
            By their names, relative to the input's root.
        forget : iterable of str
            Sources whose rows are of other frames.
        """
        with _told(self.path):
            self._database.executemany(
                "REPLACE INTO files VALUES (?, ?, ?, ?)",
                [(os.fsencode(file), *state) for file, state in states.items()],
            )
            self._database.executemany(
                "DELETE FROM frames WHERE source = ?", [(source,) for source in forget]
            )
        self.commit()

    def renew_metadata(self, metadata: Mapping[str, Mapping[str, Any]]) -> int:
        """Give frames other metadata, by their sources, and return of how many they were others.

        A column that is not told again keeps its value: a file may be out of reach.
        """
        with _told(self.path):
            held = self._database.execute("SELECT source, metadata FROM frames").fetchall()
            texts = {
                source: json.dumps({**json.loads(old), **metadata.get(source, {})}) for source, old in held
            }
            others = [(texts[source], source) for source, old in held if texts[source] != old]
            self._database.executemany("UPDATE frames SET metadata = ? WHERE source = ?", others)
        return len(others)

    def _put(self, entry: Entry) -> None:
        values = values_of(*entry)
        self._database.execute(f"REPLACE INTO frames VALUES ({', '.join('?' * len(values))})", values)

    def _commit_if_due(self) -> None:
        if time.monotonic() - self._committed_at < COMMIT_SECONDS:
            return
        self.commit()
        with _told(self.path):
            there = self.path.is_file()
        if not there:  # SQLite goes on writing to what has no name any more
            raise RunError(
                f"{self.path} was deleted or moved while it was written, and with it what was done so far; "
                "put it back, or begin anew with the same command"
            )

    def commit(self) -> None:
        """Make safe what was written so far."""
        with _told(self.path):
            self._database.commit()
        self._committed_at = time.monotonic()

    def files(self) -> dict[str, FileState]:
        """Return the files of which frames are, or were about to be, in the record, by their names."""
        with _told(self.path):
            return _files(self._database)

    def entries(self) -> Iterator[Entry]:
        """Yield all frames in the order of the series, those not yet committed too."""
        with _told(self.path):
            yield from _entries(self._database)

    def close(self) -> None:
        """Commit, and let go of the record."""
        try:
            self.commit()
        finally:
            # A record at rest is one plain file that can be read from anywhere, also where nothing
            # can be written. A reader may be using the other form; then it stays, without waiting.
            with suppress(sqlite3.Error):
                self._database.execute("PRAGMA busy_timeout = 0")
                self._database.execute("PRAGMA journal_mode = DELETE")
            self._database.close()
            self._lock.close()


def ensure_unused(path: Path) -> None:
    """Raise `RunError` while another process writes a record."""
    if path.with_suffix(".lock").exists():
        with _told(path):
            _lock(path).close()


def remove_record(path: Path) -> None:
    """Remove a record with the files that SQLite keeps beside it.

    The record itself goes last: what is left of an older one beside a new one would be taken for its own.
    """
    for name in (f"{path.name}-wal", f"{path.name}-shm", f"{path.name}-journal", path.name):
        path.with_name(name).unlink(missing_ok=True)


def read_record(path: Path) -> tuple[Settings, list[Entry]]:
    """Return the settings and all committed frames of a record, also while another process writes it."""
    if not path.is_file():
        around = path.parent.parent
        meant = f"did you mean {around}?" if (around / path.name).is_file() else "align makes one"
        raise RunError(f"{path} is not there: {path.parent} is no run folder; {meant}")
    with _told(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        if _is_empty(database):
            raise RunError(f"{path} is only being made, or its run was stopped before it began; try again")
        _check_format(database, path)
        return _settings(database), list(_entries(database))


def read_files(path: Path) -> dict[str, FileState]:
    """Return what the files of a record were like before they were read, by their names."""
    with _told(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        return _files(database)


def _files(database: sqlite3.Connection) -> dict[str, FileState]:
    rows = database.execute("SELECT * FROM files")
    return {os.fsdecode(file): FileState(*state) for file, *state in rows}


def _lock(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path.with_suffix(".lock"), timeout=0)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        if "locked" not in str(error):
            raise
        raise RunError(
            f"{path.parent} is in use by another maskreg process; wait for it or stop it"
        ) from None
    return connection


def _open(path: Path, settings: Settings) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    try:
        # readers are not blocked by the writer; where the file system cannot do it, SQLite stays
        # with its other journal, which is as safe
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        if _is_empty(database):
            _create(database, settings)
        _check_format(database, path)
        _check_settings(_settings(database), settings, path)
    except BaseException:
        database.close()
        raise
    return database


def _is_empty(database: sqlite3.Connection) -> bool:
    return database.execute("SELECT 1 FROM sqlite_master").fetchone() is None


def _create(database: sqlite3.Connection, settings: Settings) -> None:
    """Make tables and settings in one transaction: a record is whole or empty."""
    database.execute("BEGIN")
    for statement in _TABLES.split(";")[:-1]:
        database.execute(statement)
    database.execute(f"PRAGMA user_version = {FORMAT}")
    pairs = [(name, json.dumps(value)) for name, value in {**settings, _GROWS: 0}.items()]
    database.executemany("INSERT INTO settings VALUES (?, ?)", pairs)
    database.commit()


def _check_format(database: sqlite3.Connection, path: Path) -> None:
    (found,) = database.execute("PRAGMA user_version").fetchone()
    if found != FORMAT:
        raise RunError(
            f"{path} is a record of format {found}, this maskreg reads format {FORMAT}; "
            "use the maskreg that wrote it, or --overwrite"
        )


def _is_early(path: Path, settings: Settings, provisional: tuple[str, int] | None) -> bool:
    """Return whether a record with other settings has nothing to lose: no frame, or what is provisional."""
    with closing(sqlite3.connect(path)) as database:
        if _is_empty(database):
            return False
        _check_format(database, path)
        (found,) = database.execute("SELECT COUNT(*) FROM frames").fetchone()
        changes = _changes(_settings(database), _stored(settings))
    name, frames = provisional or ("", 0)
    return bool(changes) and (found == 0 or (found < frames and changes == [name]))


def _changes(old: Settings, new: Settings) -> list[str]:
    """Return the names of what identifies a run and differs."""
    return [name for name in {**old, **new} if name != _GROWS and old.get(name) != new.get(name)]


def _stored(settings: Settings) -> Settings:
    """Return settings as they come out of the record: JSON has lists for tuples."""
    stored: Settings = json.loads(json.dumps(settings))
    return stored


def _check_settings(old: Settings, new: Settings, path: Path) -> None:
    new = _stored(new)
    if names := _changes(old, new):
        changes = ", ".join(f"{name}: {_shown(old.get(name))} → {_shown(new.get(name))}" for name in names)
        advice = "take the same ones, another folder, or --overwrite"
        if names == [_LOOK]:
            advice = (
                "the first frames are not what they were (was one of them broken, or not yet whole?): "
                "another folder or --overwrite registers all anew"
            )
        elif names in ([_PIXELS], [_PIXELS, _LOOK]):
            advice = (
                "the image that is the reference is not what it was (was its file replaced, or do more "
                "frames meet its condition?): bring it back; another folder or --overwrite registers all anew"
            )
        raise OtherSettingsError(f"{path.parent} holds a run with other settings ({changes}); {advice}")


def _shown(value: Any) -> str:
    """Return a setting as a person would write it."""
    if value is None:
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _settings(database: sqlite3.Connection) -> Settings:
    pairs = database.execute("SELECT name, value FROM settings ORDER BY rowid")
    return {name: json.loads(value) for name, value in pairs}


def _entries(database: sqlite3.Connection) -> Iterator[Entry]:
    for values in database.execute("SELECT * FROM frames ORDER BY frame, rowid"):
        yield entry_of(values)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what SQLite says into one line for the user."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise RunError(f"{path}: {error}{advice_on(error)}") from error
    except OSError as error:
        raise not_written(path, error) from error
