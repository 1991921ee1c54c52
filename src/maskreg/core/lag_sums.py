"""Sums of products of two images at every lag, by transforms that stay in the cache.

Of images of two axes some columns at a time are transformed, multiplied and transformed back; then some
rows. Rows of padding, and of lags that are not asked for, are not transformed. Each image, and each pair, is
transformed by itself, so that its bytes do not depend on what else is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from maskreg.core.in_parallel import in_parallel
from maskreg.core.kept import Kept
from maskreg.core.once import once
from maskreg.core.spectra import transform

SINGLE = float(np.finfo(np.float32).eps)
"""Distance of single-precision numbers at 1, twice the greatest rounding."""

BAND_BYTES = 2**19
"""At most so many bytes are transformed at once, which stay in the cache; all if they are twice as many."""


Pair = tuple[int, int] | tuple[int, int, int, int]
"""Which images meet in a sum, and in the one that is taken off it."""


def rounding(window: Sequence[int]) -> float:
    """Return by how much a sum of products by transforms in single precision may be wrong, over both norms.

    C. Percival, Mathematics of Computation 72, 387-395, 2003, doi:10.1090/S0025-5718-02-01419-9: with 2^n
    pixels, rounding u and weights right to u, no sum of a cyclic convolution is wrong by more than
    |a| |b| ((1 + u)^3n (1 + u sqrt 5)^(3n + 1) (1 + u)^3n - 1), here rounded up. (Proven for lengths that
    are powers of two; seen are errors of about a fiftieth.)
    """
    n = math.log2(max(2, math.prod(window)))
    return SINGLE / 2 * (13 * n + 3)


@dataclass(frozen=True)
class Columns(Sequence[NDArray[Any]]):
    """The transform of an image, some columns after the other, each made when it is asked for.

    Of images that have not two axes the transform is in one piece.

    Attributes
    ----------
    make : callable
        Returns the image.
    window : tuple of int
    dtype : dtype
        Of the image: float32 or float64.
    """

    make: Callable[[], NDArray[Any]]
    window: tuple[int, ...]
    dtype: Any

    @property
    def nbytes(self) -> int:
        """What the whole transform takes."""
        return int(
            math.prod(self.window[:-1]) * (self.window[-1] // 2 + 1) * 2 * np.dtype(self.dtype).itemsize
        )

    def kept(self, kept: Kept, name: str) -> Sequence[NDArray[Any]]:
        """Return the columns as they are kept under a name, or these, if there is no room to keep them."""
        if not kept.takes(name, self.nbytes):
            return self
        return kept.get(name, (self.window, self.dtype), lambda: [self[k] for k in range(len(self))])

    def __len__(self) -> int:
        return len(column_bands(self.window, self.dtype)) if len(self.window) == 2 else 1

    def __getitem__(self, k: Any) -> Any:
        if len(self.window) != 2:
            return (self._rows,)[k]
        columns = column_bands(self.window, self.dtype)[k]
        return scipy.fft.fft(self._rows[:, columns], self.window[0], axis=0)

    def prepare(self) -> None:
        """Transform the rows, which all columns need."""
        self._rows  # noqa: B018  # kept from now on

    @once
    def _rows(self) -> NDArray[Any]:
        if len(self.window) != 2:
            return transform(self.make(), self.window)
        return np.asarray(scipy.fft.rfft(self.make(), self.window[1]))


def column_bands(window: tuple[int, ...], dtype: Any) -> list[slice]:
    """Return which columns of a transform are made at once."""
    width = window[1] // 2 + 1
    return _bands(width, width * window[0] * 2 * np.dtype(dtype).itemsize)


def _bands(count: int, nbytes: int) -> list[slice]:
    """Return equal parts of so many rows or columns, of so many bytes in all: one, or an even number."""
    pairs = math.ceil(nbytes / (2 * BAND_BYTES))
    parts = 1 if pairs == 1 else min(count, 2 * pairs)
    ends = [count * k // parts for k in range(parts + 1)]
    return [slice(*both) for both in pairwise(ends)]


def lag_sums(
    images: Sequence[Sequence[NDArray[Any]]],
    pairs: Sequence[Pair],
    window: tuple[int, ...],
    spans: Sequence[tuple[int, int]],
    dtype: Any,
    use: Callable[[slice, list[NDArray[Any]]], None],
    out: Sequence[NDArray[Any] | None] = (),
) -> None:
    """Call `use` with what `maskreg.core.spectra.cross` returns for pairs of images, for spans of lags.

    Lags are in ascending order along each axis. Bands of rows come in any order, and several at once where
    there are threads (`maskreg.core.in_parallel`).

    Parameters
    ----------
    images : list of Columns, or of what these keep
    pairs : list of (int, int) or (int, int, int, int)
        Which image is reference, and which is moving; of four, the sum of the second pair is taken off that
        of the first.
    window : tuple of int
    spans : list of (int, int)
        The first lag of each axis, and the one after the last: at most as many as the window has.
    dtype : dtype
        Of the images.
    use : callable
        Takes which rows of the lags, all axes but the last laid end to end, and for each pair their sums.
    out : list of ndarray or None
        For each pair an array of all rows, of which `use` gets those that were just filled.
    """
    out = out or [None] * len(pairs)
    if len(window) != 2:
        crop = np.ix_(*(np.arange(low, high) % n for (low, high), n in zip(spans, window, strict=True)))
        every = []
        for pair, to in zip(pairs, out, strict=True):
            found = scipy.fft.irfftn(_product([images[i][0] for i in pair]), window)[crop]
            to = np.empty((math.prod(found.shape[:-1]), found.shape[-1]), dtype) if to is None else to
            to[:] = found.reshape(to.shape)
            every.append(to)
        use(slice(0, every[0].shape[0]), every)
        return
    kept = _columns_at_lags(images, pairs, window, spans[0], dtype)
    parts = _stretches(spans[1], window[1])
    count = kept.shape[1]
    bands = _bands(count, kept[0].nbytes)

    def transform_rows(k: int) -> None:
        rows = bands[k]
        sums = []
        for whole, spectra in zip(out, kept, strict=True):
            shape = rows.stop - rows.start, spans[1][1] - spans[1][0]
            to = np.empty(shape, dtype) if whole is None else whole[rows]
            found = scipy.fft.irfft(spectra[rows], window[1])
            for here, there in parts:
                to[:, here] = found[:, there]
            sums.append(to)
        use(rows, sums)

    in_parallel(transform_rows, len(bands))


def _columns_at_lags(
    images: Sequence[Sequence[NDArray[Any]]],
    pairs: Sequence[Pair],
    window: tuple[int, ...],
    span: tuple[int, int],
    dtype: Any,
) -> NDArray[Any]:
    """Return the product of each pair, transformed back along columns, at the lags of the first axis."""
    bands = column_bands(window, dtype)
    out = np.empty((len(pairs), span[1] - span[0], bands[-1].stop), np.result_type(dtype, np.complex64))
    used = sorted({i for pair in pairs for i in pair})
    fresh = [image for image in (images[i] for i in used) if isinstance(image, Columns)]
    in_parallel(lambda k: fresh[k].prepare(), len(fresh))

    def transform_columns(k: int) -> None:
        spectra = {i: images[i][k] for i in used}
        for pair, to in zip(pairs, out, strict=True):
            found = scipy.fft.ifft(_product([spectra[i] for i in pair]), axis=0, overwrite_x=True)
            for here, there in _stretches(span, window[0]):
                to[here, bands[k]] = found[there]

    in_parallel(transform_columns, len(bands))
    return out


def _product(spectra: list[NDArray[Any]]) -> NDArray[Any]:
    """Return the transform of the sum of a pair, or of the first of two pairs less the second."""
    from maskreg.core.race_kernels import times_conjugate_2d, times_conjugate_less_2d

    flat = [x.reshape(-1, x.shape[-1]) for x in spectra]
    product = times_conjugate_2d(*flat) if len(flat) == 2 else times_conjugate_less_2d(*flat)
    return np.asarray(product).reshape(spectra[0].shape)


def _stretches(span: tuple[int, int], length: int) -> list[tuple[slice, slice]]:
    """Return where lags are in ascending order and where modulo the length, in stretches without a wrap."""
    low, high = span
    at = low % length
    cut = min(high - low, length - at)
    parts = [(slice(0, cut), slice(at, at + cut)), (slice(cut, high - low), slice(0, high - low - cut))]
    return [part for part in parts if part[0].stop > part[0].start]
