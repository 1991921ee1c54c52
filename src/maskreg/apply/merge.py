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
from maskreg.apply.moments import Moments
from maskreg.apply.write import Watch, names_in_output, unwatched
from maskreg.errors import InputError
from maskreg.frames.seen import sent
from maskreg.outputs import Description, Layer, Shards, StackWriter, atomic_write, open_stack, sibling
from maskreg.registration import Status
from maskreg.shifts import FrameRow
from maskreg.stream import Cluster, Workers, ordered_map
from maskreg.stream.sums import BlockSum, Growing, summed, sums_on_cluster

HALVES = ("even", "odd")
"""Every other frame of a group, by its place in the group: the first one is even."""

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
        sums.restore(_parts_of(kept, of.empty))
    before = of.frames(done) + sums.items
    rows = [row for group in of.rows for row in group][before:]
    pauses = _Pauses()
    with closing(ordered_map(of.part, rows, workers=workers)) as stream:
        frames = iter(watch(stream, before))
        for place in range(done, len(of.rows)):
            while sums.items < len(of.rows[place]):
                sums.add(next(frames))
                if keeper and pauses.due():
                    keeper.keep(_arrays_of(sums.parts()))
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
    groups = grouped(aligned, how.by)
    names = [name for half in _halves(how.halves) for name in _names(half)]
    axis = "frame" if how.by is None else names_in_output([how.by], names)[how.by]
    description = Description(
        layers=tuple(
            Layer(name, np.dtype(np.uint32 if name.startswith("count") else np.float64)) for name in names
        ),
        shape=cast("tuple[int, int]", aligned.shape),
        count=None if how.by is None else len(groups),
        axis=axis,
        coordinates={} if how.by is None else {axis: [value for value, _ in groups]},
        attributes={
            "maskreg": {
                "by": how.by,
                "normalise": how.normalise,
                "frames": [len(members) for _, members in groups],
            }
        },
        made_of=aligned.digest(),
        batch=1,  # a group is many frames
    )
    of = _Parts(aligned, how)
    with open_stack(output, description, overwrite=overwrite) as writer:
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
    return len(groups)


def grouped(aligned: AlignedFrames, by: str | None) -> list[tuple[Any, list[int]]]:
    """Return the groups of the frames that are used: their value, and positions in the table.

    Frames that have no such value belong to no group.

    Raises
    ------
    InputError
        When no frame is used, or none has metadata of this name.
    """
    used = [position for position, row in enumerate(aligned.table) if aligned.moving.uses(row)]
    if not used:
        raise InputError("no frame of the series is ok: there is nothing to merge; see the column status")
    if by is None:
        return [(None, used)]
    members: dict[Any, list[int]] = {}
    for position in used:
        row = aligned.table[position]
        if is_grouped(row, by):
            members.setdefault(row.metadata[by], []).append(position)
    if not members:
        known = dict.fromkeys(key for row in aligned.table for key in row.metadata if key != by)
        has = (
            f"there are {', '.join(known)}"
            if known
            else "--pattern or --metadata (pattern=, metadata=) of align tell them"
        )
        raise InputError(f"by is {by!r}, which no frame of the series has: {has}")
    return sorted(members.items(), key=lambda item: _ascending(item[0]))


def is_grouped(row: FrameRow, by: str | None) -> bool:
    """Return whether a frame is in a group: only frames without a value of the column `by` are in none."""
    return by is None or row.metadata.get(by) is not None


def describe_groupless(aligned: AlignedFrames, by: str | None) -> str:
    """Return one line about frames that are used, and have no value of `by`; '' where there are none.

    Where none has one there is nothing to merge, which is an error of its own.
    """
    used = [row for row in aligned.table if aligned.moving.uses(row)]
    missing = sum(not is_grouped(row, by) for row in used)
    return f"{missing} of these have no '{by}', and are in no group" if 0 < missing < len(used) else ""


def describe_alone(aligned: AlignedFrames, by: str | None) -> str:
    """Return one line where no two frames share a value of `by`, so that nothing is averaged; else ''."""
    groups = [] if by is None else grouped(aligned, by)
    if len(groups) < 3 or any(len(members) > 1 for _, members in groups):
        return ""
    return (
        f"each of the {len(groups)} frames has a '{by}' of its own, so that nothing is averaged; "
        "if these are readings, round them first, in a table for --metadata"
    )


def _ascending(value: Any) -> tuple[bool, float, str]:
    """Return what to sort values by: numbers by size, then text."""
    is_text = isinstance(value, str)
    return is_text, 0.0 if is_text else float(value), str(value)


class GroupSum:
    """The sum of frames of a group, and of its halves.

    Parameters
    ----------
    shape : (rows, cols)
    halves : bool
        Whether even and odd frames are added up by themselves too.

    Attributes
    ----------
    factors : list of float
        Intensity of each frame.
    """

    def __init__(self, shape: tuple[int, ...], halves: bool) -> None:
        self.factors: list[float] = []
        self._moments = {half: Moments(shape) for half in _halves(halves)}

    def add(self, part: tuple[NDArray[Any], NDArray[np.bool_], float]) -> None:
        """Take in the next frame, where it is valid, and its factor."""
        image, valid, factor = part
        for half, moments in self._moments.items():
            if half in ("", HALVES[len(self.factors) % 2]):
                moments.add(image, valid)
        self.factors.append(factor)

    def joined(self, other: GroupSum) -> GroupSum:
        """Return the sum of this and of one whose frames come after an even number of these."""
        both = GroupSum((0, 0), halves=False)
        both._moments = {half: own.joined(other._moments[half]) for half, own in self._moments.items()}
        both.factors = self.factors + other.factors
        return both

    def images(self) -> dict[str, NDArray[Any]]:
        """Return the merged images by name."""
        images: dict[str, NDArray[Any]] = {}
        for half, moments in self._moments.items():
            computed = (moments.mean, moments.count, moments.standard_error, moments.variance)
            images |= dict(zip(_names(half), computed, strict=True))
        return images

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything there is, to the bit."""
        arrays: dict[str, NDArray[Any]] = {"factors": np.array(self.factors)}
        for half, moments in self._moments.items():
            arrays |= {f"{name}{half}": array for name, array in moments.arrays().items()}
        return arrays

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `arrays` returned."""
        self.factors = arrays["factors"].tolist()
        for half, moments in self._moments.items():
            moments.restore({name: arrays[f"{name}{half}"] for name in moments.arrays()})


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


def _arrays_of(parts: list[tuple[GroupSum, int] | None]) -> dict[str, NDArray[Any]]:
    """Return sums that grow as named arrays."""
    arrays = {"counts": np.array([0 if part is None else part[1] for part in parts])}
    for level, part in enumerate(parts):
        if part is not None:
            arrays |= {f"{level}.{name}": array for name, array in part[0].arrays().items()}
    return arrays


def _parts_of(
    arrays: Mapping[str, NDArray[Any]], empty: Callable[[], GroupSum]
) -> list[tuple[GroupSum, int] | None]:
    """Return the sums that grow from their named arrays."""
    parts: list[tuple[GroupSum, int] | None] = []
    for level, count in enumerate(arrays["counts"].tolist()):
        if not count:
            parts.append(None)
            continue
        total, prefix = empty(), f"{level}."
        total.restore(
            {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        )
        parts.append((total, count))
    return parts


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


def _halves(wanted: bool) -> tuple[str, ...]:
    return ("", *HALVES) if wanted else ("",)


def _names(half: str) -> list[str]:
    return [f"{name}_{half}" if half else name for name in ("mean", "count", "sem", "var")]


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
