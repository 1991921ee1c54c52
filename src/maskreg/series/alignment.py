"""What aligning a series gives."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from maskreg.apply.aligned import Aligned, AlignedFrames, Moving, describe_left_out, describe_range
from maskreg.apply.group_sum import layers_of
from maskreg.apply.groups import describe_alone, describe_groupless
from maskreg.apply.merge import Merged, Merging, merge, write_merged
from maskreg.apply.write import write_aligned
from maskreg.errors import InputError
from maskreg.frames.corrected import Calibration, as_corrected
from maskreg.labelled import is_labelled, labelled_like
from maskreg.notebook import table_html
from maskreg.outputs import atomic_write
from maskreg.registration import Status
from maskreg.series.after.closing import jumps_of
from maskreg.series.after.copies import Copies, copies_in
from maskreg.series.after.drift import Jump
from maskreg.series.frames import Described, open_described, opened
from maskreg.series.progress import with_progress
from maskreg.series.run_folder.inputs import FramesOfRun, ensure_no_input
from maskreg.shifts import ShiftTable
from maskreg.stream import Cluster, workers_of

log = logging.getLogger(__name__)

FLAGGED_SHOWN = 5
"""Flagged frames that a notebook names."""


class Alignment:
    """The shifts of a series, and the aligned frames on demand.

    Parameters
    ----------
    table : ShiftTable
        A row per frame.
    frames
        The series itself, as `maskreg.align` takes it.
    mask : (rows, cols) array of bool, optional
        True where pixels are valid, the same for all frames.
    by : Calibration, optional
        Dark and flat, taken off and divided out whenever frames are read.
    total : int, optional
        How many frames the series has, if not all of them are in the table.
    """

    def __init__(
        self,
        table: ShiftTable,
        frames: Any,
        mask: NDArray[np.bool_] | None = None,
        by: Calibration | None = None,
        *,
        total: int | None = None,
    ) -> None:
        self._table = table
        self._frames = frames
        self._mask = mask
        self._by = by
        self._total = total

    def __len__(self) -> int:
        return len(self._table)

    @property
    def total(self) -> int:
        """How many frames the series has: of a run that is not complete more than have a row."""
        return len(self) if self._total is None else self._total

    @property
    def shifts(self) -> NDArray[np.float64]:
        """What to apply to each frame so that it lands on the reference, px, (n, 2); NaN: no answer."""
        return np.array([row.registration.shift for row in self._table]).reshape(-1, 2)

    @property
    def uncertainty(self) -> NDArray[np.float64]:
        """1 sigma of `shifts` per axis, px, (n, 2)."""
        return np.array([row.registration.uncertainty for row in self._table]).reshape(-1, 2)

    @property
    def score(self) -> NDArray[np.float64]:
        """Masked NCC of each frame with the reference, (n,)."""
        return np.array([row.registration.score for row in self._table])

    @property
    def status(self) -> list[Status]:
        """What became of each frame, a list; each equals its label, and `ok` is the array to index with."""
        return [row.registration.status for row in self._table]

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Which frames have a shift that may be used without a second look, (n,)."""
        return np.array([row.registration.ok for row in self._table], dtype=bool)

    @property
    def jumps(self) -> list[Jump]:
        """Where the drift jumps and stays."""
        return jumps_of(self._table)

    @property
    def copies(self) -> list[Copies]:
        """Which frames are the same pixels as one before: the detector may have stuck."""
        return copies_in(self._table)

    def table(self) -> ShiftTable:
        """Return the table of shifts, a row per frame."""
        return self._table

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the table of shifts; the file gets its name when it is whole."""
        with atomic_write(path) as stream:
            self._table.to_csv(stream)

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write the table as JSON, a list of rows in full precision, what is not finite as null."""
        with atomic_write(path) as stream:
            json.dump(self._table.to_dicts(), stream, indent=1, allow_nan=False)
            stream.write("\n")

    @overload
    def apply(
        self,
        *,
        order: int = ...,
        dtype: DTypeLike | None = ...,
        fill: float | None = ...,
        include: Collection[str] = ...,
        workers: int | None = ...,
    ) -> Iterator[Aligned]: ...

    @overload
    def apply(
        self,
        output: str | os.PathLike[str],
        *,
        order: int = ...,
        dtype: DTypeLike | None = ...,
        fill: float | None = ...,
        include: Collection[str] = ...,
        workers: int | None = ...,
        client: Any = ...,
        overwrite: bool = ...,
        progress: bool = ...,
    ) -> None: ...

    def apply(
        self,
        output: str | os.PathLike[str] | None = None,
        *,
        order: int = 5,
        dtype: DTypeLike | None = None,
        fill: float | None = None,
        include: Collection[str] = (),
        workers: int | None = None,
        client: Any = None,
        overwrite: bool = False,
        progress: bool = False,
    ) -> Iterator[Aligned] | None:
        """Move every frame onto the reference, its mask with it: one at a time, or into a file.

        A frame that is not ok comes wholly invalid, so that counting on is safe. Frames of an
        `xarray.DataArray` that are yielded keep its coordinates.

        Parameters
        ----------
        output : path, optional
            Where to: ``.zarr``, ``.h5`` or ``.tif``, with the images ``frames`` and ``valid``. It
            appears when it is whole. Without it the frames are yielded.
        order : {5, 3, 1, 0}
            Degree of the interpolating polynomial; 0 moves by whole pixels and changes no value.
            A frame is interpolated once, and not at all along an axis whose shift is whole.
        dtype : dtype, optional
            Of the result; by default the frames' own for order 0, else float32 (float64 for wide
            integers). For integers values are rounded to the nearest and kept within the range.
        fill : float, optional
            What invalid pixels hold; NaN for floats and 0 for integers unless told.
        include : collection of str or Status, or one of these
            Statuses whose frames are used although they are not ok, such as ``['ambiguous']``.
        workers : int, optional
            Threads; all cores unless told. It never changes a byte.
        client : distributed.Client, optional
            The client of a Dask cluster, whose workers read, move and write the frames, each whole
            shards: the output is then ``.zarr``.
        overwrite : bool
            Replace an output of this name.
        progress : bool
            Show a progress bar, if stderr is a terminal.

        Yields
        ------
        image, mask
            (rows, cols) each, True = valid; nothing when there is an output.
        """
        moving = Moving(order, dtype, fill, include)
        who = workers_of(workers, client)
        if output is None:
            if isinstance(who, Cluster):
                raise InputError("client needs an output: frames that are yielded are made in this process")
            return self._each(moving, who)
        with self._opened(moving) as aligned:
            ensure_no_input(output, ["valid"], aligned.source, self._table)
            if about := describe_range(aligned.source.dtype, aligned.dtype):
                log.warning("%s", about)
            write_aligned(
                aligned, output, workers=who, overwrite=overwrite, watch=_bar(len(aligned), progress)
            )
        return None

    def aligned(
        self,
        kind: Literal["dask", "xarray"] = "dask",
        *,
        order: int = 5,
        dtype: DTypeLike | None = None,
        fill: float | None = None,
        include: Collection[str] = (),
    ) -> Any:
        """Return the aligned frames as a lazy array: nothing is read before it is computed.

        Parameters
        ----------
        kind : {'dask', 'xarray'}
            Two Dask arrays (n, rows, cols), frames and validity; or an xarray Dataset of both with
            the table's columns as coordinates.
        order, dtype, fill, include
            See `apply`.

        Raises
        ------
        MissingExtraError
            When Dask or xarray are not installed.
        """
        from maskreg.apply import lazy

        if kind not in ("dask", "xarray"):
            raise InputError(f"kind is {kind!r}; it is 'dask' or 'xarray'")
        # the frames stay open: the arrays may be computed at any time
        frames = self._moved(open_described(self._frames), Moving(order, dtype, fill, include))
        return lazy.as_dask(frames) if kind == "dask" else lazy.as_xarray(frames)

    def merge(
        self,
        output: str | os.PathLike[str] | None = None,
        *,
        by: str | None = None,
        normalise: bool = False,
        halves: bool = False,
        order: int = 5,
        include: Collection[str] = (),
        workers: int | None = None,
        client: Any = None,
        overwrite: bool = False,
        progress: bool = False,
    ) -> list[Merged]:
        """Merge the aligned frames: mean, count, standard error and variance of each pixel.

        Each pixel is the mean over the frames in which it is valid; frames that are not ok are left out.

        Parameters
        ----------
        output : path, optional
            Write ``mean``, ``count``, ``sem`` and ``var`` there (``.zarr``, ``.h5``; for ``.tif`` a file
            each); then nothing is kept in memory, and the list is empty.
        by : str, optional
            A column of metadata: frames with the same value are merged, groups in ascending order.
        normalise : bool
            Divide each frame by its intensity relative to the reference, on the pixels valid in both;
            the factors are written beside the output, as ``OUTPUT_factors.csv``.
        halves : bool
            Merge every other frame of each group too: ``mean_even``, ``mean_odd`` and so on.
        order, include, workers, overwrite, progress
            See `apply`.
        client : distributed.Client, optional
            The client of a Dask cluster, whose workers add up and join blocks of frames, and write
            the shards of a ``.zarr``; it never changes a byte.

        Returns
        -------
        list of Merged
            A group each, a single one without `by`.
        """
        how, who = Merging(by, normalise, halves), workers_of(workers, client)
        with self._opened(Moving(order, include=include)) as aligned:
            for about in filter(None, (describe_groupless(aligned, by), describe_alone(aligned, by))):
                log.warning("%s", about)
            watch = _bar(len(aligned), progress)
            if output is None:
                return list(merge(aligned, how, workers=who, watch=watch))
            ensure_no_input(output, layers_of(halves), aligned.source, self._table)
            write_merged(aligned, output, how, workers=who, overwrite=overwrite, watch=watch)
        return []

    def _each(self, moving: Moving, workers: int | None) -> Iterator[Aligned]:
        named = self._frames.frames if isinstance(self._frames, Described) else self._frames
        with opened(self._frames) as source:
            aligned = self._moved(source, moving).stream(workers=workers)
            for row, (image, valid) in zip(self._table, aligned, strict=True):
                template = named[row.frame] if is_labelled(named) else None
                yield labelled_like(template, image), labelled_like(template, valid)

    @contextmanager
    def _opened(self, moving: Moving) -> Iterator[AlignedFrames]:
        """Open the aligned frames, and say how many are used."""
        with opened(self._frames) as source:
            aligned = self._moved(source, moving)
            left_out = aligned.left_out()
            level = logging.WARNING if left_out else logging.INFO
            log.log(level, "%s", describe_left_out(left_out, len(aligned)))
            if isinstance(source, FramesOfRun) and (about := source.describe_changes()):
                log.warning("%s", about)
            yield aligned

    def _moved(self, source: Any, moving: Moving) -> AlignedFrames:
        return AlignedFrames(as_corrected(source, self._by), self._table, self._mask, moving)

    def __repr__(self) -> str:
        left = f"; not done are {self.total - len(self)}" if self.total > len(self) else ""
        return f"Alignment({self._table.describe()}{left})"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the counts, how far it drifted, and the first flagged frames."""
        ok = self.ok
        rows = [(status.label, str(count), status.sentence) for status, count in self._table.counts().items()]
        if ok.any():
            farthest = float(np.hypot(*self.shifts[ok].T).max())
            rows.append(("drift", f"{farthest:.2f} px", "the farthest of the frames that are ok"))
        flagged = [row for row in self._table if not row.registration.ok]
        rows += [
            (f"frame {row.frame}", row.registration.status.label, f"{row.source}: {row.registration.reason}")
            for row in flagged[:FLAGGED_SHOWN]
        ]
        if len(flagged) > FLAGGED_SHOWN:
            rows.append(("...", f"{len(flagged) - FLAGGED_SHOWN} more", "see table()"))
        done = f"{len(self)} of {self.total}" if self.total > len(self) else str(len(self))
        return table_html(f"Alignment of {done} frames", rows)


def _bar(total: int, wanted: bool) -> Any:
    """Return what shows a progress bar over frames as they come."""

    def watch(frames: Iterable[Any], done: int) -> Iterable[Any]:
        return with_progress(frames, total=total, done=done, wanted=wanted)

    return watch
