"""A folder that is watched: what is in it, and word of files that were closed."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from stat import S_ISREG
from types import TracebackType
from typing import Any, Self

from maskreg.errors import RunError
from maskreg.frames.location import Location
from maskreg.frames.registry import reader_for
from maskreg.series.watch.arrivals import Stamp

log = logging.getLogger(__name__)

INTERVAL = 1.0
"""How often the folder is listed, s: on many file systems (network shares) no word comes."""

SHARE_OF_TIME = 0.05
"""Listing a large folder takes at most this part of the time."""


class WatchedFolder:
    """Lists a folder, and waits for files in it that are closed.

    Word of closed files comes through watchdog (``maskreg[app]``) where it is installed and the
    system sends any (Linux, local disks); listing finds the files in any case, only later.

    Parameters
    ----------
    path : Path
        The folder; those below it are not looked at.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._closed: SimpleQueue[str] = SimpleQueue()
        self._observer = _observer(path, self._closed.put)
        self._next_listing = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._observer is not None:
            self._observer.stop()

    def list(self) -> dict[str, Stamp] | None:
        """Return all files that a reader knows, or None when it was done just now."""
        begin = time.monotonic()
        if begin < self._next_listing:
            return None
        try:
            with os.scandir(self.path) as entries:
                found = {entry.name: stamp for entry in entries if (stamp := self._stamp(entry.name))}
        except OSError as error:
            raise RunError(
                f"cannot list {self.path}: {error.strerror or error}; is the share lost? "
                "Bring it back and give the same command again"
            ) from error
        end = time.monotonic()
        self._next_listing = end + max(INTERVAL, (end - begin) / SHARE_OF_TIME)
        return found

    def wait(self, seconds: float) -> dict[str, Stamp]:
        """Return the files that were closed meanwhile; wait for one, but not longer than `seconds`."""
        found: dict[str, Stamp] = {}
        try:
            name = self._closed.get(timeout=max(0.0, seconds))
            while True:
                if stamp := self._stamp(name):
                    found[name] = stamp
                name = self._closed.get_nowait()
        except Empty:
            return found

    def _stamp(self, name: str) -> Stamp | None:
        """Return what a file is like; None when it is no file that is read, or is gone."""
        path = self.path / name
        if name.startswith(".") or reader_for(Location(path)) is None:
            return None
        try:
            state = path.stat()
        except OSError:
            return None
        return Stamp(state.st_size, state.st_mtime_ns) if S_ISREG(state.st_mode) else None


def _observer(path: Path, tell: Callable[[str], None]) -> Any:
    """Return what tells of closed files, running, or None where there is no such thing."""
    try:
        from watchdog.events import FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer
    except ImportError:
        log.info("without watchdog (maskreg[app]) files are read once they have not changed for a while")
        return None

    class Handler(FileSystemEventHandler):
        def on_closed(self, event: FileSystemEvent) -> None:
            tell(os.path.basename(os.fsdecode(event.src_path)))  # noqa: PTH119 (text, and often)

        def on_moved(self, event: FileSystemEvent) -> None:
            # a writer that renames a file when it is whole
            tell(os.path.basename(os.fsdecode(event.dest_path)))  # noqa: PTH119

    observer = Observer()
    observer.daemon = True
    observer.schedule(Handler(), str(path))
    try:
        observer.start()
    except OSError as error:
        log.info("no word of new files (%s): the folder is listed every %g s", error, INTERVAL)
        return None
    return observer
