"""A series, checked and ready to be registered: what must be right before the first row."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.errors import InputError
from maskreg.frames import FrameSource
from maskreg.options import Options
from maskreg.registration import Registration
from maskreg.series.first_look import FirstLook, take_first_look
from maskreg.series.pipeline import register_frames
from maskreg.series.reference import Reference, ReferenceLike, find_reference, is_mean
from maskreg.shifts import FrameRow

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """Frames, one mask for all images (it does not move), the reference and the options.

    `look` is what the first frames tell of the detector.

    With `mean` the reference, the first frame, is where the mean of the aligned frames is begun and
    what its place means (see `maskreg.series.mean`).
    """

    source: FrameSource
    mask: NDArray[np.bool_] | None
    reference: Reference
    options: Options
    look: FirstLook
    mean: bool = False

    def rows(self, frames: Iterable[int], *, workers: int | None) -> Generator[FrameRow, None, None]:
        """Yield the rows of `frames`; what depends on reference and mask is computed once, first."""
        return register_frames(
            self.source, frames, self.registrar(), reference_frame=self.reference.frame, workers=workers
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

        def register(frame: NDArray[Any]) -> Registration:
            return look.judged(registrar(look.corrected(frame)), frame, self.mask)

        return register


def prepare(
    source: FrameSource, mask: ArrayLike | None, reference: ReferenceLike, options: Options
) -> Prepared:
    """Check mask and reference against the frames and put them together."""
    valid = _checked_mask(mask, source)
    mean = is_mean(reference)
    if mean and not options.subpixel:
        raise InputError(
            "reference='mean' aligns frames below the pixel; it cannot be used with subpixel=False"
        )
    found = find_reference(reference, source, valid, options)
    look = take_first_look(source, valid, found, options)
    return Prepared(source, valid, found, options, look, mean)


def _checked_mask(mask: ArrayLike | None, source: FrameSource) -> NDArray[np.bool_] | None:
    if mask is None:
        return None
    valid = np.asarray(mask)
    if valid.shape != tuple(source.shape):
        raise InputError(f"mask has shape {valid.shape}, the frames have {tuple(source.shape)}")
    if valid.dtype.kind not in "biu":
        raise InputError(f"mask has dtype {valid.dtype}; it must be boolean, True where pixels are valid")
    return valid.astype(bool)
