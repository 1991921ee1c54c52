"""Align a series of frames in memory; `maskreg.series.run` does the same into a run folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from numpy.typing import ArrayLike

from maskreg.errors import interrupts_as_such
from maskreg.frames.seen import ensure_files
from maskreg.labelled import warn_of_a_mask
from maskreg.mask_doubt import turned_round
from maskreg.masks import mask_warning
from maskreg.options import Options
from maskreg.series.after.closing import closed
from maskreg.series.alignment import Alignment
from maskreg.series.before.memory import MEMORY_MB, workers_within
from maskreg.series.before.prepared import prepare
from maskreg.series.before.reference import ImageLike, ReferenceLike, is_mean
from maskreg.series.frames import Described, opened
from maskreg.series.mean.rounds import mean_rows
from maskreg.series.progress import with_progress
from maskreg.shifts import FrameRow
from maskreg.stream import Cluster, workers_of

log = logging.getLogger(__name__)


@interrupts_as_such()
def align(
    frames: Any,
    mask: ArrayLike | None = None,
    *,
    reference: ReferenceLike = "first",
    max_shift: float | tuple[float, ...] | None = None,
    min_overlap: float | None = None,
    exact: bool = False,
    subpixel: bool = True,
    gain: float | None = None,
    offset: float | None = None,
    read_noise: float | None = None,
    smoothing: float | str = "auto",
    dark: ImageLike | None = None,
    flat: ImageLike | None = None,
    pattern: str | None = None,
    metadata: str | os.PathLike[str] | None = None,
    repair: bool = False,
    workers: int | None = None,
    client: Any = None,
    memory: float = MEMORY_MB,
    progress: bool = False,
) -> Alignment:
    """Register every frame of a series to one reference.

    Frames that contradict their neighbours in the series are flagged as outliers at the end.

    Parameters
    ----------
    frames : str, path, list, array or FrameSource
        A file, folder or pattern, a list of files or of 2-D arrays, an array (n, rows, cols), or
        what `open_frames` returned. Dask arrays, `xarray.DataArray` and hyperspy signals are arrays;
        lazy ones are computed block by block.
    mask : (rows, cols) array of bool, optional
        True where pixels are valid, the same for all frames (what does not move with the image: a
        beam-block, dead pixels).
    reference : 'first', 'mean', int, path, array or condition
        What the frames are registered to: the first frame, the mean of all the other aligned
        frames (its place that of the first frame; five passes over the frames), the frame at an
        index (negative ones count from the end), an image file, an image, or the mean of the
        frames whose metadata meet a condition such as ``'delay<0'`` or ``'delay<0 and scan==1'``.
    max_shift, min_overlap, exact, subpixel, gain, offset, read_noise, smoothing
        See `maskreg.Options`.
    dark, flat : path or (rows, cols) array, optional
        Every frame of the series becomes (frame - dark) / flat first, float32; a flat need not be
        normalised, and where it is not positive pixels are invalid. Of several frames in a path the
        mean is taken. A reference that is an image of its own is taken as it is.
    pattern, metadata : optional
        Where metadata columns come from: the names of the files (``'{scan:d}_{delay:f}.tif'``), a
        CSV file. See `maskreg.open_frames`.
    repair : bool
        Give the table columns with shifts that are interpolated where a frame is not ok.
    workers : int, optional
        How many frames are registered at once; all cores unless told. It never changes a result. On
        Linux processes do it, forked from this one, where no other thread runs in it (they do in a
        notebook) and the series is long enough; otherwise threads.
    client : distributed.Client, optional
        The client of a Dask cluster, whose workers then do it. They open the files themselves, under
        the same paths; arrays in memory are refused. It never changes a result either.
    memory : float
        MB that registering may take: fewer frames are registered at once if these would need more.
    progress : bool
        Show a progress bar, if stderr is a terminal.

    Returns
    -------
    alignment : Alignment
        A shift for every frame. A frame that cannot be read or registered is in it, flagged.

    Raises
    ------
    InputError, InputTypeError
        An argument cannot be used, or the reference has no structure; the message names it.
    FrameError
        There are no frames, or none of them can be read.
    ClusterError
        The workers of `client` are not fit for it, or were lost.

    Examples
    --------
    >>> from maskreg.testing import ChromiumScan
    >>> scan = ChromiumScan((192, 192), scans=2)
    >>> alignment = align([scan.frame(i) for i in range(4)], scan.mask)
    >>> alignment
    Alignment(4 frames: 3 ok, 1 reference)
    >>> alignment.shifts.shape
    (4, 2)
    """
    options = Options(max_shift, min_overlap, exact, subpixel, gain, offset, read_noise, smoothing)
    described = Described(frames, pattern, metadata)
    who = workers_of(workers, client)
    warn_of_a_mask(mask, frames, whose="frames")
    with opened(described) as source:
        if isinstance(who, Cluster):
            ensure_files(source)
        else:
            who = workers_within(memory, who, source, exact=exact, mean=is_mean(reference))
        series = prepare(source, mask, reference, options, dark, flat, workers=who)
        if mask is not None and (warning := mask_warning(mask, f"use {turned_round(mask)}: True is valid")):
            log.warning("%s", warning)
        with closing(series.rows(range(len(source)), workers=who)) as rows:
            found: Sequence[FrameRow] = list(with_progress(rows, total=len(source), done=0, wanted=progress))
        if series.mean:
            found = mean_rows(series, found, workers=who)
    return Alignment(closed(found, repair=repair), described, series.mask, series.by)
