"""Merge the aligned frames of a series, or of each group of its frames.

Each pixel is the mean over the frames in which it is valid: what the beam-block hid in one frame
is filled from the others, and the count says how many there were. The frames of a group are read
one after another and the groups one after another, so each frame is read once, and no more than one
group is in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from maskreg.apply.aligned import Aligned, AlignedFrames
from maskreg.apply.moments import Moments
from maskreg.errors import InputError
from maskreg.outputs import Description, Layer, atomic_write, open_stack, sibling
from maskreg.registration import Status
from maskreg.stream import available_cores, ordered_map

Watch = Callable[[Iterable[Any]], Iterable[Any]]

HALVES = ("even", "odd")
"""Every other frame of a group, by its place in the group: the first one is even."""


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


def merge(
    aligned: AlignedFrames, how: Merging, *, workers: int | None = None, watch: Watch = iter
) -> Iterator[Merged]:
    """Yield the merged groups, in ascending order of their values."""
    groups = grouped(aligned, how.by)
    reference = _reference(aligned) if how.normalise else None
    positions = [position for _, members in groups for position in members]

    def prepared(position: int) -> tuple[NDArray[Any], NDArray[np.bool_], float]:
        image, valid = aligned[position]
        factor = 1.0 if reference is None else _intensity(aligned, position, (image, valid), reference)
        return image / factor if reference is not None else image, valid, factor

    frames = iter(watch(ordered_map(prepared, positions, workers=workers or available_cores())))
    for value, members in groups:
        yield _merged(aligned, value, members, frames, halves=how.halves)


def write_merged(
    aligned: AlignedFrames,
    output: str | os.PathLike[str],
    how: Merging,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    watch: Watch = iter,
) -> int:
    """Write the merged groups and return how many there are; see `merge`.

    With ``normalise`` the factors go into ``OUTPUT_factors.csv`` beside the output.
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
    )
    lines = []
    with open_stack(output, description, overwrite=overwrite) as writer:
        for group in merge(aligned, how, workers=workers, watch=watch):
            writer.write(group.images)
            lines += _factor_lines(aligned, group)
    if how.normalise:
        path = sibling(writer.path, "factors", ".csv")
        with atomic_write(path) as stream:
            stream.write("frame,source,group,factor\n")
            stream.writelines(lines)
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


def _merged(
    aligned: AlignedFrames, value: Any, members: list[int], frames: Iterator[Any], *, halves: bool
) -> Merged:
    moments = {half: Moments(aligned.shape) for half in _halves(halves)}
    factors = []
    for place in range(len(members)):
        image, valid, factor = next(frames)
        for half, sums in moments.items():
            if half in ("", HALVES[place % 2]):
                sums.add(image, valid)
        factors.append(factor)
    images: dict[str, NDArray[Any]] = {}
    for half, sums in moments.items():
        computed = (sums.mean, sums.count, sums.standard_error, sums.variance)
        images |= dict(zip(_names(half), computed, strict=True))
    indices = tuple(aligned.table[position].frame for position in members)
    return Merged(value, indices, tuple(factors), images)


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


def _factor_lines(aligned: AlignedFrames, group: Merged) -> list[str]:
    sources = {row.frame: row.source for row in aligned.table}
    value = "" if group.value is None else group.value
    return [
        f'{frame},"{sources[frame]}",{value},{factor:.9g}\n'
        for frame, factor in zip(group.frames, group.factors, strict=True)
    ]
