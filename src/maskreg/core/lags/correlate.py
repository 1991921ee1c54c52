"""Masked NCC at every lag by Fourier transforms, equal to the definition in `direct`.

With images a and b whose masked means are off, masks A and B, and sums over x of products
p(x) q(x - s) written p*q, the coefficient over the common pixels is (Padfield 2012, eq. 20-25)

    r = (a*b - (a*B)(A*b)/n) / sqrt((aa*B - (a*B)^2/n) (A*bb - (A*b)^2/n)),   n = A*B.

A difference of large sums says nothing once rounding reaches it: where the energy in the overlap
is too small a part of the total, the lag is not trusted, and summed directly if it could win.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.core.direct import ncc_at
from maskreg.core.image.checked import centred, check_same_axes, checked_image, warn_of_colour
from maskreg.core.lags.spectra import Spectra, cross, spectra_of, transform
from maskreg.core.likelihood import FEWEST_PIXELS, likelihood, unexplained_floor
from maskreg.core.plan import window_length
from maskreg.errors import InputError, interrupts_as_such
from maskreg.geometry import lag_axis
from maskreg.options import Options

TRUSTED_ROUNDING = 1e-3
"""A lag is trusted where its estimated rounding error in r is below this."""


@dataclass(frozen=True)
class CorrelationMap:
    """Masked NCC, overlap and likelihood at every lag.

    Attributes
    ----------
    ncc : ndarray
        Masked NCC per lag, one axis per correlated axis after the batch axes; NaN = forbidden.
    overlap : ndarray of int64
        Pixels valid in both images at the lag.
    likelihood : ndarray of float64
        Log-likelihood against "unrelated" (`maskreg.core.likelihood`); -inf = forbidden.
    lags : tuple of 1-D ndarray of int
        The shift of each index, px, one array per correlated axis, ascending.
    """

    ncc: NDArray[Any]
    overlap: NDArray[np.int64]
    likelihood: NDArray[np.float64]
    lags: tuple[NDArray[np.intp], ...]

    def __repr__(self) -> str:
        lags = ", ".join(f"{axis[0]} to {axis[-1]}" for axis in self.lags)
        return f"CorrelationMap(lags {lags} px, ncc {self.ncc.shape} {self.ncc.dtype})"

    def plot(self, axes: Any = None) -> Any:
        """Draw it with matplotlib, see `maskreg.plot.ncc_map`."""
        from maskreg.plot import ncc_map

        return ncc_map(self, axes)


@interrupts_as_such()
def correlate(
    reference: ArrayLike,
    moving: ArrayLike,
    reference_mask: ArrayLike | None = None,
    moving_mask: ArrayLike | None = None,
    *,
    axes: Sequence[int] | None = None,
    max_shift: float | Sequence[float] | None = None,
) -> CorrelationMap:
    """Return masked NCC, overlap and likelihood of two images at every lag.

    Parameters
    ----------
    reference, moving : array_like
        Real, any dtype. Along `axes` their lengths may differ; along the others (the batch) not.
    reference_mask, moving_mask : array_like of bool, optional
        True = valid. Pixels that are not finite are ignored in any case.
    axes : sequence of int, optional
        Axes to correlate; default all. The others are a batch of independent images.
    max_shift : float or sequence of float, optional
        Greatest lag along each of `axes`, px, inclusive.

    Returns
    -------
    CorrelationMap
        Float32 NCC for images of at most 16-bit integers or float32, else float64.

    Raises
    ------
    InputError, InputTypeError
        An argument cannot be used; the message names it.

    References
    ----------
    D. Padfield, IEEE TIP 21(5), 2706-2718, 2012, doi:10.1109/TIP.2011.2181402.

    Examples
    --------
    >>> image = np.random.default_rng(1).poisson(20.0, (40, 50))
    >>> found = correlate(image[3:], image[:-3], max_shift=5)  # corner to corner
    >>> found
    CorrelationMap(lags -5 to 5, -5 to 5 px, ncc (11, 11) float64)
    >>> best = np.unravel_index(found.likelihood.argmax(), found.likelihood.shape)
    >>> [int(lags[place]) for lags, place in zip(found.lags, best)]
    [-3, 0]
    """
    a, a_mask = checked_image("reference", reference, reference_mask)
    b, b_mask = checked_image("moving", moving, moving_mask)
    check_same_axes(a, b)
    chosen = _checked_axes(axes, a.ndim)
    if len(chosen) == a.ndim:
        warn_of_colour("reference", a)
    limits = Options(max_shift=_as_limit(max_shift)).limits(len(chosen))
    batch = [axis for axis in range(a.ndim) if axis not in chosen]
    order = [*batch, *chosen]
    a, a_mask, b, b_mask = (x.transpose(order) for x in (a, a_mask, b, b_mask))
    if a.shape[: len(batch)] != b.shape[: len(batch)]:
        raise InputError(
            f"reference has shape {np.shape(reference)}, moving has {np.shape(moving)}; "
            f"they may differ only along axes={tuple(chosen)}"
        )
    maps = [
        _correlate_one(a[i], a_mask[i], b[i], b_mask[i], limits)
        for i in itertools.product(*(range(n) for n in a.shape[: len(batch)]))
    ]
    if not batch:
        return maps[0]
    shape = (*a.shape[: len(batch)], *maps[0].ncc.shape)
    return CorrelationMap(
        np.stack([m.ncc for m in maps]).reshape(shape),
        np.stack([m.overlap for m in maps]).reshape(shape),
        np.stack([m.likelihood for m in maps]).reshape(shape),
        maps[0].lags,
    )


def _as_limit(max_shift: Any) -> Any:
    return tuple(max_shift) if isinstance(max_shift, (list, np.ndarray)) and np.ndim(max_shift) else max_shift


def _checked_axes(axes: Sequence[int] | None, ndim: int) -> list[int]:
    if axes is None:
        return list(range(ndim))
    try:
        chosen = [operator.index(axis) for axis in axes]
    except TypeError:
        raise InputError(f"axes is {axes!r}; it must be a sequence of whole numbers") from None
    normal = sorted({axis % ndim for axis in chosen if -ndim <= axis < ndim})
    if not chosen or len(normal) != len(chosen):
        raise InputError(f"axes is {axes!r}; name each of the {ndim} axes at most once, and at least one")
    return normal


def _correlate_one(
    a: NDArray[Any],
    a_mask: NDArray[np.bool_],
    b: NDArray[Any],
    b_mask: NDArray[np.bool_],
    limits: tuple[float, ...] | None,
) -> CorrelationMap:
    """Return the map of one pair of checked images."""
    x, x_step = centred(a, a_mask)
    y, y_step = centred(b, b_mask)
    pair = ImagePair(x, a_mask, y, b_mask, limits, (x_step, y_step), unexplained_floor(a, b, a_mask, b_mask))
    single = all(p.dtype == np.float32 or p.dtype.itemsize <= 2 for p in (a, b))
    found = pair.lag_map(np.float32) if single else None
    if found is None or found.untrusted.any():
        found = pair.lag_map(np.float64)
    ncc = pair.completed(found)
    dtype = np.float32 if single else np.float64
    overlap = found.overlap.astype(np.int64)
    return CorrelationMap(ncc.astype(dtype), overlap, likelihood(ncc, overlap, pair.floor), pair.lags)


@dataclass(frozen=True)
class LagMap:
    """What the transforms say of every lag.

    Attributes
    ----------
    ncc : ndarray
        NaN where forbidden or not trusted.
    overlap : ndarray
        Whole numbers.
    untrusted : ndarray of bool
        Rounding may have made the value: only a direct sum knows.
    moving_energy : ndarray
        Sum of squares of moving's deviations from its mean in the overlap.
    """

    ncc: NDArray[Any]
    overlap: NDArray[Any]
    untrusted: NDArray[np.bool_]
    moving_energy: NDArray[Any]


@dataclass(frozen=True)
class ReferenceTerms:
    """All that depends on the reference and the two masks only, for every lag.

    Computed once for a series with a static mask: three of the five inverse transforms.
    """

    spectra: Spectra
    moving_mask_spectrum: NDArray[Any]
    overlap: NDArray[Any]
    reference_sum: NDArray[Any]
    reference_energy: NDArray[Any]
    rounding: float
    window: tuple[int, ...]
    moving_shape: tuple[int, ...]
    crop: tuple[NDArray[np.intp], ...]

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Number of lags along each axis."""
        return tuple(len(c) for c in self.crop)


def reference_terms(
    pixels: NDArray[Any],
    mask: NDArray[np.bool_],
    moving_mask: NDArray[np.bool_],
    window: tuple[int, ...],
    lags: tuple[NDArray[np.intp], ...],
) -> ReferenceTerms:
    """Return the terms of a reference (zero where ignored, mean off) for one mask of moving."""
    dtype = pixels.dtype
    crop = tuple(lag % length for lag, length in zip(lags, window, strict=True))
    spectra = spectra_of(pixels, transform(mask.astype(dtype), window), window)
    moving_mask_spectrum = transform(moving_mask.astype(dtype), window)

    def at_lags(p: NDArray[Any], q: NDArray[Any]) -> NDArray[Any]:
        return cross(p, q, window)[np.ix_(*crop)]

    overlap = np.rint(at_lags(spectra.mask, moving_mask_spectrum))
    reference_sum = at_lags(spectra.image, moving_mask_spectrum)
    n = np.maximum(overlap, 1)
    reference_energy = at_lags(spectra.square, moving_mask_spectrum) - reference_sum**2 / n
    # pocketfft's error grows as the square root of the logarithm of the length; the factor covers it
    rounding = float(4 * np.finfo(dtype).eps * np.sqrt(np.log2(max(2, math.prod(window)))))
    return ReferenceTerms(
        spectra,
        moving_mask_spectrum,
        overlap,
        reference_sum,
        reference_energy,
        rounding,
        window,
        moving_mask.shape,
        crop,
    )


def lag_map(terms: ReferenceTerms, moving: Spectra) -> LagMap:
    """Return masked NCC at every lag: the two transforms of a frame give three inverse ones."""
    crop = np.ix_(*terms.crop)
    window = terms.window
    product = cross(terms.spectra.image, moving.image, window)[crop]
    moving_sum = cross(terms.spectra.mask, moving.image, window)[crop]
    square = cross(terms.spectra.mask, moving.square, window)[crop]
    n = np.maximum(terms.overlap, 1)
    moving_energy = square - moving_sum**2 / n
    covariance = product - terms.reference_sum * moving_sum / n
    # kappa = total energy / energy in the overlap; trusted where rounding * kappa is small
    least = terms.rounding / TRUSTED_ROUNDING
    enough = terms.overlap > FEWEST_PIXELS
    trusted = (
        enough
        & (terms.reference_energy > least * terms.spectra.energy)
        & (moving_energy > least * moving.energy)
    )
    energies = np.where(trusted, terms.reference_energy * moving_energy, 1)
    ncc = np.where(trusted, np.clip(covariance / np.sqrt(energies), -1, 1), np.nan)
    return LagMap(ncc, terms.overlap, enough & ~trusted, moving_energy)


@dataclass(frozen=True)
class ImagePair:
    """Two images, means off, whose every lag is to be known as well as by the definition.

    Attributes
    ----------
    reference, moving : ndarray of float64
        Zero where ignored.
    reference_mask, moving_mask : ndarray of bool
    limits : tuple of float, optional
        Greatest lag along each axis.
    steps : (float, float)
        Differences below which all is rounding, see `image.checked.centred`.
    floor : float
        eps of the likelihood.
    """

    reference: NDArray[Any]
    reference_mask: NDArray[np.bool_]
    moving: NDArray[Any]
    moving_mask: NDArray[np.bool_]
    limits: tuple[float, ...] | None
    steps: tuple[float, float]
    floor: float

    @cached_property
    def lags(self) -> tuple[NDArray[np.intp], ...]:
        """Every lag that is asked for, one ascending array per axis."""
        return limited_lags(self.reference.shape, self.moving.shape, self.limits)

    def lag_map(self, dtype: Any) -> LagMap:
        """Return all lags by transforms of precision `dtype`."""
        shapes = zip(
            self.reference.shape, self.moving.shape, self.limits or [None] * self.moving.ndim, strict=True
        )
        window = tuple(window_length(p, q, None if m is None else int(m)) for p, q, m in shapes)
        terms = reference_terms(
            self.reference.astype(dtype), self.reference_mask, self.moving_mask, window, self.lags
        )
        spectra = spectra_of(self.moving.astype(dtype), terms.moving_mask_spectrum, window)
        return lag_map(terms, spectra)

    def _could_win(self, found: LagMap) -> NDArray[np.intp]:
        """Return indices of untrusted lags whose greatest possible likelihood beats the best known."""
        best = likelihood(found.ncc, found.overlap, self.floor).max(initial=-np.inf)
        possible = likelihood(np.where(found.untrusted, 1.0, np.nan), found.overlap, self.floor)
        return np.argwhere((possible > best) & ~self._surely_flat())

    def completed(self, found: LagMap) -> NDArray[Any]:
        """Return the NCC map in which every untrusted lag that could win is summed directly."""
        ncc = found.ncc.astype(np.float64)
        if not found.untrusted.any():
            return ncc
        for index in map(tuple, self._could_win(found)):
            lag = [int(axis[i]) for axis, i in zip(self.lags, index, strict=True)]
            ncc[index], _ = ncc_at(
                self.reference, self.moving, self.reference_mask, self.moving_mask, lag, self.steps
            )
        return ncc

    def _surely_flat(self) -> NDArray[np.bool_]:
        """Lags at which every common pixel of one image has that image's commonest value.

        Counted exactly by transforms, so that half-constant images need no direct sums.
        """
        window = tuple(
            window_length(p, q, None) for p, q in zip(self.reference.shape, self.moving.shape, strict=True)
        )
        crop = np.ix_(*(lag % length for lag, length in zip(self.lags, window, strict=True)))
        a_mask, b_mask = (
            transform(m.astype(np.float64), window) for m in (self.reference_mask, self.moving_mask)
        )
        a_other = transform(_unlike_commonest(self.reference, self.reference_mask), window)
        b_other = transform(_unlike_commonest(self.moving, self.moving_mask), window)
        return np.asarray(
            (np.rint(cross(a_other, b_mask, window)[crop]) == 0)
            | (np.rint(cross(a_mask, b_other, window)[crop]) == 0)
        )


def limited_lags(
    reference_shape: Sequence[int], moving_shape: Sequence[int], limits: tuple[float, ...] | None
) -> tuple[NDArray[np.intp], ...]:
    """Return the lags along each axis, those beyond the limits left out."""
    axes = [lag_axis(p, q) for p, q in zip(reference_shape, moving_shape, strict=True)]
    if limits is not None:
        axes = [axis[np.abs(axis) <= limit] for axis, limit in zip(axes, limits, strict=True)]
    return tuple(axes)


def _unlike_commonest(pixels: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return 1 where a valid pixel differs from the commonest valid value."""
    values, counts = np.unique(pixels[mask], return_counts=True)
    commonest = values[counts.argmax()] if len(values) else 0.0
    return np.asarray(mask & (pixels != commonest), np.float64)
