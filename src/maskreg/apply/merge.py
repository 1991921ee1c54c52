"""Merge the aligned frames of a series, or of each group of its frames.

Each pixel is the mean over the frames in which it is valid: what the beam-block hid in one frame
is filled from the others, and the count says how many there were. The frames of a group are read
one after another and the groups one after another, so each frame is read once, and no more than one
group is in memory. Sums are made in blocks of frames (`maskreg.stream.sums`): the workers of a cluster
add up whole blocks, join them among themselves, and write the groups.
"""

from __future__ import annotations

import csv
import io
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from maskreg.apply.aligned import Aligned, AlignedFrames
from maskreg.apply.group_sum import GroupSum, arrays_of, layers_of, parts_of
from maskreg.apply.groups import grouped
from maskreg.apply.write import Watch, names_in_output, unwatched
from maskreg.errors import InputError
from maskreg.frames.seen import sent
from maskreg.outputs import Description, Layer, Shards, StackWriter, atomic_write, open_stack, sibling
from maskreg.registration import Status
from maskreg.shifts import FrameRow
from maskreg.stream import Cluster, Workers, ordered_map
from maskreg.stream.sums import BlockSum, Growing, summed, sums_on_cluster

GROUPS_AHEAD = 4
"""So many groups may wait to be written by workers while frames of the next are added up."""

_SHORTEST = 1.0
"""Least time between two times that sums are kept, s."""


@dataclass(frozen=True)
class Merging:
    """How frames are merged.

    Attributes
    ----------
    by : str, optional
        A column of metadata; the frames with the same value make a group.
    normalise : bool
        Divide each frame by its intensity relative to the reference, on the pixels that are valid
        in both.
    halves : bool
        Merge the even and the odd frames of each group too.
    """

    by: str | None = None
    normalise: bool = False
    halves: bool = False


@dataclass(frozen=True, eq=False)
class Merged:
    """The frames of one group, merged.

    Attributes
    ----------
    value : any
        What the frames of the group have in common (None without groups).
    frames : tuple of int
        Their indices in the series.
    factors : tuple of float
        Intensity of each relative to the reference; all 1 unless normalised.
    images : dict
        By name: ``mean``, ``count``, ``sem``, ``var``, and with ``_even`` and ``_odd`` behind these
        names those of the halves.
    """

    value: Any
    frames: tuple[int, ...]
    factors: tuple[float, ...]
    images: dict[str, NDArray[Any]] = field(repr=False)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of the valid values; NaN where there are none."""
        return self.images["mean"]

    @property
    def count(self) -> NDArray[np.uint32]:
        """In how many frames each pixel is valid."""
        return self.images["count"]

    @property
    def sem(self) -> NDArray[np.float64]:
        """Standard error of the mean; NaN where fewer than two frames are valid."""
        return self.images["sem"]

    @property
    def var(self) -> NDArray[np.float64]:
        """Variance of the frames; NaN where fewer than two are valid."""
        return self.images["var"]


class Keeper(Protocol):
    """Keeps arrays until they are needed again, also by another process."""

    def keep(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays instead of those before."""

    def kept(self) -> Mapping[str, NDArray[Any]] | None:
        """Return the arrays that were kept, or None."""


def merge(
    aligned: AlignedFrames,
    how: Merging,
    *,
    workers: Workers = None,
    watch: Watch = unwatched,
    done: int = 0,
    keeper: Keeper | None = None,
) -> Iterator[Merged]:
    """Yield the merged groups, in ascending order of their values.

    Parameters
    ----------
    aligned, how, workers
        What is merged, and how; threads that move frames, all cores unless told, or a cluster.
    watch : callable
        See `maskreg.apply.write.write_aligned`.
    done : int
        Groups that are left out because they are done.
    keeper : Keeper, optional
        Where the sums of a group are kept from time to time, and gone on with if there are any.
    """
    of = _Parts(aligned, how)
    if isinstance(workers, Cluster):
        totals = summed(
            of.part, of.rows[done:], of.empty, workers=workers, send=of.send, watch=_from(watch, of, done)
        )
        with closing(totals):
            for place, total in enumerate(totals, start=done):
                yield of.merged(place, total)
        return
    sums = Growing(of.empty)
    kept = keeper.kept() if keeper else None
    if kept is not None:
        sums.restore(parts_of(kept, of.empty))
    before = of.frames(done) + sums.items
    rows = [row for group in of.rows for row in group][before:]
    pauses = _Pauses()
    with closing(ordered_map(of.part, rows, workers=workers)) as stream:
        frames = iter(watch(stream, before))
        for place in range(done, len(of.rows)):
            while sums.items < len(of.rows[place]):
                sums.add(next(frames))
                if keeper and pauses.due():
                    keeper.keep(arrays_of(sums.parts()))
                    pauses.over()
            yield of.merged(place, sums.total())
            sums = Growing(of.empty)


def write_merged(
    aligned: AlignedFrames,
    output: str | os.PathLike[str],
    how: Merging,
    *,
    workers: Workers = None,
    overwrite: bool = False,
    watch: Watch = unwatched,
) -> int:
    """Write the merged groups and return how many there are; see `merge`.

    With ``normalise`` the factors go into ``OUTPUT_factors.csv`` beside the output. Goes on where the
    same output was left unfinished.
    """
    of = _Parts(aligned, how)
    with open_stack(output, _description(aligned, how, of), overwrite=overwrite) as writer:
        if isinstance(workers, Cluster) and (shards := writer.shards()) is not None:
            _written_by_workers(of, writer, shards, workers, watch)
        else:
            begin = writer.done
            merging = merge(aligned, how, workers=workers, watch=watch, done=begin, keeper=writer)
            with closing(cast("Generator[Merged]", merging)) as merged:
                for place, group in enumerate(merged, start=begin):
                    writer.write(group.images, of.factor_lines(place, group.factors))
        if how.normalise:
            with atomic_write(sibling(writer.path, "factors", ".csv")) as stream:
                stream.write("frame,source,group,factor\n")
                stream.writelines(writer.notes)
    return len(of.rows)


def _description(aligned: AlignedFrames, how: Merging, of: _Parts) -> Description:
    """Return what the output is to hold."""
    names = layers_of(how.halves)
    axis = "frame" if how.by is None else names_in_output([how.by], names)[how.by]
    return Description(
        layers=tuple(
            Layer(name, np.dtype(np.uint32 if name.startswith("count") else np.float64)) for name in names
        ),
        shape=cast("tuple[int, int]", aligned.shape),
        count=None if how.by is None else len(of.rows),
        axis=axis,
        coordinates={} if how.by is None else {axis: of.values},
        attributes={
            "maskreg": {
                "by": how.by,
                "normalise": how.normalise,
                "frames": [len(rows) for rows in of.rows],
            }
        },
        made_of=aligned.digest(),
        batch=1,  # a group is many frames
    )


@dataclass(frozen=True)
class _Part:
    """What a frame adds to its group."""

    aligned: AlignedFrames
    reference: Aligned | None

    def __call__(self, row: FrameRow) -> tuple[NDArray[Any], NDArray[np.bool_], float]:
        """Return the frame of a row, its valid pixels, and its intensity, by which it is divided."""
        image, valid = self.aligned.of(row)
        if self.reference is None:
            return image, valid, 1.0
        factor = _intensity(row, (image, valid), self.reference)
        return image / factor, valid, factor


class _Parts:
    """What is added up: the rows of every group, and what is made of each of them."""

    def __init__(self, aligned: AlignedFrames, how: Merging) -> None:
        groups = grouped(aligned, how.by)
        self.values = [value for value, _ in groups]
        self.rows = [[aligned.table[position] for position in members] for _, members in groups]
        self.part = _Part(aligned.without_rows(), _reference(aligned) if how.normalise else None)
        self.empty = partial(GroupSum, aligned.shape, how.halves)
        self.send = partial(sent, source=aligned.source)

    def frames(self, groups: int) -> int:
        """Return how many frames the first groups have."""
        return sum(map(len, self.rows[:groups]))

    def merged(self, place: int, total: GroupSum) -> Merged:
        """Return a group of which this is the sum."""
        indices = tuple(row.frame for row in self.rows[place])
        return Merged(self.values[place], indices, tuple(total.factors), total.images())

    def factor_lines(self, place: int, factors: Sequence[float]) -> str:
        """Return the lines of the table of factors for a group."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for row, factor in zip(self.rows[place], factors, strict=True):
            writer.writerow([row.frame, row.source, self.values[place], f"{factor:.9g}"])
        return text.getvalue()


def _from(watch: Watch, of: _Parts, done: int) -> Callable[[Any], Any]:
    """Return what shows frames as they come, behind those of the groups that are done."""
    return lambda frames: watch(frames, of.frames(done))


def _written_by_workers(
    of: _Parts, writer: StackWriter, shards: Shards, cluster: Cluster, watch: Watch
) -> None:
    """Have the workers of a cluster write the groups, each by one of them."""
    under_way: deque[tuple[int, Any]] = deque()
    done = writer.done
    with cluster.session(of.send(BlockSum(of.part, of.empty))) as session:

        def note_the_oldest() -> None:
            place, future = under_way.popleft()
            writer.written(1, of.factor_lines(place, session.result(future)))

        with closing(sums_on_cluster(session, of.rows[done:], _from(watch, of, done))) as totals:
            for place, total in enumerate(totals, start=done):
                under_way.append((place, session.submit(_write_group, shards, place, total)))
                if len(under_way) > GROUPS_AHEAD:
                    note_the_oldest()
        while under_way:
            note_the_oldest()


def _write_group(shards: Shards, place: int, total: GroupSum) -> list[float]:
    """Write a group and return its factors: a task of a cluster."""
    shards.write(place, {name: image[np.newaxis] for name, image in total.images().items()})
    return total.factors


class _Pauses:
    """When to keep sums: so seldom that it takes a twentieth of the time, and not every second."""

    def __init__(self) -> None:
        self._at = time.monotonic() + _SHORTEST

    def due(self) -> bool:
        """Return whether it is time; then the pause begins."""
        self._began = time.monotonic()
        return self._began >= self._at

    def over(self) -> None:
        """Say that the pause is over."""
        now = time.monotonic()
        self._at = now + max(_SHORTEST, 20 * (now - self._began))


def _reference(aligned: AlignedFrames) -> Aligned:
    """Return the image whose intensity is 1: the reference, else the first frame that is used."""
    labels = [row.registration.status for row in aligned.table]
    if Status.REFERENCE in labels:
        return aligned[labels.index(Status.REFERENCE)]
    return aligned[next(p for p, row in enumerate(aligned.table) if aligned.moving.uses(row))]


def _intensity(row: FrameRow, frame: Aligned, reference: Aligned) -> float:
    """Return the intensity of a frame over that of the reference, on the pixels valid in both.

    The ratio of the sums, which noise does not bias (the slope of a fit would come out too small).
    """
    common = frame[1] & reference[1]
    own = float(frame[0][common].sum(dtype=np.float64))
    other = float(reference[0][common].sum(dtype=np.float64))
    if not (own > 0 and other > 0):
        raise InputError(
            f"frame {row.frame} ({row.source}) sums up to {own:g} "
            f"where the reference does to {other:g}: intensities must be positive to normalise; "
            "take the pedestal off with dark, or merge without normalise"
        )
    return own / other
