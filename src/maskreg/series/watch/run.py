"""Align a folder while its frames are written: a `Session` for each reference, until nothing arrives.

The record is that of `align`: either can go on with a run of the other, and both close it in the same way.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.errors import InputError
from maskreg.frames import FrameSource
from maskreg.frames.metadata.name_pattern import NamePattern
from maskreg.frames.metadata.time_order import TIME_COLUMNS
from maskreg.options import Options
from maskreg.series.alignment import Alignment
from maskreg.series.before.prepared import Prepared, prepare
from maskreg.series.before.reference import ImageLike, ReferenceLike, is_mean, read_image
from maskreg.series.open_run import is_run
from maskreg.series.run import ensure_run_writable, made_folder
from maskreg.series.run_folder.origin import Origin
from maskreg.series.watch.alarms import Alarm, Alarms
from maskreg.series.watch.folder import WatchedFolder
from maskreg.series.watch.session import BeginAnewError, Patience, Session

log = logging.getLogger(__name__)

SETTLE = 2.0
"""How long a file must not have changed before it is read, s, unless it is known to be closed."""

MaskLike = ArrayLike | Callable[[NDArray[Any]], ArrayLike | None] | None
"""A mask, or a function that makes one from the reference."""


def watch_run(
    folder: str | os.PathLike[str],
    run: str | os.PathLike[str],
    mask: MaskLike = None,
    *,
    reference: ReferenceLike = "first",
    options: Options | None = None,
    dark: ImageLike | None = None,
    flat: ImageLike | None = None,
    pattern: str | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    repair: bool = False,
    settle: float = SETTLE,
    until_idle: float | None = None,
    silence: float | None = None,
    on_alarm: Callable[[Alarm], None] = lambda alarm: log.warning("%s", alarm.text),
    origin: Origin | None = None,
) -> Alignment:
    """Register the frames of a folder as they are written, keeping what is done in a run folder.

    It ends when nothing has arrived for a while, or with `KeyboardInterrupt`; in both cases the
    table of all frames that were registered has been written. The same call goes on, and so does
    `align_run` with the same folder; the table is the same.

    Parameters
    ----------
    folder : path
        Files in it are frames, or stacks that are whole when they are closed.
    run, options, dark, flat, workers, overwrite, repair, origin
        See `maskreg.series.align_run`.
    mask : (rows, cols) array of bool, or callable, optional
        True where pixels are valid; or a function that is given the reference and returns it.
    reference : 'first', path or array
        'first' is the first frame by order of the names that can be one. When one arrives that comes
        before it, or it is written anew, the run starts anew.
    pattern : str, optional
        How file names tell metadata: ``{scan:d}_{delay:f}.tif``. Numbers only, and no time: the
        frames are in the order of their names.
    settle : float
        How long a file must not have changed before it is read, s, unless it is known to be closed.
    until_idle : float, optional
        End when no file has arrived or changed for so long, s.
    silence : float, optional
        Give alarm when no new frame came for so long, s.
    on_alarm : callable
        Is given each `Alarm`.
    """
    root = _checked(Path(os.path.abspath(folder)))  # noqa: PTH100 (not resolved, as in `align`)
    image, named = _image(reference), _pattern(pattern)
    ensure_run_writable(run, overwrite=overwrite)
    where = made_folder(Path(run))
    log.info("watching %s; Ctrl-C ends it", folder)

    def prepared(source: FrameSource, first: NDArray[Any]) -> Prepared:
        valid = mask(first) if callable(mask) else mask
        which = "first" if image is None else image
        return prepare(source, valid, which, options or Options(), dark, flat, workers=workers)

    with WatchedFolder(root) as watched:
        patience, alarms = Patience(settle, until_idle), Alarms(silence, time.monotonic())
        anew = False
        while True:
            session = Session(watched, where, named, patience, alarms, on_alarm, workers)
            series = session.wait_for_reference(image, prepared)
            try:
                return session.work(series, origin=origin, overwrite=overwrite, anew=anew, repair=repair)
            except BeginAnewError as change:
                log.log(change.level, "%s, all frames are registered anew", change)
                anew = True


def _checked(folder: Path) -> Path:
    if is_run(folder):
        raise InputError(f"{folder} is a run folder; name the folder that frames are written to")
    if folder.is_dir():
        return folder
    if folder.exists():
        raise InputError(f"{folder} is a file; name the folder that frames are written to")
    raise InputError(f"{folder}: no such folder; make it first, then frames can arrive in it")


def _image(reference: ReferenceLike) -> NDArray[Any] | None:
    """Return the reference, or None when it is the first frame."""
    if isinstance(reference, np.ndarray):
        return reference
    if isinstance(reference, int):
        raise InputError(
            f"reference is {reference}: which frame has this number is known at the end only; "
            "take 'first' or an image file"
        )
    if is_mean(reference):
        raise InputError(
            "reference is 'mean': the mean of a series is known at its end only; "
            "watch with 'first', then align the folder to its mean in another run folder"
        )
    return None if reference == "first" else read_image(reference)


def _pattern(text: str | None) -> NamePattern | None:
    """Return the pattern of names, if all that it tells is known with a frame's arrival."""
    if text is None:
        return None
    pattern = NamePattern(text)
    for column, kind in pattern.kinds.items():
        if column.lower() in TIME_COLUMNS:
            raise InputError(
                f"pattern {text!r} names a column {column!r}, by which align puts frames in order; "
                "while watching they are in the order of their names: call it otherwise"
            )
        if not kind:
            raise InputError(
                f"pattern {text!r}: whether {{{column}}} is a number is known at the end only; "
                f"while watching take {{{column}:d}} or {{{column}:f}}, or * for what does not matter"
            )
    return pattern
