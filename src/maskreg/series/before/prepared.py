"""A series, checked and ready to be registered: what must be right before the first row."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass, replace
from threading import Lock, local
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.errors import InputError
from maskreg.frames import FrameSource
from maskreg.frames.corrected import Calibration, CorrectedFrames, calibration
from maskreg.mask_doubt import doubt_of, ensure_truth_values
from maskreg.nodata import nodata_warning
from maskreg.options import Options
from maskreg.registration import Registration
from maskreg.series.before.first_look import FirstLook, take_first_look
from maskreg.series.before.reference import (
    ImageLike,
    Reference,
    ReferenceLike,
    find_reference,
    is_mean,
    read_mean,
)
from maskreg.series.pipeline import register_frames
from maskreg.shifts import FrameRow
from maskreg.stream import Cluster, Workers

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """Frames, one mask for all images (it does not move), the reference and the options.

    `look` is what the first frames tell of the detector.

    With `mean` the reference, the first frame, is where the mean of the aligned frames is begun and
    what its place means (see `maskreg.series.mean`). With a calibration (`by`) the frames are corrected
    ones, and the mask leaves out what it says nothing of.
    """

    source: FrameSource
    mask: NDArray[np.bool_] | None
    reference: Reference
    options: Options
    look: FirstLook
    mean: bool = False
    by: Calibration | None = None

    def rows(self, frames: Sequence[int], *, workers: Workers) -> Generator[FrameRow, None, None]:
        """Yield the rows of `frames`; what depends on reference and mask is computed once, first."""
        register = SeriesRegistrar(self) if isinstance(workers, Cluster) else self.registrar()
        return register_frames(
            self.source,
            frames,
            register,
            mask=self.mask,
            reference_frame=self.reference.frame,
            workers=workers,
        )

    def registrar(self) -> Callable[[NDArray[Any]], Registration]:
        """Return what registers an image to the reference, without what never moves."""
        # here, because it brings the compiler of the kernels, for which who reads a run need not wait
        from maskreg.core.plan import make_plan
        from maskreg.core.registrar import Registrar

        look, reference = self.look, self.reference
        shape = tuple(self.source.shape)
        log.debug("registered to %s", self.reference.name.rstrip(","))
        log.debug("plan: %s", make_plan(shape, shape, exact=self.options.exact))
        image = look.corrected(reference.image)
        registrar = Registrar(image, self.mask, self.mask, **asdict(look.options))

        clean = local()

        def register(frame: NDArray[Any]) -> Registration:
            if look.static is not None and not hasattr(clean, "out"):
                # the pages of a large array of its own for each frame take as long as what fills it
                clean.out = np.empty(shape, np.float32)
            image = look.corrected(frame, getattr(clean, "out", None))
            return look.judged(registrar(image), frame, self.mask)

        return register


class SeriesRegistrar:
    """What registers images to the reference of a series; it is sent without what it computes first.

    Parameters
    ----------
    series : Prepared
    """

    def __init__(self, series: Prepared) -> None:
        self._series = series
        self._lock = Lock()
        self._register: Callable[[NDArray[Any]], Registration] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return SeriesRegistrar, (self._series,)

    def __call__(self, image: NDArray[Any]) -> Registration:
        """Register an image."""
        with self._lock:
            if self._register is None:
                self._register = self._series.registrar()
        return self._register(image)


def prepare(
    source: FrameSource,
    mask: ArrayLike | None,
    reference: ReferenceLike,
    options: Options,
    dark: ImageLike | None = None,
    flat: ImageLike | None = None,
    *,
    workers: Workers = None,
) -> Prepared:
    """Check mask, calibration and reference against the frames and put them together.

    `workers` threads look at the first frames; all cores of this machine unless told.
    """
    valid = _checked_mask(mask, source)
    mean = is_mean(reference)
    if mean and not options.subpixel:
        raise InputError(
            "reference='mean' aligns frames below the pixel; it cannot be used with subpixel=False"
        )
    by = calibration(_image(dark), _image(flat), source.shape)
    if by is not None:
        if options.offset is not None:
            raise InputError(
                f"offset is {options.offset:g} and dark or flat are given: the dark takes the pedestal off; "
                "leave offset out (a pedestal alone is a dark with that value everywhere)"
            )
        source = CorrectedFrames(source, by)
        valid = by.valid if valid is None else valid & by.valid
        valid = None if valid.all() else valid
    found = find_reference(reference, source, valid, options)
    if about := nodata_warning(found.image, valid):
        log.warning("%s: %s", found.name.rstrip(","), about)
    look = look_at(source, valid, found, options, workers=workers)
    return Prepared(source, valid, found, options, look, mean, by)


def look_at(
    source: FrameSource,
    mask: NDArray[np.bool_] | None,
    reference: Reference,
    options: Options,
    *,
    workers: Workers = None,
) -> FirstLook:
    """Return what the first frames of a source, raw or corrected, tell of the detector."""
    threads = None if isinstance(workers, Cluster) else workers
    look = take_first_look(source, mask, reference, options, workers=threads)
    return replace(look, options=_of_corrected(look.options, source))


def _of_corrected(options: Options, source: FrameSource) -> Options:
    """Return the options with the detector model that the correction leaves.

    Corrected frames are floats, which by themselves are taken as equally noisy everywhere. When the
    raw ones counted, they still do: without a pedestal, and each count stands for `response` times
    as many electrons, whatever the flat was normalised to.
    """
    if not isinstance(source, CorrectedFrames):
        return options
    told = options.gain is not None or options.read_noise is not None
    if not told and source.raw.dtype.kind != "u":
        return options
    return replace(options, gain=(options.gain or 1.0) * source.by.response, offset=0.0)


def _image(image: ImageLike | None) -> NDArray[np.generic] | None:
    if image is None:
        return None
    return read_mean(image) if isinstance(image, str | os.PathLike) else np.asanyarray(image)


def _checked_mask(mask: ArrayLike | None, source: FrameSource) -> NDArray[np.bool_] | None:
    if mask is None:
        return None
    if isinstance(mask, str | os.PathLike):
        raise InputError(
            f"mask is {str(mask)!r}; give an array: maskreg.masks.load_mask reads it from a file"
        )
    valid = np.asarray(mask)
    if valid.shape != tuple(source.shape):
        raise InputError(f"mask has shape {valid.shape}, the frames have {tuple(source.shape)}")
    ensure_truth_values("mask", valid)
    if doubt := doubt_of(valid):
        log.warning("the mask %s", doubt)
    return valid.astype(bool)
