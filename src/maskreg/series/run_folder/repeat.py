"""The command that repeats a run, or goes on with it, as one would type it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from maskreg.series.run_folder.origin import Origin


def command_to_repeat(
    origin: Origin | None, *, reference: int | None = None, mask: Path | None = None
) -> str:
    """Return the command line that made a run, or the same with another reference or mask.

    Parameters
    ----------
    origin : Origin, optional
        Where the run came from; without it nothing is known.
    reference : int, optional
        The frame to register to instead; the run is then made anew.
    mask : path, optional
        A mask file (nonzero = valid) to use instead of all that was ignored before.

    Returns
    -------
    str
        Empty when the run was not made on the command line.
    """
    if origin is None or not origin.command:
        return ""
    command = list(origin.command)
    if reference is not None:
        if command[0] == "watch":  # which does not know yet which frame has a number
            command = ["align", *_without(command[1:], _WATCH_FLAGS)]
        command = [*_without(command, ["--reference"]), "--reference", str(reference)]
    if mask is not None:
        command = [*_without(command, _MASK_FLAGS), "--valid", str(mask)]
    if (reference is not None or mask is not None) and "--overwrite" not in command:
        command.append("--overwrite")
    return shlex.join(["maskreg", *command])


def how_to_go_on(origin: Origin | None) -> str:
    """Return what to do so that a run goes on, as the end of a sentence."""
    if origin is None or not origin.command:
        return "the same call goes on"
    command = shlex.join(["maskreg", *(word for word in origin.command if word != "--overwrite")])
    return f"this goes on, in {origin.folder}: {command}"


_WATCH_FLAGS = ("--until-idle", "--settle", "--alarm-after", "--on-alarm")

_MASK_FLAGS = (
    "--valid",
    "--ignore",
    "--ignore-rect",
    "--ignore-disk",
    "--ignore-polygon",
    "--ignore-above",
    "--ignore-below",
    "--grow",
)


def _without(command: Sequence[str], flags: Sequence[str]) -> list[str]:
    """Return the arguments without these flags and their values, given as two words or as one."""
    kept: list[str] = []
    words = iter(command)
    for word in words:
        if word in flags:
            next(words, None)
        elif not word.startswith(tuple(f"{flag}=" for flag in flags)):
            kept.append(word)
    return kept
