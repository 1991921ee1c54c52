"""Merge the aligned frames of a series, or of each group of its frames.

Each pixel is the mean over the frames in which it is valid: what the beam-block hid in one frame
is filled from the others, and the count says how many there were. The frames of a group are read
one after another and the groups one after another, so each frame is read once, and no more than one
group is in memory.
"""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from maskreg.apply.aligned import Aligned, AlignedFrames
from maskreg.apply.moments import Moments
from maskreg.apply.write import Watch, unwatched
from maskreg.errors import InputError
from maskreg.outputs import Description, Layer, atomic_write, open_stack, sibling
from maskreg.registration import Status
from maskreg.stream import available_cores, ordered_map

HALVES = ("even", "odd")
"""Every other frame of a group, by its place in the group: the first one is even."""

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
    workers: int | None = None,
    watch: Watch = unwatched,
    done: int = 0,
    keeper: Keeper | None = None,
) -> Iterator[Merged]:
    """Yield the merged groups, in ascending order of their values.

    Parameters
    ----------
    aligned, how, workers
        What is merged, and how; threads that move frames, all cores unless told.
    watch : callable
        See `maskreg.apply.write.write_aligned`.
    done : int
        Groups that are left out because they are done.
    keeper : Keeper, optional
        Where the sums of a group are kept from time to time, and gone on with if there are any.
    """
    groups = grouped(aligned, how.by)
    reference = _reference(aligned) if how.normalise else None
    sums = _Sums(aligned.shape, halves=how.halves)
    kept = keeper.kept() if keeper else None
    if kept is not None:
        sums.restore(kept)
    before = sum(len(members) for _, members in groups[:done]) + sums.frames
    positions = [position for _, members in groups for position in members][before:]

    def prepared(position: int) -> tuple[NDArray[Any], NDArray[np.bool_], float]:
        image, valid = aligned[position]
        factor = 1.0 if reference is None else _intensity(aligned, position, (image, valid), reference)
        return image / factor if reference is not None else image, valid, factor

    pauses = _Pauses()
    with closing(ordered_map(prepared, positions, workers=workers or available_cores())) as stream:
        frames = iter(watch(stream, before))
        for value, members in groups[done:]:
            while sums.frames < len(members):
                sums.add(*next(frames))
                if keeper and pauses.due():
                    keeper.keep(sums.arrays())
                    pauses.over()
            indices = tuple(aligned.table[position].frame for position in members)
            yield Merged(value, indices, tuple(sums.factors), sums.images())
            sums = _Sums(aligned.shape, halves=how.halves)


def write_merged(
    aligned: AlignedFrames,
    output: str | os.PathLike[str],
    how: Merging,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    watch: Watch = unwatched,
) -> int:
    """Write the merged groups and return how many there are; see `merge`.

    With ``normalise`` the factors go into ``OUTPUT_factors.csv`` beside the output. Goes on where the
    same output was left unfinished.
    """
    groups = grouped(aligned, how.by)
    names = [name for half in _halves(how.halves) for name in _names(half)]
    description = Description(
        layers=tuple(
            Layer(name, np.dtype(np.uint32 if name.startswith("count") else np.float64)) for name in names
        ),
        shape=cast("tuple[int, int]", aligned.shape),
        count=None if how.by is None else len(groups),
        axis=how.by or "frame",
        coordinates={} if how.by is None else {how.by: [value for value, _ in groups]},
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
    with open_stack(output, description, overwrite=overwrite) as writer:
        merging = merge(aligned, how, workers=workers, watch=watch, done=writer.done, keeper=writer)
        with closing(cast("Generator[Merged]", merging)) as merged:
            for group in merged:
                writer.write(group.images, _factor_lines(aligned, group))
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
        value = aligned.table[position].metadata.get(by)
        if value is not None:
            members.setdefault(value, []).append(position)
    if not members:
        known = dict.fromkeys(key for row in aligned.table for key in row.metadata)
        has = f"there are {', '.join(known)}" if known else "its frames have no metadata"
        raise InputError(f"by is {by!r}, which no frame of the series has: {has}")
    return sorted(members.items(), key=lambda item: _ascending(item[0]))


def _ascending(value: Any) -> tuple[bool, float, str]:
    """Return what to sort values by: numbers by size, then text."""
    is_text = isinstance(value, str)
    return is_text, 0.0 if is_text else float(value), str(value)


class _Sums:
    """The sums of a group of frames, and of its halves, as far as they are."""

    def __init__(self, shape: tuple[int, ...], *, halves: bool) -> None:
        self.factors: list[float] = []
        self._moments = {half: Moments(shape) for half in _halves(halves)}

    @property
    def frames(self) -> int:
        """How many frames are in."""
        return len(self.factors)

    def add(self, image: NDArray[Any], valid: NDArray[np.bool_], factor: float) -> None:
        """Take in the next frame."""
        for half, moments in self._moments.items():
            if half in ("", HALVES[self.frames % 2]):
                moments.add(image, valid)
        self.factors.append(factor)

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


def _intensity(aligned: AlignedFrames, position: int, frame: Aligned, reference: Aligned) -> float:
    """Return the intensity of a frame over that of the reference, on the pixels valid in both.

    The ratio of the sums, which noise does not bias (the slope of a fit would come out too small).
    """
    common = frame[1] & reference[1]
    own = float(frame[0][common].sum(dtype=np.float64))
    other = float(reference[0][common].sum(dtype=np.float64))
    if not (own > 0 and other > 0):
        raise InputError(
            f"frame {aligned.table[position].frame} ({aligned.table[position].source}) sums up to {own:g} "
            f"where the reference does to {other:g}: intensities must be positive to normalise; "
            "take the pedestal off with dark, or merge without normalise"
        )
    return own / other


def _factor_lines(aligned: AlignedFrames, group: Merged) -> str:
    sources = {row.frame: row.source for row in aligned.table}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for frame, factor in zip(group.frames, group.factors, strict=True):
        writer.writerow([frame, sources[frame], group.value, f"{factor:.9g}"])
    return text.getvalue()
