"""Readers from other packages: the entry-point group ``maskreg.readers``.

The entry point's name is the suffix of the files, its value ``module:Class``. Nothing of the
other package is imported before a file of its own is opened, so one that is broken is in
nobody's way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from maskreg.errors import FrameError, MaskregError
from maskreg.frames.source import one_line

GROUP = "maskreg.readers"


@dataclass(frozen=True)
class Plugin:
    """A format that another package reads.

    Attributes
    ----------
    entry_point : EntryPoint
        Its name is a suffix, with or without the dot.
    """

    entry_point: EntryPoint
    is_folder: bool = False

    @property
    def suffixes(self) -> tuple[str, ...]:
        """How the names of the files end, in lower case, with the dot."""
        return (f".{self.entry_point.name.lower().removeprefix('.')}",)

    @property
    def kind(self) -> str:
        """What to call such a file in a message."""
        return f"'{self.suffixes[0]}'"

    @property
    def target(self) -> str:
        """Which class of which package reads, for a message."""
        package = self.entry_point.dist.name if self.entry_point.dist else "unknown"
        return f"{self.entry_point.value} (of the package {package})"

    def load(self) -> Any:
        """Return the class that reads.

        Raises
        ------
        FrameError
            When the package is broken: which one and why.
        """
        try:
            return self.entry_point.load()
        except MaskregError:
            raise
        except Exception as error:  # another package's import may raise anything
            why = one_line(error)
            raise FrameError(
                f"the reader {self.target} for {self.kind} files cannot be loaded: {why}"
            ) from error


@cache
def plugins() -> tuple[Plugin, ...]:
    """Return the readers of other packages, in an order that is the same on every machine."""
    found = sorted(set(entry_points(group=GROUP)), key=lambda point: (point.name, point.value))
    return tuple(Plugin(point) for point in found)
