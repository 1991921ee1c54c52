"""Fill a row of an array from another, in a kernel.

To assign it as a slice takes the compiler one to two seconds a kernel: most of it goes to the message
that is told should the lengths differ.
"""

from __future__ import annotations

from maskreg.core.machine.compiled import inlined


@inlined
def fill(out, values):  # type: ignore[no-untyped-def]
    """Copy as many values as `out` has places, element by element."""
    for j in range(out.size):
        out[j] = values[j]
