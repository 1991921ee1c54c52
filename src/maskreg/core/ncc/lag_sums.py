"""Sums of products of two images at every lag, by transforms that stay in the cache.

Of images of two axes some columns at a time are transformed; then, row by row of frequencies, rows of all
images are transformed, multiplied and transformed back; then columns again (`transforms.wide_kernels`).
What goes through the memory is half a spectrum of each image, and one of each pair. Rows and columns of
padding cost little, and lags that are not asked for are not written. Each image, and each pair, is
transformed by itself, so that its bytes do not depend on what else is asked for.

Of any other number of axes all is transformed at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from maskreg.core.lags.spectra import transform
from maskreg.core.machine.in_parallel import in_parallel
from maskreg.core.machine.kept import Kept
from maskreg.core.ncc.deviations import Deviations
from maskreg.core.plan import least_length, window_length
from maskreg.core.transforms.wide import (
    GROUP,
    LANES,
    LINE,
    Stages,
    aligned,
    is_wide,
    stages_of_columns,
    stages_of_rows,
    wide_length,
)

SINGLE = float(np.finfo(np.float32).eps)
"""Distance of single-precision numbers at 1, twice the greatest rounding."""

PART_BYTES = 2**19
"""About so many bytes a thread transforms before it asks for more."""

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
class Transform:
    """The transform of an image, or of its square: along the first of two axes, or all of another number.

    Attributes
    ----------
    pixels : Deviations
    window : tuple of int
        Lengths; of two axes those of `window_of_lags`.
    dtype : dtype
        Of the transform: float32 or float64.
    squared : bool
    """

    pixels: Deviations
    window: tuple[int, ...]
    dtype: np.dtype[Any]
    squared: bool = False

    @property
    def filled(self) -> tuple[int, ...]:
        """Shape of what it fills, which has real and imaginary parts."""
        if not is_wide(self.window):
            return (*self.window[:-1], self.window[-1] // 2 + 1, 2)
        height, width = self.window
        stages = stages_of_rows(width, self.dtype)
        part = width // LANES // int(stages.radices[0])
        return (
            -(-(height // 2 + 1) // GROUP),
            part * stages.taken(-(-self.pixels.mask.shape[1] // LANES)),
            GROUP,
            2,
            LANES,
        )

    @property
    def nbytes(self) -> int:
        """What it takes."""
        return math.prod(self.filled) * self.dtype.itemsize

    def kept(self, kept: Kept, name: str) -> Transform | NDArray[Any]:
        """Return what is kept under a name, computed if need be, or this, if there is no room to keep it.

        Of two axes rows are transformed, too.
        """
        wide = is_wide(self.window)
        shape = _shape_of_rows(self.window) if wide else self.filled
        if not kept.takes(name, math.prod(shape) * self.dtype.itemsize):
            return self
        return kept.get(
            name, (self.window, self.dtype), lambda: _rows(self) if wide else transforms([self])[0]
        )


class Workspace:
    """Memory for some arrays, which is used again: to be given new pages takes as long as to transform.

    Parameters
    ----------
    nbytes : sequence of int
        Of the arrays, in any order.
    kept : Kept, optional
        Where it may lie, and goes to again. No other can take it meanwhile.
    """

    def __init__(self, nbytes: Sequence[int] = (), kept: Kept | None = None) -> None:
        self._kept = kept
        size = sum(-(-n // LINE) * LINE for n in nbytes)
        found = kept.take("workspace", size) if kept else None
        self._memory: NDArray[np.uint8] = aligned((size,), np.uint8) if found is None else found
        self._used = 0

    def array(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an array, aligned; anything is in it."""
        nbytes = math.prod(shape) * dtype.itemsize
        if self._used + nbytes > self._memory.size:
            return aligned(shape, dtype)
        part = self._memory[self._used : self._used + nbytes]
        self._used += -(-nbytes // LINE) * LINE
        return part.view(dtype).reshape(shape)

    def give_back(self) -> None:
        """Let the next one have it: nobody uses the arrays any more."""
        if self._kept:
            self._kept.put("workspace", self._memory.size, self._memory)


def transforms(
    wanted: Sequence[Transform | NDArray[Any]], workspace: Workspace | None = None
) -> list[NDArray[Any]]:
    """Return the transforms, those that are there already as they are."""
    found: list[Any] = list(wanted)
    jobs: list[Callable[[], None]] = []
    workspace = workspace or Workspace()
    for k, image in enumerate(wanted):
        if not isinstance(image, Transform):
            continue
        if is_wide(image.window):
            found[k] = workspace.array(image.filled, image.dtype)
            jobs += _along_columns(image, found[k])
        else:
            jobs.append(partial(_whole, image, found, k))
    in_parallel(lambda j: jobs[j](), len(jobs))
    return found


def _whole(image: Transform, found: list[Any], k: int) -> None:
    """Leave the transform along all axes at a place of a list."""
    pixels = image.pixels.array(image.dtype)
    found[k] = transform(pixels * pixels if image.squared else pixels, image.window)


def _along_columns(image: Transform, out: NDArray[Any]) -> list[Callable[[], None]]:
    """Return what is to be done to fill `out` with the transform along the first axis."""
    from maskreg.core.transforms.wide_kernels import columns_forth_2d

    values, mask, *numbers = image.pixels
    valid, linear = mask.view(np.uint8), np.array(numbers, float)
    height = image.window[0]
    stages = stages_of_columns(height, image.dtype)
    taken = stages.taken(mask.shape[0])

    def work(bands: slice) -> Callable[[], None]:
        return lambda: columns_forth_2d(
            values, valid, linear, image.squared, bands.start, bands.stop, taken, stages.places,
            *stages.tables, out,
        )  # fmt: skip

    pairs = -(-out.shape[1] // 2)
    return [work(bands) for bands in _parts(pairs, 2 * LANES * height * out.itemsize)]


def _parts(count: int, nbytes: int) -> list[slice]:
    """Return equal parts of so many pieces, of so many bytes each: one, or an even number."""
    pairs = math.ceil(count * nbytes / (2 * PART_BYTES))
    parts = 1 if pairs == 1 else min(count, 2 * pairs)
    ends = [count * k // parts for k in range(parts + 1)]
    return [slice(*both) for both in pairwise(ends)]


def window_of_lags(
    reference: tuple[int, ...], moving: tuple[int, ...], spans: Sequence[tuple[int, int]]
) -> tuple[int, ...]:
    """Return the lengths of transforms in which no lag of the spans meets another's copy, of two shapes."""
    wide = is_wide(reference)
    length = least_length if wide else window_length
    lengths = [
        max(length(p, q, max(-first, end - 1)), end - first)
        for p, q, (first, end) in zip(reference, moving, spans, strict=True)
    ]
    return tuple(map(wide_length, lengths) if wide else lengths)


@dataclass(frozen=True)
class LagSums:
    """Sums of products at lags, of two axes: all is done but for the way back along the first.

    Attributes
    ----------
    spectra : (vectors, pairs, rows, 2, 8) ndarray
    window : (int, int)
    spans : sequence of (int, int)
    stages : Stages
    workspace : Workspace
        What holds the spectra.
    """

    spectra: NDArray[Any]
    window: tuple[int, ...]
    spans: Sequence[tuple[int, int]]
    stages: Stages
    workspace: Workspace

    def whole(self) -> NDArray[Any]:
        """Return the sums of all pairs at all lags, ascending."""
        (first, end), (left, right) = self.spans
        out = np.empty((self.spectra.shape[1], end - first, right - left), self.spectra.dtype)
        none = np.empty((0, 0), out.dtype)
        self._back(out, np.zeros(6, np.int64), [none] * 3, np.empty(0, out.dtype), 0, none, none)
        return out

    def fill_ncc(
        self,
        known: Mapping[int, NDArray[Any]],
        fresh: Sequence[int],
        limits: NDArray[Any],
        column: int,
        ncc: NDArray[Any],
        root: NDArray[Any],
    ) -> bool:
        """Do what `transforms.ncc_kernels.ncc_2d` does, once, while the sums are in the cache.

        `fresh` says which of its six these sums are; the others are known. None of the last three is.
        """
        of = np.array([fresh.index(which) if which in fresh else -1 for which in range(6)])
        three = [known.get(which, np.empty((0, 0), ncc.dtype)) for which in range(3)]
        faint = self._back(np.empty((0, 0, 0), ncc.dtype), of, three, limits, column, ncc, root)
        self.workspace.give_back()
        return faint

    def _back(
        self, out: NDArray[Any], of: NDArray[np.int64], three: list[NDArray[Any]], *to_ncc: Any
    ) -> bool:
        """Do what `transforms.wide_kernels.columns_back_2d` does."""
        from maskreg.core.transforms.wide_kernels import columns_back_2d

        bands, spans = self._bands, (*self.spans[0], *self.spans[1])
        parts = _parts(bands.size, 2 * LANES * self.window[0] * self.spectra.itemsize)
        faint = [False] * len(parts)

        def fill(k: int) -> None:
            faint[k] = columns_back_2d(
                self.spectra, bands[parts[k]], self.stages.places, *self.stages.tables, spans, self.window[1],
                out, of, *three, *to_ncc,
            )  # fmt: skip

        in_parallel(fill, len(parts))
        return any(faint)

    @property
    def wanted(self) -> NDArray[np.bool_]:
        """Which vectors hold a lag, or are beside one that does: the others are never read."""
        wanted = np.zeros(self.window[1] // LANES, bool)
        for half in range(2):
            wanted[np.minimum(2 * self._bands + half, wanted.size - 1)] = True
        return wanted

    @property
    def _bands(self) -> NDArray[np.int64]:
        """Which of the bands of 16 columns hold a lag: they begin again after the last one."""
        width, (left, right) = self.window[1], self.spans[1]
        return np.unique(np.arange(left, right) % width // (2 * LANES))


def lag_sums(
    images: Sequence[Transform | NDArray[Any]],
    pairs: Sequence[Pair],
    window: tuple[int, ...],
    spans: Sequence[tuple[int, int]],
    dtype: Any,
) -> NDArray[Any]:
    """Return what `lags.spectra.cross` returns for pairs of images, for spans of lags.

    Parameters
    ----------
    images : list of Transform, or of what these keep
    pairs : list of (int, int) or (int, int, int, int)
        Which image is reference, and which is moving; of four, the sum of the second pair is taken off that
        of the first.
    window : tuple of int
    spans : list of (int, int)
        The first lag of each axis, and the one after the last: at most as many as the window has.
    dtype : dtype
        Of the images.

    Returns
    -------
    (pairs, rows, columns) ndarray
        All axes of the lags but the last are laid end to end; ascending along each axis.
    """
    if is_wide(window):
        return lag_sums_2d(images, pairs, window, spans, dtype).whole()
    crop = np.ix_(*(np.arange(low, high) % n for (low, high), n in zip(spans, window, strict=True)))
    rows, columns = math.prod(high - low for low, high in spans[:-1]), spans[-1][1] - spans[-1][0]
    out = np.empty((len(pairs), rows, columns), dtype)
    used = _used(images, pairs)
    found = dict(zip(used, transforms(list(used.values())), strict=True))
    for pair, to in zip(pairs, out, strict=True):
        a, b, *less = (found[id(images[i])] for i in pair)
        product = a * b.conj() - less[0] * less[1].conj() if less else a * b.conj()
        to[:] = scipy.fft.irfftn(product, window)[crop].reshape(to.shape)
    return out


def lag_sums_2d(
    images: Sequence[Transform | NDArray[Any]],
    pairs: Sequence[Pair],
    window: tuple[int, ...],
    spans: Sequence[tuple[int, int]],
    dtype: Any,
    kept: Kept | None = None,
) -> LagSums:
    """Return what `lag_sums` does, of two axes, to be had some columns at a time; there may be room kept."""
    height, width = window
    dtype = np.dtype(dtype)
    shape = width // LANES, len(pairs), height // 2 + 1, 2, LANES
    used = _used(images, pairs)
    fresh = [image.nbytes for image in used.values() if isinstance(image, Transform)]
    workspace = Workspace([math.prod(shape) * dtype.itemsize, *fresh], kept)
    out = workspace.array(shape, dtype)
    fields = transforms(list(used.values()), workspace)
    place = {which: k for k, which in enumerate(used)}
    of_pairs = np.array([[*(place[id(images[i])] for i in pair), -1, -1][:4] for pair in pairs], np.int64)
    sums = LagSums(out, window, spans, stages_of_columns(height, dtype), workspace)
    _along_rows(fields, [None] * len(fields), of_pairs, sums.wanted, out)
    return sums


def _along_rows(
    fields: Sequence[NDArray[Any]],
    rows_of: Sequence[NDArray[Any] | None],
    pairs: NDArray[np.int64],
    wanted: NDArray[np.bool_],
    out: NDArray[Any],
) -> None:
    """Do what `transforms.wide_kernels.rows_forth_and_back_2d` does; fields may be rows that are kept."""
    from maskreg.core.transforms.wide_kernels import rows_forth_and_back_2d

    count, _, rows, *_ = out.shape
    addresses = np.array([field.ctypes.data for field in fields])
    vectors = np.array(
        [0 if field.ndim == len(_shape_of_rows((1, 1))) else field.shape[1] for field in fields]
    )
    to = np.array([0 if left is None else left.ctypes.data for left in rows_of])
    tables = stages_of_rows(count * LANES, out.dtype).tables
    parts = _parts(rows, 2 * LANES * count * out.itemsize)

    def work(k: int) -> None:
        some = parts[k]
        rows_forth_and_back_2d(addresses, vectors, to, pairs, some.start, some.stop, wanted, *tables, out)

    in_parallel(work, len(parts))


def _shape_of_rows(window: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of rows that are kept."""
    height, width = window
    return height // 2 + 1, -(-width // LANES**2) * LANES, 2, LANES


def _rows(image: Transform) -> NDArray[Any]:
    """Return the transform along both axes, as it is kept."""
    height, width = image.window
    found = aligned(_shape_of_rows(image.window), image.dtype)
    nothing = np.empty((width // LANES, 0, height // 2 + 1, 2, LANES), image.dtype)
    _along_rows(transforms([image]), [found], np.empty((0, 4), np.int64), np.empty(0, bool), nothing)
    return found


def _used(
    images: Sequence[Transform | NDArray[Any]], pairs: Sequence[Pair]
) -> dict[int, Transform | NDArray[Any]]:
    """Return the images that are used, each once, by its identity."""
    return {id(images[i]): images[i] for i in sorted({i for pair in pairs for i in pair})}
