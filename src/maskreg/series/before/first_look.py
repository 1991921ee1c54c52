"""What a series tells of its detector before the first row: gain, pedestal, and what never moves.

It is read off the reference and the first `LOOKED_AT` frames by index, and off nothing else, and
only when there are so many: a run, a resumed run and a growing one agree. What the user says of
the detector wins.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import FrameError
from maskreg.frames import FrameSource
from maskreg.options import Options
from maskreg.registration import Registration, Status
from maskreg.series.before.reference import Reference
from maskreg.stream import ordered_map

if TYPE_CHECKING:
    from maskreg.core.aligned.frames import AlignedFrames, Pattern
    from maskreg.core.aligned.photon_transfer import PhotonTransfer
    from maskreg.core.aligned.static import Static

log = logging.getLogger(__name__)

LOOKED_AT = 16
"""So many frames are looked at; a series of fewer is registered as the options say."""

DIGITS = 6
"""What is told of the detector is told to so many digits: what the record says of it is all there is."""

NEAR_ZERO_PX = 1.5
"""What never moves is found within this of no shift."""


@dataclass(frozen=True)
class FirstLook:
    """What the first frames told.

    Attributes
    ----------
    options : Options
        Those of the user, with gain, offset and read noise where the frames told them.
    detector : PhotonTransfer or None
        As read off the frames.
    static : Static or None
        What never moves, in grey values above the offset.
    pattern : Pattern or None
        What moves, where something static was found.
    """

    options: Options
    detector: PhotonTransfer | None = None
    static: Static | None = None
    pattern: Pattern | None = None

    def corrected(self, frame: NDArray[Any], out: NDArray[np.float32] | None = None) -> NDArray[Any]:
        """Return a frame without what never moves, in `out` if it is given; as it is if nothing was found."""
        if self.static is None:
            return frame
        clean = self.static.clean(np.ma.getdata(frame), self.options.offset or 0.0, out)
        if np.ma.isMaskedArray(frame):
            clean[np.ma.getmaskarray(frame)] = np.nan
        return clean

    def judged(
        self, found: Registration, frame: NDArray[Any], mask: NDArray[np.bool_] | None
    ) -> Registration:
        """Return the registration of a frame, or that it holds nothing but what never moves."""
        if self.static is None or self.pattern is None or found.status not in (Status.OK, Status.WEAK):
            return found
        if found.ok and np.abs(found.shift).max() > NEAR_ZERO_PX:
            return found
        values, valid = self._values(frame), np.ones(frame.shape, bool) if mask is None else mask
        if np.ma.isMaskedArray(frame) or frame.dtype.kind == "f":
            valid = valid & np.isfinite(values) & ~np.ma.getmaskarray(frame)
            values = np.where(valid, values, np.float32(0))
        if found.ok and self.pattern.shown_by(self.static.corrected(values), valid, found.shift):
            return found
        spreads = self.static.shows_in(values, valid)
        if not self.static.is_sure(spreads):
            return found
        return replace(
            Registration.failed(Status.STATIC, 2, f"it stands out by {spreads:.0f} standard deviations"),
            significance=found.significance,
        )

    def describe(self) -> str | None:
        """Return what was found in words, with a fingerprint; None where nothing was."""
        parts = []
        if self.detector is not None:
            told = self.detector
            parts.append(
                f"gain {told.gain:.{DIGITS}g} e/count, offset {told.offset:.{DIGITS}g} counts, "
                f"read noise {told.read_noise:.{DIGITS}g} e"
            )
        if self.static is not None:
            size = f"{100 * self.static.strength:.2g} %" if self.static.multiplies else "something added"
            digest = hashlib.sha256(self.static.pattern.data)
            parts.append(f"static structure, {size} ({digest.hexdigest()[:16]})")
        return "; ".join(parts) or None

    def _values(self, frame: NDArray[Any]) -> NDArray[np.float32]:
        values: NDArray[np.float32] = np.ma.getdata(frame).astype(np.float32)
        values -= np.float32(self.options.offset or 0.0)
        return values


def take_first_look(
    source: FrameSource,
    mask: NDArray[np.bool_] | None,
    reference: Reference,
    options: Options,
    *,
    workers: int | None = None,
) -> FirstLook:
    """Look at the first frames of a series of integers; other data tell neither counts nor zero.

    `workers` frames, or parts of them, at once; all cores unless told. It changes nothing.
    """
    if len(source) < LOOKED_AT or reference.image.dtype.kind not in "ui" or source.dtype.kind not in "ui":
        return FirstLook(options)
    aligned, pulled = _aligned(source, mask, reference, options, workers)
    if aligned is None:
        return FirstLook(options)
    known = any(value is not None for value in (options.gain, options.offset, options.read_noise))
    evened = aligned.evened()
    detector = None if known else _detector_in(evened)
    if detector is not None:
        options = replace(options, **asdict(detector))
    elif not known and reference.image.dtype.kind != "u":
        return FirstLook(options)
    lit = evened.less(options.offset or 0.0)
    look = FirstLook(options, detector)
    if not pulled:  # what is taken off is faint; a block is to be left out
        look = _with_what_stays(look, aligned, lit)
    if (told := look.describe()) is not None:
        log.info("from the first %d frames: %s", len(aligned), told)
    _warn_of_a_soft_rim(lit)
    return look


def _detector_in(evened: AlignedFrames) -> PhotonTransfer | None:
    """Return what evenly lit frames tell of the detector, rounded; None if they tell nothing."""
    from maskreg.core.aligned.photon_transfer import PhotonTransfer, photon_transfer

    found = photon_transfer(evened)
    if found is None:
        return None
    return PhotonTransfer(*(float(f"{value:.{DIGITS}g}") for value in astuple(found)))


def _with_what_stays(look: FirstLook, aligned: AlignedFrames, lit: AlignedFrames) -> FirstLook:
    """Return a look with what never moves, and what does; `lit` are the frames evened, above the offset."""
    from maskreg.core.aligned.static import find_static

    if (static := find_static(lit)) is None:
        return look
    offset = look.options.offset or 0.0
    # a corrected frame holds no integers any more: what they count is said
    options = replace(
        look.options,
        gain=look.options.gain or 1.0,
        offset=offset,
        read_noise=look.options.read_noise or 0.0,
    )
    pattern = aligned.less(offset).corrected(static.corrected).pattern()
    return FirstLook(options, look.detector, static, pattern)


def _warn_of_a_soft_rim(lit: AlignedFrames) -> None:
    from maskreg.core.aligned.rim import find_soft_rim

    if (rim := find_soft_rim(lit)) is not None:
        log.warning(
            "along the mask up to %.0f %% of the light is missing, as far as %d px from its edge: "
            "the mask is too tight, grow it by %d px (grow)",
            100 * rim.dark, rim.depth, rim.depth + 1,
        )  # fmt: skip


def _aligned(
    source: FrameSource,
    mask: NDArray[np.bool_] | None,
    reference: Reference,
    options: Options,
    workers: int | None,
) -> tuple[AlignedFrames | None, bool]:
    """Return the first frames that are ok and show the pattern of the others, roughly aligned.

    And whether what stands still, and is not masked, pulled any of them.
    """
    from maskreg.core.aligned.frames import AlignedFrames

    run = partial(ordered_map, workers=workers)
    places, pulled = _places(source, mask, reference, options, run)
    # read once more, rather than kept while frames of no sure place may need as much memory
    images = run(partial(_read, source), [frame for frame, _ in places])
    kept: list[tuple[NDArray[Any], NDArray[np.float64]]] = []
    for image, (_, shift) in zip(images, places, strict=True):
        if image is not None and not _is_among(image, kept):
            kept.append((image, shift))
    if len(kept) < 2:
        return None, pulled
    valid = np.ones(source.shape, bool) if mask is None else mask.copy()
    for image, _ in kept:
        if np.ma.isMaskedArray(image):
            valid &= ~np.ma.getmaskarray(image)
    frames = [np.ma.getdata(image) for image, _ in kept]
    aligned = AlignedFrames.of(frames, valid, np.stack([shift for _, shift in kept]), run=run)
    alike = aligned.of_one_pattern()
    return alike if len(alike) > 1 else None, pulled


def _is_among(image: NDArray[Any], kept: Sequence[tuple[NDArray[Any], NDArray[np.float64]]]) -> bool:
    """Return whether a detector has delivered a frame again: its noise would pass for what never moves."""
    equal = partial(np.array_equal, equal_nan=True)  # row by row: other frames differ in the first ones
    return any(all(map(equal, np.ma.getdata(image), np.ma.getdata(other))) for other, _ in kept)


def _places(
    source: FrameSource,
    mask: NDArray[np.bool_] | None,
    reference: Reference,
    options: Options,
    run: Callable[..., Iterator[Any]],
) -> tuple[list[tuple[int, NDArray[np.float64]]], bool]:
    """Return which of the first frames are ok, their shifts, and whether what stands still pulled any."""
    from maskreg.core.registrar import Registrar

    registrar = Registrar(reference.image, mask, mask, **asdict(replace(options, exact=False)))
    unread: list[int] = []

    def place(frame: int) -> NDArray[np.float64] | None:
        image = _read(source, frame)
        if image is None:
            unread.append(frame)
            return None
        if frame == reference.frame:
            return np.zeros(2)
        found = registrar(image)
        return found.shift if found.ok else None

    found = list(zip(range(LOOKED_AT), run(place, range(LOOKED_AT)), strict=True))
    if unread:
        _tell_of(sorted(unread), source)
    others = [shift for frame, shift in found if frame not in (reference.frame, *unread)]
    if others and all(shift is None for shift in others):
        # weak frames take a hundred times as long as others: it is told before they are all done
        log.warning(
            "none of the first %d frames goes with %s: is it dark, a mask, or another scene? "
            "Try another reference, or look at the mask",
            LOOKED_AT,
            reference.name.rstrip(","),
        )
    if registrar.freed:
        log.warning(
            "parts of the frames stand still, as a beam-block does, and are not masked: "
            "shifts are told without them where that is sure; mask them (maskreg mask auto finds them)"
        )
    return [(frame, shift) for frame, shift in found if shift is not None], registrar.freed


def _tell_of(unread: list[int], source: FrameSource) -> None:
    """Say which of the first frames cannot be read."""
    more = f" and {len(unread) - 1} more of the first frames" if len(unread) > 1 else ""
    tell = "tell" if more else "tells"
    log.warning("%s%s cannot be read, and %s nothing of the detector", source.name(unread[0]), more, tell)


def _read(source: FrameSource, frame: int) -> NDArray[Any] | None:
    """Return a frame; None if it cannot be read."""
    try:
        return source.read(frame)
    except FrameError:
        return None
