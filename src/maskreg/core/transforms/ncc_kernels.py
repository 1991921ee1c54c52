"""The masked NCC from the six sums at lags, eight lags at a time.

========  ============================
kernel    plain twin
========  ============================
`ncc_2d`  `ncc.coefficients.plain_ncc`
========  ============================
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from maskreg.core.machine.compiled import inlined, kernel
from maskreg.core.transforms.eight import INT, Memory
from maskreg.core.transforms.wide import LANES
from maskreg.core.transforms.wide_steps import fetch

AHEAD = 16
"""So many rows ahead of those that are worked on, numbers are asked for."""


@intrinsic
def coefficients(_, sums, places, scales, limits, ncc, at, root, root_at):  # type: ignore[no-untyped-def]
    """Store eight coefficients and roots as `ncc_2d` says, from six flat arrays that are to be scaled.

    Returns 1 if a root is faint, else 0.
    """
    signature = types.int64(sums, places, scales, limits, ncc, types.int64, root, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        numbers = signature.args[4]
        of_sums, of_places, of_scales, bounds, ncc, at, root, root_at = arguments
        kinds = signature.args[2], signature.args[3], numbers, signature.args[6]
        factors, bounds, ncc, root = (
            Memory(context, builder, kind, x, numbers)
            for kind, x in zip(kinds, [of_scales, bounds, ncc, root], strict=True)
        )
        n, sa, qa, sb, qb, p = (
            Memory(context, builder, numbers, builder.extract_value(of_sums, k), numbers)
            .row(builder.extract_value(of_places, k))
            .rounded_product(factors.in_all_lanes(INT(k)))
            for k in range(6)
        )
        least, enough, faint = (bounds.in_all_lanes(INT(k)) for k in range(3))
        zero, one = n.constant(0.0), n.constant(1.0)
        n = n.called("rint")
        inverse = one / (n > one).chosen(n, one)
        va, vb = qa - sa * sa * inverse, qb - sb * sb * inverse
        # n is a whole number, and what is enough seldom is
        good = (va > least) & (vb > least) & (n > enough)
        spread = good.chosen(va * vb, one).called("sqrt")
        value = (p - sa * sb * inverse) / spread
        value = (value > one).chosen(one, value)
        value = (zero - one > value).chosen(zero - one, value)
        ncc.put(at, good.chosen(value, zero))
        root.put(root_at, good.chosen(spread, zero))
        return (good & (faint > spread)).any()

    return signature, generate


@intrinsic
def some_above(_, overlap, place, scales, limits):  # type: ignore[no-untyped-def]
    """Return 1 if the overlap at any of eight lags is above the second limit, else 0."""
    signature = types.int64(overlap, types.int64, scales, limits)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        numbers = signature.args[0]
        overlap, place, *both = arguments
        factors, bounds = (
            Memory(context, builder, kind, x, numbers)
            for kind, x in zip(signature.args[2:], both, strict=True)
        )
        n = Memory(context, builder, numbers, overlap, numbers).row(place)
        n = n.rounded_product(factors.in_all_lanes(INT(0)))
        return (n.called("rint") > bounds.in_all_lanes(INT(1))).any()

    return signature, generate


@inlined
def _moved(at, by):  # type: ignore[no-untyped-def]
    """Return six places, each moved by as much as is given for it."""
    return at[0] + by[0], at[1] + by[1], at[2] + by[2], at[3] + by[3], at[4] + by[4], at[5] + by[5]


@inlined
def lags_2d(flat, places, along, down, scales, limits, rows, count, to, at, wide, to_root, last, spare):  # type: ignore[no-untyped-def]
    """Do what `ncc_2d` does for some rows and columns of lags; return 1 if a root is faint, else 0.

    Of each sum the place of the first lag in a flat array is given, the way to the next eight columns, and
    to the next row; of `to`, and of the roots, if there are any, the place and the length of a row. `last`
    is room for the last ones, if they are not eight, and `spare` for what is made of them.
    """
    few, whole, roots = 0, count // LANES, to_root.size > 0
    every, begins = (last, last, last, last, last, last), (0, 8, 16, 24, 32, 40)
    stored = False
    for i in range(rows):
        if stored and i + AHEAD < rows:  # of long rows, a few columns are far from those of the next row
            fetch(to, at + AHEAD * wide, to)
            if down[0] > 2 * LANES:
                fetch(flat[0], places[0] + AHEAD * down[0], to)
            if down[1] > 2 * LANES:
                fetch(flat[1], places[1] + AHEAD * down[1], to)
            if down[2] > 2 * LANES:
                fetch(flat[2], places[2] + AHEAD * down[2], to)
        here, stored = places, False
        for j in range(whole):
            if some_above(flat[0], here[0], scales, limits):
                stored, there = True, at + LANES * j
                if roots:
                    few |= coefficients(flat, here, scales, limits, to, there, to_root, there)
                else:
                    few |= coefficients(flat, here, scales, limits, to, there, spare, 0)
            here = _moved(here, along)
        rest, there = count - LANES * whole, at + LANES * whole
        if rest:
            for j in range(rest):
                last[j], last[8 + j] = flat[0][here[0] + j], flat[1][here[1] + j]
                last[16 + j], last[24 + j] = flat[2][here[2] + j], flat[3][here[3] + j]
                last[32 + j], last[40 + j] = flat[4][here[4] + j], flat[5][here[5] + j]
            few |= coefficients(every, begins, scales, limits, spare, 8, spare, 0)
            for j in range(rest):
                to[there + j] = spare[8 + j]
                if roots:
                    to_root[there + j] = spare[j]
        places, at = _moved(places, down), at + wide
    return few


@kernel
def ncc_2d(sums, limits, column, ncc, root):  # type: ignore[no-untyped-def]
    """Fill columns of `ncc`, and of `root` if it is not empty, with the masked NCC and both energies' root.

    Parameters
    ----------
    sums : six (rows, columns) ndarrays of float32 or float64
        For each lag: n, and the sums of a, a^2, b, b^2 and a b over the common pixels.
        The squares of each image sum to 1.
    limits : (3,) ndarray
        Energies up to the first are rounding: NCC and root are 0 there, as where n is not above the second.
    column : int
        Of the first lag.
    ncc, root : (rows, any) ndarray
        Zeros before. Root is that of the energies' product.

    Returns
    -------
    bool
        Whether there is a root that is not 0, and below the third limit.
    """
    flat = (
        sums[0].reshape(-1), sums[1].reshape(-1), sums[2].reshape(-1),
        sums[3].reshape(-1), sums[4].reshape(-1), sums[5].reshape(-1),
    )  # fmt: skip
    rows, count = sums[0].shape
    last, spare = np.zeros(6 * LANES, ncc.dtype), np.zeros(2 * LANES, ncc.dtype)
    found = lags_2d(
        flat, (0, 0, 0, 0, 0, 0), (8, 8, 8, 8, 8, 8), (count, count, count, count, count, count),
        np.ones(6, ncc.dtype), limits, rows, count,
        ncc.reshape(-1), column, ncc.shape[1], root.reshape(-1), last, spare,
    )  # fmt: skip
    return found != 0
