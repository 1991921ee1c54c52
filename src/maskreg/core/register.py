"""One pair."""

from __future__ import annotations

import logging

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike

from maskreg.core.kernels_of_pair import kernels_meanwhile
from maskreg.core.machine.memory import keep_freed_memory
from maskreg.core.registrar import Registrar
from maskreg.cores import cores_of_a_call
from maskreg.labelled import unlabelled, warn_of_a_mask, warn_of_labels
from maskreg.nodata import nodata_warning
from maskreg.registration import Registration

keep_freed_memory()

log = logging.getLogger(__name__)

SMALLEST_THREADED = 2**19
"""Images of fewer pixels are registered on one thread: at 512 x 512 others save no time."""


def register(
    reference: ArrayLike,
    moving: ArrayLike,
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
) -> Registration:
    """Return the shift that lands `moving` on `reference`, and how sure that is.

    Parameters
    ----------
    reference, moving : array_like
        Real, any dtype, the same number of axes; their shapes may differ, and the shift then
        relates pixel [0, 0] to pixel [0, 0]. Pixels that are not finite are ignored.
    reference_mask, moving_mask : array_like of bool, optional
        True = valid, of the image's shape; None: every finite pixel is. What stands still in both images,
        as a beam-block, belongs in both masks. `numpy.ma` arrays bring their own.
    max_shift : float or tuple of float, optional
        Greatest shift searched, px, one number or one per axis, inclusive; default all lags.
    min_overlap : float, optional
        Least overlap, as a fraction of the greatest of any lag. Not needed to keep chance
        correlations away: the likelihood does.
    exact, subpixel, gain, offset, read_noise, smoothing
        See `maskreg.Options`.

    Returns
    -------
    Registration
        `shift` in px, array axis order, as `scipy.ndimage.shift(moving, shift)` takes it; its
        `status` says whether it may be used.

    Raises
    ------
    InputError, InputTypeError
        An argument cannot be used; the message names it.

    Notes
    -----
    What depends on large references is computed on several threads: as many as there are cores, or as
    OMP_NUM_THREADS says; on one where this is not the main thread, or `multiprocessing` has started the
    process. The answer is the same to the bit.

    References
    ----------
    D. Padfield, IEEE TIP 21(5), 2706-2718, 2012, doi:10.1109/TIP.2011.2181402.

    Examples
    --------
    >>> from maskreg.testing import ChromiumScan
    >>> scan = ChromiumScan((192, 192), scans=2)
    >>> answer = register(scan.frame(0), scan.frame(20), scan.mask, scan.mask)
    >>> answer.ok, bool(abs(answer.shift - scan.shifts[20]).max() < 0.1)
    (True, True)
    """
    warn_of_labels(reference, moving)
    warn_of_a_mask(reference_mask, reference, "reference_mask", "reference")
    warn_of_a_mask(moving_mask, moving, "moving_mask", "moving")
    reference, moving = unlabelled(reference), unlabelled(moving)
    with scipy.fft.set_workers(_threads(reference)), kernels_meanwhile(reference):
        registrar = Registrar(
            reference,
            reference_mask,
            max_shift=max_shift,
            min_overlap=min_overlap,
            exact=exact,
            subpixel=subpixel,
            gain=gain,
            offset=offset,
            read_noise=read_noise,
            smoothing=smoothing,
        )
        answer = registrar(moving, moving_mask)
    _warn_of_nodata("reference", reference, reference_mask)
    _warn_of_nodata("moving", moving, moving_mask)
    return answer


def _threads(reference: ArrayLike) -> int:
    large = isinstance(reference, np.ndarray) and reference.size >= SMALLEST_THREADED
    return cores_of_a_call() if large else 1


def _warn_of_nodata(name: str, image: ArrayLike, mask: ArrayLike | None) -> None:
    """Say so where many pixels that count may hold no data; asked of arrays whose pixels are at hand."""
    if isinstance(image, np.ndarray):
        about = nodata_warning(image, None if mask is None else np.asarray(mask, bool))
        if about:
            log.warning("%s: %s", name, about)
