"""Ask for rows of memory before they are read."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload
from numba.np.arrayobj import make_array
from numpy.typing import NDArray

LINE = 64
"""Bytes that the processor fetches at once."""


def prefetch(row: NDArray[Any]) -> None:
    """Ask for a row that is read soon; without the compiler nothing is gained by it.

    A processor finds out by itself that memory is read line after line, but not in a loop over rows of many
    arrays, each shorter than a page: it starts anew with every row.
    """


@overload(prefetch)
def _prefetch(row):  # type: ignore[no-untyped-def]
    step = LINE // np.dtype(str(row.dtype)).itemsize

    def lines(row):  # type: ignore[no-untyped-def]
        for k in range(0, row.size, step):
            _ask(row, k)

    return lines


@intrinsic
def _ask(context, row, k):  # type: ignore[no-untyped-def]
    """Ask for the line of one element."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        array = make_array(signature.args[0])(context, builder, arguments[0])
        address = builder.bitcast(builder.gep(array.data, [arguments[1]]), cgutils.voidptr_t)
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
        name = "llvm.prefetch.p0i8" if not cgutils.voidptr_t.is_opaque else "llvm.prefetch.p0"
        asked = cgutils.get_or_insert_function(builder.module, kind, name)
        builder.call(asked, [address, number(0), number(3), number(1)])  # to be read, kept near, data
        return context.get_dummy_value()

    return types.void(row, k), generate
