"""What the user typed to make a run: told by reports, and the command that repeats it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Origin:
    """What a run was made from.

    Attributes
    ----------
    input : list of str
        Files, folders or patterns, as they were given.
    folder : str
        The folder that they are relative to.
    command : list of str
        The arguments of the command line, without the program's name; empty when it was none.
    """

    input: list[str]
    folder: str
    command: list[str] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        """`input`, wherever one is now."""
        return [str(Path(self.folder) / path) for path in self.input]

    @classmethod
    def here(cls, input: Sequence[str], command: Sequence[str] = ()) -> Origin:
        """Return the origin of a run that is started in the present folder."""
        return cls([os.fspath(path) for path in input], str(Path.cwd()), list(command))
