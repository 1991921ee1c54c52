"""The masked NCC from the six sums at lags, eight lags at a time.

The plain twin of `ncc_2d` is `maskreg.core.ncc.plain_ncc`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from maskreg.core.compiled import kernel
from maskreg.core.eight import INT, Memory
from maskreg.core.wide import LANES
from maskreg.core.wide_steps import fetch

AHEAD = 16
"""So many rows ahead of those that are worked on, numbers are asked for."""


@intrinsic
def coefficients(_, sums, places, limits, ncc, at, root, root_at):  # type: ignore[no-untyped-def]
    """Store eight coefficients and roots as `ncc_2d` says, from six flat arrays.

    Returns 1 if a root is faint, else 0.
    """
    signature = types.int64(sums, places, limits, ncc, types.int64, root, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        numbers = signature.args[3]
        of_sums, of_places, bounds, ncc, at, root, root_at = arguments
        kinds = signature.args[2], numbers, signature.args[5]
        bounds, ncc, root = (
            Memory(context, builder, kind, x, numbers)
            for kind, x in zip(kinds, [bounds, ncc, root], strict=True)
        )
        n, sa, qa, sb, qb, p = (
            Memory(context, builder, numbers, builder.extract_value(of_sums, k), numbers).row(
                builder.extract_value(of_places, k)
            )
            for k in range(6)
        )
        least, enough, faint = (bounds.in_all_lanes(INT(k)) for k in range(3))
        zero, one = n.constant(0.0), n.constant(1.0)
        n = n.called("rint")
        inverse = one / (n > one).chosen(n, one)
        va, vb = qa - sa * sa * inverse, qb - sb * sb * inverse
        good = (va > least) & (vb > least)
        spread = good.chosen(va * vb, one).called("sqrt")
        value = (p - sa * sb * inverse) / spread
        value = (value > one).chosen(one, value)
        value = (zero - one > value).chosen(zero - one, value)
        # n is a whole number, and what is enough seldom is
        ncc.put(at, (good & (n > enough)).chosen(value, zero))
        root.put(root_at, good.chosen(spread, zero))
        return (good & (faint > spread)).any()

    return signature, generate


@kernel
def ncc_2d(sums, starts, limits, column, count, ncc, root):  # type: ignore[no-untyped-def]
    """Fill columns of `ncc`, and of `root` if it is not empty, with the masked NCC and both energies' root.

    Parameters
    ----------
    sums : six (rows, any) ndarrays of float32 or float64
        For each lag: n, and the sums of a, a^2, b, b^2 and a b over the common pixels.
        The squares of each image sum to 1.
    starts : (6,) ndarray of int
        The column of each where the first lag is.
    limits : (3,) ndarray
        Energies up to the first are rounding: NCC and root are 0 there. Where n is not above the second the
        NCC is 0.
    column, count : int
        The first lag's column, and the number of columns.
    ncc, root : (rows, cols) ndarray
        Root is that of the energies' product.

    Returns
    -------
    bool
        Whether there is a root that is not 0, and below the third limit.
    """
    flat = (
        sums[0].reshape(-1), sums[1].reshape(-1), sums[2].reshape(-1),
        sums[3].reshape(-1), sums[4].reshape(-1), sums[5].reshape(-1),
    )  # fmt: skip
    widths = (
        sums[0].shape[1], sums[1].shape[1], sums[2].shape[1],
        sums[3].shape[1], sums[4].shape[1], sums[5].shape[1],
    )  # fmt: skip
    to, to_root, roots = ncc.reshape(-1), root.reshape(-1), root.size > 0
    few, whole = 0, count // LANES * LANES
    # the last ones, if they are not eight, and what is made of them
    last = np.zeros(6 * LANES, ncc.dtype)
    every, found, spare = (
        (last, last, last, last, last, last),
        np.zeros(LANES, ncc.dtype),
        np.zeros(LANES, ncc.dtype),
    )
    begins = (0, LANES, 2 * LANES, 3 * LANES, 4 * LANES, 5 * LANES)
    a, b, c, d, e, f = starts[0], starts[1], starts[2], starts[3], starts[4], starts[5]
    at = column
    for i in range(ncc.shape[0]):
        if i + AHEAD < ncc.shape[0]:  # of long rows, a few columns are far from those of the next row
            fetch(to, at + AHEAD * ncc.shape[1], ncc)
            if widths[0] > 2 * LANES:
                fetch(flat[0], a + AHEAD * widths[0], ncc)
            if widths[1] > 2 * LANES:
                fetch(flat[1], b + AHEAD * widths[1], ncc)
            if widths[2] > 2 * LANES:
                fetch(flat[2], c + AHEAD * widths[2], ncc)
        for j in range(0, whole, LANES):
            places = (a + j, b + j, c + j, d + j, e + j, f + j)
            if roots:
                few |= coefficients(flat, places, limits, to, at + j, to_root, at + j)
            else:
                few |= coefficients(flat, places, limits, to, at + j, spare, 0)
        if whole < count:
            for j in range(count - whole):
                last[j], last[LANES + j] = flat[0][a + whole + j], flat[1][b + whole + j]
                last[2 * LANES + j], last[3 * LANES + j] = flat[2][c + whole + j], flat[3][d + whole + j]
                last[4 * LANES + j], last[5 * LANES + j] = flat[4][e + whole + j], flat[5][f + whole + j]
            few |= coefficients(every, begins, limits, found, 0, spare, 0)
            for j in range(count - whole):
                to[at + whole + j] = found[j]
                if roots:
                    to_root[at + whole + j] = spare[j]
        a, b, c = a + widths[0], b + widths[1], c + widths[2]
        d, e, f = d + widths[3], e + widths[4], f + widths[5]
        at += ncc.shape[1]
    return few != 0
