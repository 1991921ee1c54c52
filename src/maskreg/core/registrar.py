"""One reference, many moving images: all that depends on the reference is computed once."""

from __future__ import annotations

from threading import Lock
from typing import Any, NoReturn

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from maskreg.core.ahead import prepare
from maskreg.core.clipped import robust_registration
from maskreg.core.detector.credible import ensure_electrons
from maskreg.core.detector.drawn import Box, less_boxes
from maskreg.core.detector.same_in_both import same_in_both
from maskreg.core.image.checked import (
    check_same_axes,
    checked_image,
    checked_mask,
    checked_pixels,
    every_pixel_counts,
    warn_of_colour,
)
from maskreg.core.image.counts import as_counts
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import MaskPyramid
from maskreg.core.image.stabilise import Detector, detector_for
from maskreg.core.kernels_of_pair import compile_together
from maskreg.core.masked_side import MaskedSide
from maskreg.core.reference import Counted, ReferenceSide
from maskreg.core.standing.one_mask import OneMask
from maskreg.errors import InputError, interrupts_as_such
from maskreg.geometry import nearest_lag
from maskreg.options import Options
from maskreg.registration import Registration, Status

compile_together()


class Registrar:
    """Registers moving images to one reference.

    What depends on the reference and on the static masks only is computed once. Copies of these are kept: the
    arrays may be filled anew. Thread-safe.

    Parameters
    ----------
    reference : array_like
        Real, 1-D or more, any dtype.
    reference_mask : array_like of bool, optional
        True = valid, same shape; None: every finite pixel is.
    moving_mask : array_like of bool, optional
        Static mask of the moving images, of their shape; None: every finite pixel is valid. What stands
        still, as a beam-block, belongs in both masks.
    max_shift, min_overlap, exact, subpixel, gain, offset, read_noise, smoothing
        See `maskreg.Options`.

    Raises
    ------
    InputError, InputTypeError
        An argument cannot be used; the message names it.

    Examples
    --------
    >>> from maskreg.testing import ChromiumScan
    >>> scan = ChromiumScan((192, 192), scans=2)
    >>> registrar = Registrar(scan.frame(0), scan.mask, scan.mask)
    >>> [registrar(scan.frame(i)).ok for i in (5, 10, 20)]
    [True, True, True]
    """

    def __init__(
        self,
        reference: ArrayLike,
        reference_mask: ArrayLike | None = None,
        moving_mask: ArrayLike | None = None,
        *,
        max_shift: float | tuple[float, ...] | None = None,
        min_overlap: float | None = None,
        exact: bool = False,
        subpixel: bool = True,
        gain: float | None = None,
        offset: float | None = None,
        read_noise: float | None = None,
        smoothing: float | str = "auto",
    ) -> None:
        self.options = Options(max_shift, min_overlap, exact, subpixel, gain, offset, read_noise, smoothing)
        pixels, mask = checked_image("reference", reference, reference_mask)
        warn_of_colour("reference", pixels)
        # copies, as of all masks that are kept: the caller may read the next frame into the same memory
        self._mask = mask.copy()
        self._pixels = as_counts(pixels, self._mask).copy()
        self._one_mask = OneMask(pixels, self._mask)
        ensure_electrons(self.options, self._pixels, self._mask)
        self.options.limits(self._pixels.ndim)  # says now, not at the first frame, if they do not fit
        static = None if moving_mask is None else _static_mask(moving_mask, self._pixels.ndim)
        self._masks = _KnownMasks(static)
        self._sides: dict[tuple[Detector, frozenset[Box]], ReferenceSide] = {}
        self._masked: list[MaskedSide] = []
        self._counted = Counted()
        self._lock = Lock()

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self._mask.shape))
        return f"Registrar(reference of {shape} px, {self._mask.mean():.1%} valid)"

    def __reduce__(self) -> NoReturn:
        # each task of a pool would make anew what depends on the reference, which takes longer than a frame
        raise TypeError(
            "a Registrar is not pickled; use threads (ThreadPoolExecutor), which share it and run at once, "
            "make one in each process, or align a series"
        )

    @interrupts_as_such()
    def __call__(self, moving: ArrayLike, moving_mask: ArrayLike | None = None) -> Registration:
        """Register one moving image.

        Parameters
        ----------
        moving : array_like
            Real, as many axes as the reference.
        moving_mask : array_like of bool, optional
            True = valid; combined with the static mask by and.

        Returns
        -------
        Registration
            Its `shift` (px, array axis order) applied to moving lands it on the reference.

        Raises
        ------
        InputError, InputTypeError
            An argument cannot be used; the message names it.
        """
        threads = scipy.fft.get_workers()
        with scipy.fft.set_workers(1):  # transforms of one image are too small to be shared
            return self._registered(moving, moving_mask, threads)

    def _registered(self, moving: ArrayLike, moving_mask: ArrayLike | None, threads: int) -> Registration:
        if every_pixel_counts(moving, moving_mask):
            pixels = checked_pixels("moving", moving)
            check_same_axes(self._pixels, pixels)
            masks = self._masks.of_whole(pixels.shape)
        else:
            pixels, mask = checked_image("moving", moving, moving_mask)
            check_same_axes(self._pixels, pixels)
            masks = self._masks.of(mask)
        found = self._registered_behind(as_counts(pixels, masks.mask), masks, threads)
        self._one_mask.ask(self._pixels, pixels, masks.mask, nearest_lag(found.shift) if found.ok else None)
        return found

    def _registered_behind(self, pixels: NDArray[Any], masks: MaskPyramid, threads: int) -> Registration:
        """Return the registration of checked pixels behind a mask, without what is no scene in both."""
        boxes, mask = same_in_both(self._pixels, self._mask, pixels, masks.mask), self._mask
        if boxes:
            mask, masks = less_boxes(mask, boxes), self._masks.of(less_boxes(masks.mask, boxes))
        detector = detector_for(self.options, [(self._pixels, mask), (pixels, masks.mask)])
        side = self._side(detector, mask, boxes)
        useless = _useless("reference", side.image)
        if useless is not None:
            return useless
        masked = self._masked_side(side, masks, threads)
        image = masked.prepared(pixels)
        return _useless("moving", image) or robust_registration(masked, image)

    @property
    def freed(self) -> bool:
        """Whether parts that stand still pulled any shift so far by more than a pixel.

        As a beam-block does that is not masked.
        """
        return self._counted.freed

    @property
    def looks(self) -> tuple[int, int]:
        """For how many frames so far the first look was enough, and for how many all levels were searched.

        Small images and `exact` searches, which have no first look, are not counted.
        """
        return self._counted.enough, self._counted.not_enough

    def _side(self, detector: Detector, mask: NDArray[np.bool_], boxes: frozenset[Box]) -> ReferenceSide:
        """Return the reference's side for a detector model and a mask without boxes; made when needed."""
        key = detector, boxes
        with self._lock:
            if key not in self._sides:
                masks = self._masks.like(mask) or MaskPyramid(mask)
                image = Prepared(self._pixels, masks, detector, refined=True)  # its pixels tell their noise
                # where boxes differ from frame to frame, only the last are kept
                self._sides = {k: side for k, side in self._sides.items() if not (boxes and k[1])}
                self._sides[key] = ReferenceSide(image, self.options, counted=self._counted)
            return self._sides[key]

    def _masked_side(self, side: ReferenceSide, masks: MaskPyramid, threads: int) -> MaskedSide:
        """Return what depends on the masks of both images; kept for the first mask and the last other."""
        with self._lock:
            for kept in self._masked:
                if kept.side is side and kept.masks is masks:
                    return kept
            self._masked = [*self._masked[:1], MaskedSide(side, masks)]
            if threads > 1:  # for one frame; a series has others to register meanwhile
                prepare(self._masked[-1], threads)
            return self._masked[-1]


def _useless(name: str, image: Prepared) -> Registration | None:
    """Return what is answered where an image has nothing to register by."""
    if not image.masks.some:
        return Registration.failed(Status.NO_OVERLAP, image.mask.ndim, f"{name} has no valid pixel")
    if image.flat:
        return Registration.failed(Status.FLAT, image.mask.ndim, f"{name} has one value in every valid pixel")
    return None


class _KnownMasks:
    """The static mask and the last other one, each with what was computed from it. Thread-safe."""

    def __init__(self, static: NDArray[np.bool_] | None) -> None:
        self._given = static is not None
        self._static = None if static is None else MaskPyramid(static)
        self._last: MaskPyramid | None = None
        self._whole: MaskPyramid | None = None
        self._lock = Lock()

    def of_whole(self, shape: tuple[int, ...]) -> MaskPyramid:
        """Return what `of` does for a frame whose every pixel is valid, without looking at them again."""
        with self._lock:
            known = self._static if self._given else self._whole
        if known is None or known.mask.shape != shape:
            known = self.of(np.ones(shape, bool))
            with self._lock:
                self._whole = known
        return known

    def of(self, mask: NDArray[np.bool_]) -> MaskPyramid:
        """Return a frame's mask combined with the static one.

        Without a static mask, that of the first frame stands in for it: most series have one mask.
        """
        with self._lock:
            if self._static is None:
                self._static = MaskPyramid(mask.copy())
            static = self._static.mask
            if self._given:
                if static.shape != mask.shape:
                    raise InputError(
                        f"moving has shape {mask.shape}, its static moving_mask has {static.shape}; "
                        "they must be equal"
                    )
                mask = mask & static
            known = self._equal_to(mask)
            if known is None:
                known = self._last = MaskPyramid(mask.copy())
            return known

    def like(self, mask: NDArray[np.bool_]) -> MaskPyramid | None:
        """Return the known mask that is equal to another one, if there is one."""
        with self._lock:
            return self._equal_to(mask)

    def _equal_to(self, mask: NDArray[np.bool_]) -> MaskPyramid | None:
        kept = (known for known in (self._static, self._last) if known is not None)
        return next((known for known in kept if np.array_equal(known.mask, mask)), None)


def _static_mask(mask: ArrayLike, ndim: int) -> NDArray[np.bool_]:
    valid = checked_mask("moving_mask", mask)
    if valid.ndim != ndim:
        raise InputError(
            f"moving_mask has shape {valid.shape}; it must have {ndim} axes, as the reference has"
        )
    return valid.copy(order="C")
