"""Gathering what a report tells about a run: its table, and pictures from its frames.

Pictures are made from few frames and at the size of a screen, so that a report takes seconds
however long the series is.
"""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from maskreg.apply.shift_image import shift_image
from maskreg.core.lags.correlate import correlate
from maskreg.errors import InputError, MaskregError
from maskreg.frames import FrameSource, open_frames
from maskreg.frames.corrected import as_corrected
from maskreg.geometry import nearest_lag
from maskreg.masks import describe_mask
from maskreg.outputs import STACK_SUFFIXES, sibling
from maskreg.registration import Status
from maskreg.report import BeforeAfter, Mean, PeakMap, SeriesData, Story
from maskreg.report.panel import Binning
from maskreg.series.after.closing import jumps_of
from maskreg.series.after.copies import about_copies
from maskreg.series.open_run import read_run, unfinished
from maskreg.series.run_folder.inputs import (
    FramesOfRun,
    kept_calibration,
    kept_mask,
    kept_origin,
    kept_reference,
)
from maskreg.series.run_folder.origin import Origin
from maskreg.series.run_folder.repeat import command_to_repeat
from maskreg.shifts import FrameRow, ShiftTable
from maskreg.shifts.row import one_line

log = logging.getLogger(__name__)

PICTURE = 440
"""Longer side of a picture, px."""
AROUND = 16
"""How far around the place found the correlation is shown, px."""
COPIES_TOLD = 5
"""Notes about frames that are the same as others."""
SAMPLE = 48
"""Frames that the mean is made of, spread evenly over the series."""

Part = TypeVar("Part")


def story_of(
    run: str | os.PathLike[str],
    *,
    frame: int | None = None,
    frames: Any = None,
    merged: str | os.PathLike[str] | None = None,
) -> Story:
    """Return what there is to tell about a run folder.

    Parameters
    ----------
    run : path
        A run folder, finished or not.
    frame : int, optional
        The frame that is shown before and after; else the ok one that had drifted farthest.
    frames : optional
        Where the frames are, as `maskreg.align` takes them, if they are not where they were.
    merged : path, optional
        What `maskreg.Alignment.merge` wrote, to be shown instead of the mean of a sample.

    Returns
    -------
    Story
        Without pictures, and with a note, where the frames cannot be read again.
    """
    settings, table = read_run(run)
    origin = kept_origin(Path(run))
    if line := unfinished(run, settings, table):
        log.warning("%s", line)
    told = Story(
        title=f"maskreg: {run_name(run)}",
        total=settings["frames"],
        series=SeriesData.of(table),
        jumps=jumps_of(table),
        settings=settings | _versions() | _opened_from(origin),
        command=command_to_repeat(origin),
        notes=tuple(filter(None, (line, *about_copies(table)[:COPIES_TOLD]))),
    )
    chosen = _chosen(table, frame)
    if merged is not None:
        told = _with(told, mean=_merged(Path(merged), settings["shape"]))
    by = kept_calibration(Path(run), settings["shape"])
    raw = FramesOfRun(Path(run), table, frames)
    source = as_corrected(raw, by)
    try:
        if about := raw.describe_changes():
            log.warning("%s", about)
            told = _with(told, notes=(*told.notes, about))
        return _with_pictures(told, Path(run), source, table, chosen)
    except MaskregError as error:
        log.warning("no pictures: %s", error)
        return _with(told, notes=(*told.notes, f"No pictures: {error}"))


def run_name(run: str | os.PathLike[str]) -> str:
    """Return what to call a run: its folder's name, and that of the folder around it."""
    return one_line("/".join(Path(run).resolve().parts[-2:]))


def _with_pictures(
    told: Story, run: Path, source: FrameSource, table: ShiftTable, chosen: FrameRow | None
) -> Story:
    reference, mask = kept_reference(run), kept_mask(run)
    parts: dict[str, Any] = {}
    if reference is not None:
        valid = np.isfinite(reference) if mask is None else mask & np.isfinite(reference)
        parts["unmasked"] = _small(reference, np.isfinite(reference))
        parts["masked"] = _small(reference, valid)
        parts["mask_text"] = "no mask: every pixel counts" if mask is None else describe_mask(mask)
        if chosen is not None:
            moving = source.read(chosen.frame)
            parts["before_after"] = _before_after(reference, moving, mask, chosen)
            parts["peak"] = _unless_too_large(lambda: _peak(reference, moving, mask, chosen))
    parts["mean"] = told.mean or _mean(source, table, mask)
    return _with(told, **parts)


def _with(told: Story, **parts: Any) -> Story:
    return replace(told, **parts)


def _chosen(table: ShiftTable, frame: int | None) -> FrameRow | None:
    """Return the row to show: the one asked for, else the ok one that is farthest off."""
    by_frame = {row.frame: row for row in table}
    if frame is not None:
        if frame not in by_frame:
            raise InputError(f"frame is {frame}; the run has {len(table)} frames, counted from 0")
        row = by_frame[frame]
        if not row.registration.status.keeps_shift:
            raise InputError(f"frame {frame} has no shift to show: {row.registration.reason}")
        return row
    # before and after are the same of the reference itself
    ok = [row for row in table if row.registration.ok and row.registration.status is not Status.REFERENCE]
    return max(ok, key=lambda row: float(np.hypot(*row.registration.shift)), default=None)


def _before_after(
    reference: NDArray[Any], moving: NDArray[Any], mask: NDArray[np.bool_] | None, row: FrameRow
) -> BeforeAfter:
    answer = row.registration
    aligned, aligned_mask = shift_image(moving, answer.shift, mask)
    valid = np.ones(reference.shape, bool) if mask is None else mask
    return BeforeAfter(
        title=f"Frame {row.frame}, {row.source}: shift {answer.shift_text} px (rows, columns), "
        f"{answer.status.label}. Both differences have one colour scale; hatched is what the mask ignores.",
        reference=_small(reference, valid & np.isfinite(reference)),
        before=_small(moving, valid & np.isfinite(moving)),
        after=_small(aligned, aligned_mask),
    )


def _peak(
    reference: NDArray[Any], moving: NDArray[Any], mask: NDArray[np.bool_] | None, row: FrameRow
) -> PeakMap:
    shift = row.registration.shift
    lag = nearest_lag(shift)
    found = correlate(reference, moving, mask, mask, max_shift=tuple(float(abs(s) + AROUND) for s in lag))
    near = np.ix_(*(np.abs(axis - s) <= AROUND for axis, s in zip(found.lags, lag, strict=True)))
    first = [int(axis[np.abs(axis - s) <= AROUND][0]) for axis, s in zip(found.lags, lag, strict=True)]
    return PeakMap(np.asarray(found.ncc[near], dtype=np.float64), (first[0], first[1]), shift)


def _mean(source: FrameSource, table: ShiftTable, mask: NDArray[np.bool_] | None) -> Mean | None:
    """Return the masked mean of a sample of the aligned frames, made at the size of the picture."""
    rows = [row for row in table if row.registration.ok]
    if len(rows) < 2:
        return None
    sample = [rows[place] for place in np.unique(np.linspace(0, len(rows) - 1, SAMPLE).astype(int))]
    scale = PICTURE / max(source.shape)
    binning = Binning(source.shape, PICTURE)
    total, count = None, None
    for row in sample:
        try:
            image = source.read(row.frame)
        except MaskregError as error:  # it could be read when it was aligned; a picture less, no failure
            log.warning("frame %d is not in the mean: %s", row.frame, error)
            continue
        valid = np.isfinite(image) if mask is None else mask & np.isfinite(image)
        aligned, aligned_mask = shift_image(
            _small(image, valid, binning), row.registration.shift * scale, order=1
        )
        if total is None or count is None:
            total, count = np.zeros(aligned.shape), np.zeros(aligned.shape)
        total += np.where(aligned_mask, aligned, 0.0)
        count += aligned_mask
    if total is None or count is None:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, total / count, np.nan)
    which = "all" if len(sample) == len(rows) else f"{len(sample)} of the {len(rows)}"
    return Mean(f"Mean of {which} ok frames", mean, count)


def _merged(output: Path, shape: Sequence[int]) -> Mean:
    """Return mean and count of what `merge` wrote; of groups, those of the first."""
    if output.suffix.lower() not in STACK_SUFFIXES:
        raise InputError(f"{output} is nothing that merge writes; that ends in {', '.join(STACK_SUFFIXES)}")
    images = []
    for name in ("mean", "count"):
        where = sibling(output, name) if output.suffix.lower() in (".tif", ".tiff") else f"{output}::/{name}"
        with open_frames(where) as source:
            groups, image = len(source), source.read(0)
        if image.shape != tuple(shape):
            raise InputError(
                f"{output}: {name} has shape {image.shape}, the frames of the run {tuple(shape)}"
            )
        images.append(_small(image, np.isfinite(image)))
    which = "all ok frames" if groups == 1 else f"the first of {groups} groups"
    return Mean(f"Mean of {which}, from {output.name}", images[0], images[1])


def _small(
    image: NDArray[Any], valid: NDArray[np.bool_], binning: Binning | None = None
) -> NDArray[np.float64]:
    """Return an image at the size of a picture, NaN where it is not valid."""
    valid = valid & ~np.ma.getmaskarray(image)
    binning = binning or Binning(image.shape, PICTURE)
    return binning(np.asarray(np.ma.getdata(image), dtype=np.float64), valid)


def _unless_too_large(make: Callable[[], Part]) -> Part | None:
    """Return a picture, or None where there is not enough memory for it."""
    try:
        return make()
    except MemoryError:
        log.warning("no correlation map: there is not enough memory for it")
        return None


def _versions() -> dict[str, Any]:
    import numba
    import scipy

    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "numba": numba.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
    }


def _opened_from(origin: Origin | None) -> dict[str, Any]:
    return {} if origin is None else {"input": origin.input, "in folder": origin.folder}
